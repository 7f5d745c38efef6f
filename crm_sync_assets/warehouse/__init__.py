"""PostgreSQL: connections, tables, the load, deletions, history, quarantine, encryption."""
