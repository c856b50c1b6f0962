"""Arguments that name a flash image, a part or a byte of it, and opening what they name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.options import PlaceType, parse_size
from maixfs.cli.screen import Screen, hex_text
from maixfs.errors import UsageError
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.explain.fields import FieldSource
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Where
    from maixfs.image.source import Source


class ImagePlace(NamedTuple):
    """An image on the host, and a place in it."""

    host: Path
    address: int | None = None
    """The number after ``@``, ``None`` without one."""
    path: str | None = None
    """The path after the colon, of a file in a file system."""

    def __str__(self) -> str:
        if self.path is not None:
            return f"{self.host}:{self.path}"
        at = "" if self.address is None else f"@{hex_text(self.address)}"
        return f"{self.host}{at}"


class ImageType(PlaceType):
    """``IMG``, ``IMG@ADDRESS`` or ``IMG:PATH``."""

    name = "image"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse ``IMG``, ``IMG@ADDRESS`` or ``IMG:PATH``."""
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
    """The bytes of an image, read-only."""

    view: memoryview
    source: Source

    @property
    def is_board(self) -> bool:
        """Whether it is a virtual board's flash."""
        return self.source.config is not None

    def wear(self) -> tuple[int, ...] | None:
        """Return a board's erase counts by sector, ``None`` for an image."""
        from maixfs.image.media import read_wear

        return read_wear(self.source, len(self.view))


@contextmanager
def opened_image(screen: Screen, host: Path) -> Iterator[RawImage]:
    """Map an image for reading; print a note if a running board may change it.

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
        screen.note(f"{host} is powered on{who}: its contents may change")
        yield RawImage(memoryview(read_file(source.file)), source)
        return
    file = MappedFile(source.file, read_only=True)
    try:
        yield RawImage(file.cells, source)
    finally:
        file.close()


def refuse_card(host: Path) -> None:
    """Raise ``UsageError`` for a card."""
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Where
    from maixfs.image.opening import is_card

    if is_card(TargetPath(host), Where()):
        raise UsageError(
            f"{host} is a card, or larger than any flash chip", hint=f"maixfs sd info {host}"
        )


class AddressType(click.ParamType):  # type: ignore[type-arg]
    """``0xD00000``, ``page:37``, ``file:/main.py@100``, ..."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse an address."""
        from maixfs.explain.fields import Address, parse_address

        return value if isinstance(value, Address) else parse_address(str(value))


ADDRESS = AddressType()


@contextmanager
def opened_fields(screen: Screen, place: TargetPath, where: Where) -> Iterator[FieldSource]:
    """Open a flash image, a board's flash, a SPIFFS image or a card, and decode its fields."""
    from maixfs.image.opening import is_card

    if is_card(place, where):
        from maixfs.cli.targets import opened
        from maixfs.explain.card import CardFields

        with opened(screen, place.whole, where) as target:
            yield CardFields(target)
        return
    from maixfs.explain.flash import FlashFields
    from maixfs.image.opening import fit_geometry
    from maixfs.image.parts import Parts

    with opened_image(screen, place.host) as raw:
        config = raw.source.config
        geometry = where.geometry or (config.geometry if config else None)
        if geometry is not None:
            geometry = fit_geometry(geometry, len(raw.view), place.host, where.base)
        fields = FlashFields(Parts(raw.view), geometry, base=where.base)
        yield fields
        fields.close()
