"""The words of a declaration: what an entity is, its columns, and what a client owes the engine."""
