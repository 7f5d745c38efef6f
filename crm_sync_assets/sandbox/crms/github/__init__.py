"""GitHub, as far as a repository with one file goes."""
