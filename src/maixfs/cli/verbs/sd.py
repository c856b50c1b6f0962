"""``maixfs sd``: cards and card images."""

from __future__ import annotations

from maixfs.cli.catalogue import VERBS
from maixfs.cli.options import json_option
from maixfs.cli.sd.catalogue import SD_VERBS
from maixfs.cli.verbgroup import declare_group

ABOUT = """\
A CARD is an image of a whole SD card, or a drive of this computer that has one in it (as
/dev/sdb); nothing is written to it but by the verb write. Files on a card are reached by the
other verbs, as in: maixfs ls card.img:/
"""

sd = declare_group(
    "sd",
    VERBS["sd"].sentence,
    ABOUT,
    SD_VERBS,
    "maixfs.cli.sd",
    (
        ("maixfs sd new 8G card.img", "Make a card of 8 GiB with one FAT32 partition."),
        ("maixfs sd doctor card.img", "Say why a board would not mount it, and what to do."),
    ),
)
json_option(sd)
