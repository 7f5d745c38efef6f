"""From a record to a row: parsing, checks and business rules, without a database."""
