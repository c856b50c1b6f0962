"""Run tests/spiffs/damage.py: careful writing into damaged areas."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from spiffs.damage import main

if __name__ == "__main__":
    sys.exit(main())
