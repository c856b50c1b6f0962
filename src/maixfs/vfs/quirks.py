"""What the firmware does that costs its users data or hours: each is told once."""

from __future__ import annotations

from collections.abc import Callable

OnQuirk = Callable[[str, str], None]
"""Called with a key and one sentence for a person."""

SENTENCES: dict[str, str] = {
    "rename-onto-itself": (
        "renaming {0} onto itself removes the file: the firmware removes the target first"
    ),
    "rename-loses-target": (
        "renaming {0} onto {1} failed after {1} had been removed to make way: its data is gone"
    ),
    "x-truncates": "mode 'x' does not refuse {0}, which is there already: it empties the file",
    "rw-truncates": "mode {1!r} empties {0}: each letter counts, and 'w' truncates",
    "close-keeps-descriptor": (
        "closing {0} failed with data left to write: its descriptor stays taken until the next"
        " mount, and there are only two"
    ),
    "append-needs-file": "mode 'a' does not make {0}: it appends only to a file that is there",
    "open-hides-reason": "opening {0} says ENOENT, as every failed open does; the reason was: {1}",
    "fat-rename-replaces": (
        "renaming {0} onto {1} removed the {1} that was there first: if the power goes in"
        " between, neither name leads to it"
    ),
    "fat-folder-into-itself": (
        "renaming the folder {0} to {1}, a place inside of it, cuts it off with all that is in it:"
        " nothing leads there any more, and its room stays taken"
    ),
    "fat-trailing-slash": "{0!r} is refused because it ends with a slash: leave the slash away",
    "fat-name-bytes": (
        "a PC shows the name {0!r} as {1!r}: the firmware stores the bytes of its UTF-8 as if they"
        " were code page 437; only names in ASCII are the same on both"
    ),
    "fat-append-once": (
        "mode 'a' puts {0} at its end only once: after a seek it writes over what is there"
    ),
    "fat-seek-grows": (
        "seeking past the end of {0} makes it longer at once, with whatever lay on the card there"
    ),
    "fat-seek-fills": (
        "seeking to before the start of {0}, which is open for writing, takes all free room of the"
        " volume: the position wraps to 4 GiB"
    ),
    "fat-free-count": (
        "{0} is said not to fit, but {1} clusters are free: the firmware believes the count in"
        " FSInfo, which is wrong; fsck on a PC mends it"
    ),
    "fat-dates-late": "the firmware writes dates 60 years late: to a PC it is {0}",
    "device-error-ignored": (
        "the block device's {0} returned an error: the firmware takes no notice and goes on with"
        " what is in its buffer, here it is EIO"
    ),
    "mkfs-ignored": "mount() does not format, whatever mkfs= says: call VfsSpiffs.mkfs(...)",
}
"""Key to sentence; ``{0}`` is the name it happened to."""


class Quirks:
    """Passes each key on once; without an observer it does nothing."""

    def __init__(self, on_quirk: OnQuirk | None) -> None:
        self._on_quirk = on_quirk
        self._told: set[str] = set()

    def waits_for(self, key: str) -> bool:
        """Whether somebody would be told of ``key``: finding out may cost time."""
        return self._on_quirk is not None and key not in self._told

    def tell(self, key: str, *about: object) -> None:
        """Report the quirk ``key`` that just happened to ``about``."""
        if self._on_quirk is None or key in self._told:
            return
        self._told.add(key)
        self._on_quirk(key, SENTENCES[key].format(*about))
