"""One folder per CRM, all in the same shape; the registry finds them."""
