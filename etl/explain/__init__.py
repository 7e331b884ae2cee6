"""One record's story: gathered from the warehouse, told in words, laid out as text or a page.

Belongs here: what `doisoat explain` and `doisoat normalise` show. Does not belong here: counts over
many records (`report`).
"""
