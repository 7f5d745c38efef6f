"""Tables of a database somebody else owns: what is selected, read, and compared."""
