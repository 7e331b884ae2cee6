"""What runs the statements: the one place that knows the engine.

Belongs here: statements and what is read from their syntax, the builds of tables, and a folder for
each engine. Does not belong here: which tables there are and in which order (`pipeline`).
"""
