"""The process and its home: stopping by signals, locks between processes, private files.

Belongs here: signals, locks, and the folder that a configuration calls home. Does not belong here:
what the process does.
"""
