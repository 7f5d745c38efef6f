"""The receiver of webhooks: a delivery is proven, kept and answered; it is read later."""
