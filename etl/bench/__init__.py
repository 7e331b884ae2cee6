"""Measurements that anybody can repeat on their own machine: ``doisoat bench``.

Belongs here: reconciling simulated registers without a source or a target, and measuring that. Does
not belong here: comparisons with other libraries (``benchmarks``).
"""
