"""The verbs by section: name, module under ``verbs`` and what ``maixfs --help`` says of each."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A verb: its module in ``maixfs.cli.verbs`` and its line in the overview."""

    module: str
    sentence: str


SECTIONS: dict[str, dict[str, Entry]] = {
    "Virtual board": {
        "new": Entry("new", "Make a virtual board: a folder that holds its flash."),
        "run": Entry("run", "Boot a board and run a script on it."),
    },
    "Look (nothing is written)": {
        "info": Entry("info", "What a board or an image is, what is in it, and is it sound."),
        "doctor": Entry("doctor", "Say what troubles a board, why, and what to do about it."),
        "ls": Entry("ls", "List files and folders."),
        "tree": Entry("tree", "Show files and folders as a tree."),
        "cat": Entry("cat", "Write files to stdout, byte for byte."),
        "stat": Entry("stat", "Show all that is known of a file."),
        "df": Entry("df", "Show how much room is taken and left."),
        "du": Entry("du", "Show what takes the room."),
        "hex": Entry("hex", "Show bytes, and the fields that they are."),
        "explain": Entry("explain", "Say in a sentence what a byte of an image is."),
        "map": Entry("map", "Show a whole flash: who has it, how full and how worn it is."),
        "diff": Entry("diff", "Show what differs between two images, and why."),
    },
    "Change": {
        "cp": Entry("cp", "Copy files and folders, to, from and between targets."),
        "mv": Entry("mv", "Rename files and folders."),
        "rm": Entry("rm", "Remove files and folders."),
        "mkdir": Entry("mkdir", "Make folders."),
        "gc": Entry("gc", "Free the pages that deleted data holds."),
    },
    "Whole images": {
        "mkfs": Entry("mkfs", "Make an image with an empty file system."),
        "pack": Entry("pack", "Make an image from a folder."),
        "unpack": Entry("unpack", "Copy all files of a target into a folder."),
        "build": Entry("build", "Put a whole flash together: firmware, models, files."),
        "split": Entry("split", "Take a whole flash apart, so that build makes it again."),
    },
    "Flash": {
        "flash": Entry("flash", "Read, write and erase raw bytes of a flash."),
        "model": Entry("model", "Show models (.kmodel), and whether a board would load them."),
        "firmware": Entry("firmware", "Show, make and take apart firmware images."),
        "kfpkg": Entry("kfpkg", "Make, examine and apply packages for flashers (.kfpkg)."),
        "kboot": Entry("kboot", "Show and change what Kboot starts."),
    },
    "SD cards": {
        "sd": Entry("sd", "Make, examine and convert cards; put them into boards and readers."),
    },
    "Other": {
        "completion": Entry("completion", "Print the completion script of a shell."),
    },
}

VERBS: dict[str, Entry] = {
    name: entry for section in SECTIONS.values() for name, entry in section.items()
}
"""All verbs by name."""
