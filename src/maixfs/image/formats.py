"""The registry of file systems that are only read: one line adds one.

SPIFFS and FAT, which boards write, are opened by ``image.opening``. Any other format is a package
with two functions, both of which take ``read(offset, length) -> bytes`` and the size in bytes: a
probe that returns what it is, in a few words, or ``None``; and what opens it as a ``FileSystem``.
Nothing is imported until a magic matches.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.filesystem import FileSystem

Read: TypeAlias = Callable[[int, int], bytes]
"""Called with offset and length; returns fewer bytes where the medium ends."""


class Format(NamedTuple):
    """A file system; the functions are named ``module:function``."""

    name: str
    magic: tuple[int, bytes]
    """Offset and bytes that must be there before anything is imported."""
    probe: str
    """``(read, size) -> str | None``: what it is, in a few words."""
    open: str
    """``(read, size) -> FileSystem``; raises ``FileSystemError`` or ``ImageError``."""

    def opened(self, read: Read, size: int) -> FileSystem[Any]:
        """Mount what lies in ``size`` bytes."""
        fs: FileSystem[Any] = _function(self.open)(read, size)
        return fs


class Match(NamedTuple):
    """A format that was recognised."""

    format: Format
    description: str


FORMATS: tuple[Format, ...] = ()
"""Every file system but SPIFFS and FAT, in the order in which they are asked."""


def find_format(read: Read, size: int) -> Match | None:
    """Return the file system that begins at offset 0, ``None`` where none is known."""
    for each in FORMATS:
        offset, magic = each.magic
        # The magic alone decides about the import, so that start-up does not pay for formats that
        # are not there.
        if size >= offset + len(magic) and read(offset, len(magic)) == magic:
            description: str | None = _function(each.probe)(read, size)
            if description is not None:
                return Match(each, description)
    return None


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
