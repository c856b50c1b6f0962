r"""Names as they lie on flash, and paths as a person reads and types them.

SPIFFS knows names of bytes, not folders. A path shows them so that each can be given back:
bytes that are no UTF-8, that do not print, and the backslash are ``\xNN``; so is a slash that
divides nothing (``//a`` is ``/\x2fa``). Where power loss left two headers of one name, the later
one is called ``name\pPAGE`` after the page of its header.
"""

from __future__ import annotations

import re
from functools import lru_cache

from maixfs.errors import UsageError
from maixfs.tuples import NamedTuple

_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")
_PAGE = re.compile(r"\\p(\d{1,5})\Z")
_DOTS = {".": r"\x2e", "..": r"\x2e\x2e"}
_NAMELESS = "(no name)"

Parts = tuple[str, ...]
"""A path, part by part from the root."""


def show(raw: bytes) -> str:
    """Return the bytes of a name for a person; ``parse`` gives them back."""
    text = raw.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(
        letter if letter.isprintable() and letter != "\\" else _escaped(letter) for letter in text
    )


def _escaped(letter: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))


def parse(text: str) -> bytes:
    r"""Return the bytes that a text means: UTF-8, with ``\xNN`` for a byte.

    Raises ``UsageError`` for text that has no bytes.
    """
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as reason:
        raise UsageError(f"{text!r} cannot be written as UTF-8") from reason
    return _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), raw)


def parts_of(stored: bytes) -> Parts:
    """Return the parts of a stored name's path; at least one, none of them empty."""
    parts: list[bytes] = []
    slashes = b""
    body = stored.removeprefix(b"/")
    for piece in body.split(b"/"):
        if piece:
            parts.append(slashes + piece)
            slashes = b""
        else:
            slashes += b"/"
    if not parts:  # nothing but slashes, or nothing
        return (component(body or stored) or _NAMELESS,)
    # Slashes at the end belong to the name, as in `a//`: SPIFFS compares bytes.
    parts[-1] += slashes
    return tuple(map(component, parts))


def component(raw: bytes) -> str:
    """Return one part of a path; what would lead elsewhere or divide is escaped."""
    shown = show(raw).replace("/", r"\x2f")
    return _DOTS.get(shown, shown)


class Steps(NamedTuple):
    """A path, step by step from the root; ``page`` where it asks for one header page."""

    parts: Parts
    page: int | None = None

    @property
    def stored(self) -> bytes:
        """The name under which the board would store it."""
        return b"/" + b"/".join(parse(part) for part in self.parts)


@lru_cache(maxsize=4096)
def steps_of(path: str) -> Steps:
    """Take a path apart: ``.``, ``..`` and doubled slashes go, escapes become canonical."""
    page = None
    found = _PAGE.search(path)
    if found:
        path, page = path[: found.start()], int(found[1])
    parts: list[str] = []
    for piece in path.split("/"):
        if piece == "..":
            del parts[-1:]
        elif piece not in ("", "."):
            parts.append(component(parse(piece)))
    return Steps(tuple(parts), page)


def too_long(shown: str, raw: bytes, room: int) -> UsageError:
    """Return the error for a name that is longer than ``room`` bytes."""
    return UsageError(
        f"{shown}: the name has {len(raw)} bytes, {room} fit",
        hint="the slash in front and folders count; letters outside of ASCII take 2 to 4",
    )
