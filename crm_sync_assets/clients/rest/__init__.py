"""Sources declared in data: what a CRM's web API does is put together from a few closed kinds.

`api` says how one is reached, `source` what an entity is read from, `paging` and `delta` what a
list does; `reading` reads it, and `client` is what the engine is given.
"""
