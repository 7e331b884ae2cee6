"""How often links are right: compared with the truth of simulated registers, and with other tools.

Belongs here: measurements of right and wrong links, each a command that prints its figures. Does
not belong here: speed (``benchmarks/reconcile_speed.py``) and single rules (``tests``).

``python -m benchmarks.accuracy --help`` lists the commands.
"""
