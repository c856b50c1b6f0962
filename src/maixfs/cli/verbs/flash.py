"""``maixfs flash``: raw bytes of a flash."""

from __future__ import annotations

from maixfs.cli.catalogue import VERBS
from maixfs.cli.flash.catalogue import FLASH_VERBS
from maixfs.cli.options import json_option
from maixfs.cli.verbgroup import declare_group

ABOUT = """\
Bytes at addresses of a flash image, or of a virtual board's flash. Nothing that was found in the
image is overwritten unless forced: maixfs map shows whose the bytes are.
"""

flash = declare_group(
    "flash",
    VERBS["flash"].sentence,
    ABOUT,
    FLASH_VERBS,
    "maixfs.cli.flash",
    (
        ("maixfs flash read dump.bin 0x300000 0x50000 model.bin", "Copy a range into a file."),
        ("maixfs flash write board 0x300000 face.kmodel", "Put a model where kpu.load looks."),
    ),
)
json_option(flash)
