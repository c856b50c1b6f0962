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
    "mkfs-ignored": "mount() does not format, whatever mkfs= says: call VfsSpiffs.mkfs(...)",
}
"""Key to sentence; ``{0}`` is the name it happened to."""


class Quirks:
    """Passes each key on once; without an observer it does nothing."""

    def __init__(self, on_quirk: OnQuirk | None) -> None:
        self._on_quirk = on_quirk
        self._told: set[str] = set()

    def tell(self, key: str, *about: object) -> None:
        """Report the quirk ``key`` that just happened to ``about``."""
        if self._on_quirk is None or key in self._told:
            return
        self._told.add(key)
        self._on_quirk(key, SENTENCES[key].format(*about))
