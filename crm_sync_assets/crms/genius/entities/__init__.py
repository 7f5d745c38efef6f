"""What is read from Genius: one file per table."""
