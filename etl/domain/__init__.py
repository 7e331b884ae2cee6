"""The vocabulary of the project: columns, codes, errors, and the words that people read.

Belongs here: the contract of registers and target, the codes with their labels, the errors, the
words of both languages, how a value is shown, and the facts in `data`. This package imports nothing
else of the project.
"""
