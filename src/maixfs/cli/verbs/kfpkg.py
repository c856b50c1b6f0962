"""``maixfs kfpkg``: packages for flashers."""

from __future__ import annotations

from maixfs.cli.catalogue import VERBS
from maixfs.cli.kfpkg.catalogue import KFPKG_VERBS
from maixfs.cli.options import json_option
from maixfs.cli.verbgroup import declare_group

ABOUT = """\
A PACKAGE (.kfpkg) is an archive with files for the flash, and a list that says where they go.
Flashers read it, each in its own way: what is made here all of them read, and what others made
is understood and judged.
"""

kfpkg = declare_group(
    "kfpkg",
    VERBS["kfpkg"].sentence,
    ABOUT,
    KFPKG_VERBS,
    "maixfs.cli.kfpkg",
    (
        ("maixfs kfpkg verify face.kfpkg", "Say what it would overwrite, before it does."),
        (
            "maixfs kfpkg make -o all.kfpkg --firmware fw.bin --model m.kmodel",
            "Put a firmware and a model into one package.",
        ),
    ),
)
json_option(kfpkg)
