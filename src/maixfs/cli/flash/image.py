"""Arguments that name a flash image, a part or a byte of it, and opening what they name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.options import PlaceType, parse_size
from maixfs.cli.screen import Progress, Screen, hex_text
from maixfs.errors import UsageError
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.explain.fields import FieldSource
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Where, Written
    from maixfs.image.image import Image


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
        # A file whose name ends in @NUMBER is taken by its name.
        if number is not None and not Path(text).exists() and Path(host).exists():
            return ImagePlace(Path(host), number)
        from maixfs.image.address import parse_target

        place = parse_target(text)
        return ImagePlace(place.host, path=place.path or None)


IMAGE = ImageType()


@contextmanager
def opened_image(screen: Screen, host: Path) -> Iterator[Image]:
    """Open a flash image for reading; print a note if a running board may change it.

    Raises ``UsageError`` for a card, ``DeviceError`` for a file that cannot be read.
    """
    with _opened_flash(host, "r") as image:
        if image.holder is not None:
            who = f" by process {image.holder}" if image.holder else ""
            screen.note(f"{host} is powered on{who}: its contents may change")
        yield image


@contextmanager
def edited_image(host: Path) -> Iterator[Image]:
    """Open a flash image or a board's flash for changing; raises ``UsageError`` for a card."""
    with _opened_flash(host, "r+") as image:
        yield image


@contextmanager
def _opened_flash(host: Path, mode: str) -> Iterator[Image]:
    from maixfs.image.opening import open_image

    with open_image(host, mode) as image:
        if not image.is_flash:
            raise UsageError(
                f"{host} is a card, or larger than any flash chip", hint=f"maixfs sd info {host}"
            )
        yield image


def read_flash(host: Path) -> bytes:
    """Return the bytes of a dump or a board's flash; raises ``TargetError`` for an empty file."""
    from maixfs.image.errors import TargetError

    with _opened_flash(host, "r") as image:
        if not image.size:
            raise TargetError(f"{host} is not a flash image: it is empty")
        return bytes(image.flash.image)


def commit_flash(image: Image, progress: Progress) -> Written:
    """Commit a flash; return its size and SHA-256, also where nothing was changed."""
    from hashlib import sha256

    from maixfs.image.entries import Written

    for written in image.commit(progress):
        return written
    # Nothing changed, so nothing was written; the proof is printed all the same.
    digest = sha256(image.flash.image).hexdigest()
    return Written(str(image.source.file), image.size, digest, False)


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

    with opened_image(screen, place.host) as image:
        geometry = where.geometry or (image.config.geometry if image.config else None)
        if geometry is not None:
            geometry = fit_geometry(geometry, image.size, place.host, where.base)
        fields = FlashFields(image.parts, geometry, base=where.base)
        yield fields
        fields.close()
