"""Run tests/cuts/campaign.py: power cuts at every operation of everything that is recorded."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from cuts.campaign import main

if __name__ == "__main__":
    sys.exit(main())
