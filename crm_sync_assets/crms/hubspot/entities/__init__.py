"""What is read from HubSpot: one file per entity (all pairs of associations share one)."""
