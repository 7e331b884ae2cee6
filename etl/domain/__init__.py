"""What a record is, and every word that is said of it.

Belongs here: the contract of registers and target, the codes with their labels, the errors, the
words of both languages, how a value is shown, and the facts in `data`. It imports nothing of the
project.
"""
