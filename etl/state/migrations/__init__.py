"""How the state's tables came to be as they are: one file for each change, run by Alembic."""
