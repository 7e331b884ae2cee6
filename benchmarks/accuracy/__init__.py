"""How right doisoat is: beside the truth of simulated registers, and beside other tools.

Belongs here: measurements of right and wrong, by command, printed and never asserted. Does not
belong here: speed (``benchmarks/reconcile_speed.py``) and single rules (``tests``).

``python -m benchmarks.accuracy --help`` says what there is to run.
"""
