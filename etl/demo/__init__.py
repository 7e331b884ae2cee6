"""The demonstration: a real PostgreSQL that doisoat starts itself, with simulated registers."""
