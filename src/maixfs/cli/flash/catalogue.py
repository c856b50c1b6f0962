"""The verbs of ``maixfs flash``, ``model``, ``firmware`` and ``kboot``: module and help."""

from __future__ import annotations

from maixfs.cli.catalogue import Entry

FLASH_VERBS: dict[str, Entry] = {
    "read": Entry("raw", "Copy bytes of a flash into a file, or to stdout."),
    "write": Entry("raw", "Write a file into a flash at an address."),
    "erase": Entry("raw", "Erase sectors of a flash."),
}
MODEL_VERBS: dict[str, Entry] = {
    "info": Entry("model", "Show a model, or all models of a flash, and what kpu.load says."),
}
FIRMWARE_VERBS: dict[str, Entry] = {
    "info": Entry("firmware", "Show a firmware image, and whether its hash is right."),
    "wrap": Entry("firmware", "Make a firmware image of a program: header, program, hash."),
    "unwrap": Entry("firmware", "Take the program out of a firmware image."),
}
KBOOT_VERBS: dict[str, Entry] = {
    "show": Entry("kboot", "Show the entries of Kboot, and which application it starts."),
    "set": Entry("kboot", "Change an entry of Kboot, or how it starts."),
}
