"""Reference tables of the domain, as data files that a user can correct; no code belongs here."""
