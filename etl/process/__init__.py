"""The process and its home: what a signal ends and how, who else is at work, whose files they are.

Belongs here: signals, locks, and the folder that a configuration calls home. Does not belong here:
what the process does.
"""
