"""What processes of the demo begin with: imported once, by the server that they are forked from."""

import signal

from crm_sync_assets.engine.measures import collecting_nothing

with collecting_nothing():
    import dagster  # noqa: F401

    import crm_sync_assets.cli.display
    import crm_sync_assets.cli.story
    import crm_sync_assets.clients.rest.client
    import crm_sync_assets.operations.opening
    import crm_sync_assets.orchestration.asset_checks
    import crm_sync_assets.orchestration.assets
    import crm_sync_assets.orchestration.run_storage
    import crm_sync_assets.orchestration.schedules  # noqa: F401

# From the first moment of their lives: Ctrl-C in a terminal goes to all of its processes.
signal.signal(signal.SIGINT, signal.SIG_IGN)
