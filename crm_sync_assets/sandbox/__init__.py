"""The CRMs as local servers: real wire formats, seeded data, faults on demand, and the truth."""

from crm_sync_assets.sandbox.server import Sandbox

__all__ = ["Sandbox"]
