"""What SyncHistory and the tables say, for people (one page) and for programs (Prometheus)."""
