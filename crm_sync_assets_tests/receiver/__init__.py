"""The receiver of webhooks: who is believed, what is kept, what is answered."""
