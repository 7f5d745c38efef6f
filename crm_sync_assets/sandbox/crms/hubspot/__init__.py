"""HubSpot as the sandbox plays it: its data, its rules, its wire format."""
