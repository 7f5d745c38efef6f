"""Salesforce's objects, one per file."""
