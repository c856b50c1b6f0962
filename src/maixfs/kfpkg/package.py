"""What a package is: an archive with a list of what goes where in the flash."""

from __future__ import annotations

from typing import NamedTuple

from maixfs.firmware import wrap
from maixfs.firmware.container import WRAPPER_SIZE
from maixfs.kmodel import reverse_words

LIST_NAME = "flash-list.json"
VERSION = "0.1.0"
"""The version of the list that every flasher knows."""
WORD = 4


class Part(NamedTuple):
    """A file of a package and its place in the flash."""

    address: int
    name: str
    """As the list has it, folders included."""
    data: bytes
    """As it lies in the package."""
    sha256_prefix: bool
    """Whether the flasher puts header and hash around it, as the chip's ROM wants them."""
    reverse4: bool = False
    """Whether Kendryte's flasher reverses the bytes of each word."""
    swap: bool = False
    """Whether LoBo's ktool does so."""
    extra: tuple[tuple[str, str], ...] = ()
    """Other keys of the list and their values, as JSON."""

    @property
    def is_reversed(self) -> bool:
        """Whether a flasher that looks at such keys reverses the bytes of each word."""
        return self.reverse4 or self.swap

    @property
    def size(self) -> int:
        """Bytes that it takes in the flash, with header and hash."""
        size = len(self.data) + (WRAPPER_SIZE if self.sha256_prefix else 0)
        return size + -size % WORD if self.is_reversed else size

    def landed(self, *, dio: bool = False) -> bytes:
        """Return the bytes as they come to lie in the flash.

        ``dio`` is a flag that some flashers set in the header. Raises ``FirmwareError`` for data
        that cannot be a firmware's.
        """
        data = wrap(self.data, dio=dio) if self.sha256_prefix else self.data
        return reverse_words(data) if self.is_reversed else data


class Package(NamedTuple):
    """A package that was read; the parts in the order in which they are written."""

    version: str
    """As the list has it; empty where it has none."""
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    """What is out of the ordinary and was understood nevertheless, a sentence each."""
