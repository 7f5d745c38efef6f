"""The dashboard: what it reads, what it shows, and to whom."""
