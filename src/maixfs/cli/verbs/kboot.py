"""``maixfs kboot``: the boot loader of Krux and LoBo."""

from __future__ import annotations

from maixfs.cli.catalogue import VERBS
from maixfs.cli.flash.catalogue import KBOOT_VERBS
from maixfs.cli.options import json_option
from maixfs.cli.verbgroup import declare_group

ABOUT = """\
Kboot lies at the start of a flash and starts one of several applications; two sectors of eight
entries say which. Entries are judged as Kboot does it.
"""

kboot = declare_group(
    "kboot",
    VERBS["kboot"].sentence,
    ABOUT,
    KBOOT_VERBS,
    "maixfs.cli.flash",
    (
        ("maixfs kboot show krux.bin", "Every entry, would it start, and which one does."),
        ("maixfs kboot set krux.bin 0 --address 0x390000", "Start the application in slot 2."),
    ),
)
json_option(kboot)
