"""MarketSharp's entities, found here by the registry."""
