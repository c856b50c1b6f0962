"""What is found in an image."""

from __future__ import annotations

from typing import NamedTuple

FIRMWARE = "firmware"
KBOOT_STAGE = "kboot stage"
BOOT_CONFIG = "boot config"
MODEL = "model"
SPIFFS = "spiffs"
ERASED = "erased"
ZERO = "zero"
UNKNOWN = "unknown"
BLANK_KINDS = frozenset({ERASED, ZERO})


class Found(NamedTuple):
    """A range of an image and what it turned out to be; sizes in bytes."""

    kind: str
    """``firmware``, ``kboot stage``, ``boot config``, ``model``, ``spiffs``, ``erased``,
    ``zero`` or ``unknown``."""
    start: int
    size: int
    what: object
    """The ``Firmware``, ``BootConfig``, ``Model`` or ``Detection``; ``None`` for the others."""
    detail: str
    """A few words for a person."""
    entropy: float | None = None
    """Bits per byte of what is unknown, 0 to 8; ``None`` where the kind says it all."""

    @property
    def end(self) -> int:
        """Address behind the last byte."""
        return self.start + self.size

    def __str__(self) -> str:
        return f"{self.kind} at {self.start:#x}-{self.end:#x}"


class Overlap(NamedTuple):
    """Two owners of the same bytes, found parts or regions of the layout."""

    first: str
    """The part that begins first, or is not where it should be."""
    second: str
    start: int
    """First of the bytes that both claim."""
    size: int
    message: str

    @property
    def end(self) -> int:
        """Address behind the last of these bytes."""
        return self.start + self.size
