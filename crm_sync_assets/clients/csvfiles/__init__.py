"""Files of comma-separated values as entities: from a path, a folder or an address."""
