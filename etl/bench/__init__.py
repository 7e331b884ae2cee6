"""Measurements that anybody can repeat on a machine of their own: ``doisoat bench``.

Belongs here: simulated registers reconciled without a source or a target, and what that takes.
Does not belong here: comparisons with other libraries (``benchmarks``).
"""
