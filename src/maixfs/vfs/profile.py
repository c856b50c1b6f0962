"""Which MicroPython the VFS follows where versions differ, and the quirks that are reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from maixfs.errors import UsageError

# Profiles


@dataclass(frozen=True)
class Profile:
    """How one version of MicroPython behaves.

    ``relative_misses_are_root``: a relative name that matches no mount, looked up from ``/``,
    means ``/`` itself. ``chdir_moves_first``: the current volume changes before its ``chdir`` is
    called, so that a failed ``chdir`` leaves it changed. ``mount_lists``: ``mount()`` without
    arguments returns the mounts. ``path_max``: bytes; the last field of ``statvfs("/")`` and the
    limit of a FAT volume's ``getcwd``. ``checks_utf8``: text reads raise ``UnicodeError``.
    ``has_errno_attribute``: an ``OSError`` has ``.errno``. ``epoch``: the time value of
    2000-01-01, seconds. ``checks_devices``: the results of a program's block device count.
    """

    name: str
    relative_misses_are_root: bool
    chdir_moves_first: bool
    mount_lists: bool
    path_max: int
    checks_utf8: bool
    has_errno_attribute: bool
    epoch: int
    checks_devices: bool


PROFILES: dict[str, Profile] = {
    "maixpy": Profile(
        "maixpy",
        relative_misses_are_root=True,
        chdir_moves_first=True,
        mount_lists=False,
        path_max=128,
        checks_utf8=False,
        has_errno_attribute=False,
        epoch=0,
        checks_devices=False,
    ),
    "modern": Profile(
        "modern",
        relative_misses_are_root=False,
        chdir_moves_first=False,
        mount_lists=True,
        path_max=4096,
        checks_utf8=True,
        has_errno_attribute=True,
        epoch=946684800,  # Unix time, as in the port for PCs
        checks_devices=True,
    ),
}
"""``maixpy`` is v1.11 as MaixPy builds it, ``modern`` the current releases."""


def profile_of(name: str) -> Profile:
    """Return the profile called ``name``; raises ``UsageError`` for an unknown name."""
    if name not in PROFILES:
        raise UsageError(
            f"there is no VFS profile {name!r}", hint=f"profiles: {', '.join(PROFILES)}"
        )
    return PROFILES[name]


# Quirks

OnQuirk = Callable[[str, str], None]
"""Called with a key and one sentence for the user."""

SENTENCES: dict[str, str] = {
    "rename-onto-itself": (
        "renaming {0} onto itself removes the file: the firmware removes the target first"
    ),
    "rename-loses-target": (
        "renaming {0} onto {1} failed after {1} had been removed: its data is lost"
    ),
    "x-truncates": "mode 'x' does not refuse {0}, which exists already: it empties the file",
    "rw-truncates": "mode {1!r} empties {0}: each letter counts, and 'w' truncates",
    "close-keeps-descriptor": (
        "closing {0} failed with unwritten data: its descriptor stays in use until the next"
        " mount, and there are only two"
    ),
    "append-needs-file": "mode 'a' does not create {0}: it appends only to an existing file",
    "open-hides-reason": (
        "opening {0} gives ENOENT, as every failed open does; the reason was: {1}"
    ),
    "fat-rename-replaces": (
        "renaming {0} onto {1} removed the existing {1} first: if the power fails in between,"
        " {1} is lost"
    ),
    "fat-folder-into-itself": (
        "renaming the folder {0} to {1}, which is inside it, cuts it off with all its contents:"
        " no path leads there any more, and its clusters stay in use"
    ),
    "fat-trailing-slash": "{0!r} is refused because it ends with a slash: remove the slash",
    "fat-name-bytes": (
        "a PC shows the name {0!r} as {1!r}: the firmware stores its UTF-8 bytes as if they"
        " were code page 437; only ASCII names are the same on both"
    ),
    "fat-append-once": (
        "mode 'a' goes to the end of {0} only once: after a seek it overwrites what is there"
    ),
    "fat-seek-grows": (
        "seeking past the end of {0} extends it at once, with whatever the card held there"
    ),
    "fat-seek-fills": (
        "seeking to before the start of {0}, which is open for writing, uses up the free space of"
        " the volume: the position wraps to 4 GiB"
    ),
    "fat-free-count": (
        "{0} was cut short as if the volume were full, but {1} clusters are free: the firmware"
        " trusts the count in FSInfo, which is wrong; fsck on a PC corrects it"
    ),
    "fat-dates-late": "the firmware writes dates 60 years late: a PC shows {0}",
    "device-error-ignored": (
        "the block device's {0} returned an error: the firmware ignores it and goes on with"
        " the contents of its buffer, here it is EIO"
    ),
    "mkfs-ignored": "mount() does not format, with or without mkfs=: call VfsSpiffs.mkfs(...)",
}
"""Key to sentence about firmware behaviour that costs its users data or hours.

``{0}`` is the name that is affected.
"""


class Quirks:
    """Reports each quirk once; without an observer it does nothing."""

    def __init__(self, on_quirk: OnQuirk | None) -> None:
        self._on_quirk = on_quirk
        self._reported: set[str] = set()

    def wanted(self, key: str) -> bool:
        """Return True if ``key`` would be reported: detecting it may cost time."""
        return self._on_quirk is not None and key not in self._reported

    def report(self, key: str, *about: object) -> None:
        """Report the quirk ``key`` that just happened to ``about``."""
        if self._on_quirk is None or key in self._reported:
            return
        self._reported.add(key)
        self._on_quirk(key, SENTENCES[key].format(*about))
