"""One sync of one entity, from the flags to a closed row in SyncHistory; knows no Dagster."""
