"""The argument ``IMG[@ADDRESS]``: the bytes of a flash image, a board's flash or a single part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from maixfs.cli.numbers import parse_size
from maixfs.cli.place import PlaceType
from maixfs.cli.screen import Screen
from maixfs.cli.wording import hex_text
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from maixfs.image.source import Source


class ImagePlace(NamedTuple):
    """An image on the host and what is meant in it."""

    host: Path
    address: int | None = None
    """Behind the ``@``; ``None`` where nothing was said."""
    path: str | None = None
    """Of a file in its file system, behind the colon."""

    def __str__(self) -> str:
        if self.path is not None:
            return f"{self.host}:{self.path}"
        at = "" if self.address is None else f"@{hex_text(self.address)}"
        return f"{self.host}{at}"


class ImageType(PlaceType):
    """``IMG``, ``IMG@ADDRESS`` or ``IMG:PATH``."""

    name = "image"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the ``ImagePlace`` that a text means."""
        text = super().convert(value, param, ctx)
        host, at, tail = text.rpartition("@")
        number = parse_size(tail) if at else None
        if number is not None and not Path(text).exists() and Path(host).exists():
            return ImagePlace(Path(host), number)
        from maixfs.image.address import parse_target

        place = parse_target(text)
        return ImagePlace(place.host, path=place.path or None)


IMAGE = ImageType()


class RawImage(NamedTuple):
    """The bytes of an image, for looking at."""

    view: memoryview
    source: Source

    @property
    def is_board(self) -> bool:
        """Whether it is a virtual board's flash."""
        return self.source.config is not None

    def wear(self) -> tuple[int, ...] | None:
        """Return the erases per sector that were counted beside a board's flash."""
        from maixfs.image.media import read_wear

        return read_wear(self.source, len(self.view))


@contextmanager
def opened_image(screen: Screen, host: Path) -> Iterator[RawImage]:
    """Map an image for reading; says so where a running board may be changing it.

    Raises ``UsageError`` for a card, ``DeviceError`` for a file that cannot be read.
    """
    from maixfs.host.files import read_file
    from maixfs.host.mapped import MappedFile
    from maixfs.image.source import board_holder, find_source

    refuse_card(host)
    source = find_source(host, writable=False)
    holder = None if source.folder is None else board_holder(source.folder)
    if holder is not None:
        who = f" by process {holder}" if holder else ""
        screen.note(f"{host} is powered on{who}: this is how it is at this moment")
        yield RawImage(memoryview(read_file(source.file)), source)
        return
    file = MappedFile(source.file, read_only=True)
    try:
        yield RawImage(file.cells, source)
    finally:
        file.close()


def refuse_card(host: Path) -> None:
    """Raise ``UsageError`` for a card: this is about flash."""
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Where
    from maixfs.image.opening import is_card

    if is_card(TargetPath(host), Where()):
        raise UsageError(
            f"{host} is a card, or larger than any flash", hint=f"maixfs sd info {host}"
        )


def range_text(start: int, end: int) -> str:
    """Return a range of addresses as ``0x300000-0x4D2000``."""
    return f"{hex_text(start)}-{hex_text(end)}"
