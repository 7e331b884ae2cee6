"""Measurements: each is a command that prints figures, compared with alternatives; none is a test.

Belongs here: speed and memory. Does not belong here: whether a result is right (``tests``).
"""
