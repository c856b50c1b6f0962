"""The fields of a target's bytes, for the verbs hex and explain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.screen import Screen

if TYPE_CHECKING:
    from maixfs.explain import FieldSource
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Where


class AddressType(click.ParamType):  # type: ignore[type-arg]
    """``0xD00000``, ``page:37``, ``file:/main.py@100``, ..."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the ``Address`` that a text means."""
        from maixfs.explain import Address, parse_address

        return value if isinstance(value, Address) else parse_address(str(value))


ADDRESS = AddressType()


@contextmanager
def opened_fields(screen: Screen, place: TargetPath, where: Where) -> Iterator[FieldSource]:
    """Open a flash image, a board's flash, a SPIFFS image or a card to look at its fields."""
    from maixfs.image.opening import is_card

    if is_card(place, where):
        from maixfs.cli.targets import opened
        from maixfs.explain import CardFields

        with opened(screen, place.whole, where) as target:
            yield CardFields(target)
        return
    from maixfs.cli.flash.image import opened_image
    from maixfs.explain import FlashFields
    from maixfs.image.flash import FlashImage
    from maixfs.image.spiffs.probe import fit_geometry

    with opened_image(screen, place.host) as raw:
        config = raw.source.config
        geometry = where.geometry or (config.geometry if config else None)
        if geometry is not None:
            geometry = fit_geometry(geometry, len(raw.view), place.host, where.base)
        fields = FlashFields(FlashImage(raw.view), geometry, base=where.base)
        yield fields
        fields.close()
