r"""Names as they lie on flash, and paths as a person reads and types them.

SPIFFS knows names of bytes, not folders. A path shows them so that each can be given back:
bytes that are no UTF-8, that do not print, and the backslash are ``\xNN``; so is a slash that
divides nothing (``//a`` is ``/\x2fa``). Where power loss left two headers of one name, the later
one is called ``name\pPAGE`` after the page of its header.
"""

from __future__ import annotations

import re
from functools import lru_cache

from maixfs.errors import Command, UsageError
from maixfs.image.errors import MissingError, TargetError
from maixfs.tuples import NamedTuple

_ESCAPE = rb"\\x([0-9a-fA-F]{2})"
_PAGE = r"\\p(\d{1,5})\Z"
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
    if b"\\" not in raw:
        return raw
    return re.sub(_ESCAPE, lambda found: bytes((int(found[1], 16),)), raw)


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
    found = re.search(_PAGE, path) if "\\" in path else None
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


_FLASH = "flash"
_CARD = "sd"
_PARTITIONS = (("sd2",), ("sd3",), ("sd4",))


class Mount:
    """The place where paths of a file system begin: ``/flash``, ``/sd``; ``/`` in a bare image.

    ``alias`` is the board's name for what is mounted at ``/``.
    """

    def __init__(self, parts: Parts, alias: str = _FLASH) -> None:
        self.parts = parts
        self._alias = alias

    @property
    def point(self) -> str:
        """The mount point as a path."""
        return "/" + "/".join(self.parts)

    def absolute(self, path: str | None) -> Steps:
        """Return the steps of a path; a relative one starts at the mount point.

        What a board calls it (``/flash/...``) is understood in a bare image as well.
        """
        text = path or ""
        if not text.startswith("/"):
            text = f"{self.point.rstrip('/')}/{text}"
        return steps_of(text)

    def without_alias(self, steps: Steps) -> Steps:
        """Return the steps in a bare image of a path that was meant for a board."""
        if not self.parts and steps.parts[:1] == (self._alias,):
            return steps._replace(parts=steps.parts[1:])
        return steps

    def inside(self, path: str, steps: Steps) -> Parts:
        """Return the parts below the mount point of a file that is to be written to ``path``.

        ``steps`` are those of ``path``. Raises ``UsageError`` where no file can be there.
        """
        inside = steps.parts[len(self.parts) :]
        if steps.parts[: len(self.parts)] != self.parts or not inside:
            raise self.elsewhere(steps, writing=True)
        if path.endswith("/"):
            raise UsageError(f"{path} is the name of a folder", hint="leave the last slash out")
        return inside

    def elsewhere(self, steps: Steps, *, writing: bool = False) -> TargetError | UsageError:
        """Return the error for a path outside of the file system, or for its root."""
        path = "/" + "/".join(steps.parts)
        if steps.parts[: len(self.parts)] == self.parts:
            return UsageError(f"{path} is no file", hint=f"name one: {self._example()}")
        if steps.parts[:1] == (_CARD,) and self.parts:
            return MissingError(f"{path}: there is no card in this board")
        if writing and len(steps.parts) <= 1:
            return UsageError(
                f"{path}: nothing can be written to /, which only lists what is mounted",
                hint=f"write to {self.point}: {self._example(*steps.parts)}",
            )
        if steps.parts[:1] in _PARTITIONS and self.parts:
            return MissingError(
                f"{path}: the card has nothing for a board to mount there, or there is no card",
                fix=(Command("sd info", ("BOARD",)),),
            )
        return MissingError(
            f"{path}: nothing is mounted there", hint=f"paths start with {self.point}"
        )

    def _example(self, name: str = "main.py") -> str:
        return f"{self.point.rstrip('/')}/{name}"

    def label(self, stored: bytes) -> str:
        """Return the path of a stored name, for messages."""
        return "/" + "/".join(self.parts + parts_of(stored))
