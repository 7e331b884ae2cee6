"""Measurements, run by command, never asserted in a test: figures are printed, with alternatives.

Belongs here: speed and memory. Does not belong here: whether a result is right (``tests``).
"""
