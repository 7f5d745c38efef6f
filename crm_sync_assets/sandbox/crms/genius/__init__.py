"""Genius in the sandbox: its tables in a real database, with seeded rows that move."""
