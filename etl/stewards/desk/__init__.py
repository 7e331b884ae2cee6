"""The steward's desk: what waits for a person in the last published result, found in a moment.

Belongs here: one file beside a snapshot, made once for each run, and the questions that
the workbench asks of it. Does not belong here: pages (``console``), decisions (``decide.py``).
"""
