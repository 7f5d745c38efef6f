"""OData of versions 1 to 3, as WCF Data Services speak it: Atom feeds, $filter, $metadata.

Sources are declared as any web API's (`rest`); here is what is OData's: `feed` reads answers,
`querying` writes conditions, `paging` goes through a set in order, `metadata` knows how properties
are spelled, and `client` puts it together.
"""
