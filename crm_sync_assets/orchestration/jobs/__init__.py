"""Jobs beside the syncs, each named after what it runs."""
