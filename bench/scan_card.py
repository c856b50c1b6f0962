"""Mounts the first partition of a card image and counts its free clusters: for peak memory."""

from __future__ import annotations

import sys

from maixfs.fat import FatCore
from maixfs.fat.probe import find_volume
from maixfs.sd import FileSectors

card = FileSectors.open(sys.argv[1])
print(FatCore(card, find_volume(card, 1)).free_clusters(scan=True))
