"""LeadConduit's entities, found here by the registry."""
