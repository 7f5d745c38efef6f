"""One file per entity."""
