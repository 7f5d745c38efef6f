"""`python -m crm_sync_assets.cli`: the same as `crm-sync`."""

import sys

from crm_sync_assets.cli import main

if __name__ == "__main__":
    sys.exit(main())
