"""Five9's entities, one per file."""
