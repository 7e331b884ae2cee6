"""What a run found, for people: figures, charts, tables on a terminal, the triage of failures.

Belongs here: reading what a run left, and showing it without personal data. Does not belong here:
one record's story (`explain`).
"""
