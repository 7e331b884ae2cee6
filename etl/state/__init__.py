"""What must survive from run to run, and cannot be computed again.

Belongs here: decisions, link history, acknowledgements, quality history, models, the access log.
Does not belong here: what each run builds anew (`pipeline`).
"""
