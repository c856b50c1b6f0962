"""``maixfs firmware``: the images that the chip starts."""

from __future__ import annotations

from maixfs.cli.catalogue import VERBS
from maixfs.cli.flash.catalogue import FIRMWARE_VERBS
from maixfs.cli.options import json_option
from maixfs.cli.verbgroup import declare_group

ABOUT = """\
A firmware image is a flag byte, the length, the program and a SHA-256 over all of that; flashers
make it of a program on the way to the chip.
"""

firmware = declare_group(
    "firmware",
    VERBS["firmware"].sentence,
    ABOUT,
    FIRMWARE_VERBS,
    "maixfs.cli.flash",
    (
        ("maixfs firmware info dump.bin", "What a dump starts with, and is its hash right."),
        ("maixfs firmware wrap program.bin -o image.bin", "An image that the chip starts."),
    ),
)
json_option(firmware)
