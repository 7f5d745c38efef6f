"""Amazon Athena: tables that are queried, as entities. https://docs.aws.amazon.com/athena

A query is ordered, waited for, and its result fetched page by page.
"""
