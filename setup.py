"""A shim for tools that look for it; pyproject.toml holds the metadata."""

from setuptools import setup

setup()
