"""Pages from the outside: HTTP, rate limits, tokens, files. Nothing here knows a CRM."""
