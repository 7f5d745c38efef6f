"""The CRMs that the sandbox plays, a package each; the sandbox finds them by name."""
