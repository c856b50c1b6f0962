"""Run tests/pairs/campaign.py: pairs of commands on one medium at the same time."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from pairs.campaign import main

if __name__ == "__main__":
    sys.exit(main())
