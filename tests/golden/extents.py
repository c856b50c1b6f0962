"""Cards as the tests keep them: only what is not zero, packed.

A file is gzip over one line of JSON, ``{"size": N, "extents": [[offset, length], ...]}``, and the
bytes of the extents one after the other. Everything else on the card is zero.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

PIECE = 1 << 20


def unpack_card(packed: Path, card: Path) -> None:
    """Write the card that ``packed`` holds to ``card``, as a sparse file."""
    with gzip.open(packed, "rb") as source, card.open("wb") as target:
        about = json.loads(source.readline())
        target.truncate(about["size"])
        for offset, length in about["extents"]:
            target.seek(offset)
            left = length
            while left:
                piece = source.read(min(left, PIECE))
                target.write(piece)
                left -= len(piece)
