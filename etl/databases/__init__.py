"""Other people's databases: how each product is reached, and what its errors mean.

Belongs here: connections, dialects, rights and refusals, for all who read or write a database.
Does not belong here: what is read (`extract`) or written (`publish`, `state`).
"""
