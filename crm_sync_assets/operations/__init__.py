"""What else one does with the data: verify, refresh, replay, rotate keys, prune, health, alerts."""
