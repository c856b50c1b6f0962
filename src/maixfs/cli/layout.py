"""Options that say what a new file system looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from maixfs.cli.numbers import SIZE, make_geometry

if TYPE_CHECKING:
    from maixfs.image.image import Image
    from maixfs.spiffs import Geometry

PRESETS = ("maixpy", "esp-idf", "esp8266")
"""Names of the geometries that need no numbers (a test holds them to the library's)."""
DEFAULT_FLASH = 0x1000000
"""Size of the flash that these boards carry, 16 MiB."""

_SIZES = {
    "size": "Size of the file system's area.",
    "base": "Address of the area in a whole flash.",
    "block_size": "Size of a logical block.",
    "page_size": "Size of a logical page.",
    "erase_size": "Size of an erase unit of the chip.",
    "name_length": "Bytes of the name field, its closing zero included.",
    "meta_length": "Bytes of meta data beside each name.",
}
_SWITCHES = {
    "use_magic": ("--magic", "Whether blocks carry a magic."),
    "use_magic_length": ("--magic-length", "Whether the magic depends on the size."),
    "aligned_tables": ("--aligned-tables", "Whether index tables start at an even offset."),
}


class NewLayout(NamedTuple):
    """What the user says about a file system that is to be made."""

    preset: str | None
    like: str | None
    changes: dict[str, int]
    """Fields of ``Geometry`` that were given."""
    whole_flash: bool
    flash_size: int | None

    @property
    def is_given(self) -> bool:
        """Whether the user said anything at all."""
        return bool(self.preset or self.like or self.changes)

    def resolve(self) -> tuple[Geometry, int | None]:
        """Return the geometry, and the size of the whole flash where one is to be made.

        Raises ``GeometryError``, and what ``open_image`` does for ``--like``.
        """
        if self.like is None:
            geometry, size = make_geometry(self.preset or "maixpy", self.changes), DEFAULT_FLASH
        else:
            geometry, size = self._resolve_like(self.like)
        return geometry, self.flash_size or (size if self.whole_flash else None)

    def _resolve_like(self, like: str) -> tuple[Geometry, int]:
        from dataclasses import replace

        from maixfs.image.entries import Kind

        with self._open_like(like) as target:
            bare = target.kind is Kind.SPIFFS_IMAGE
            geometry = replace(target.spiffs.geometry, **self.changes)  # type: ignore[arg-type]
            return geometry, DEFAULT_FLASH if bare else target.size

    def _open_like(self, like: str) -> Image:
        """Open the example; of several file systems in it the one at ``--base`` is meant."""
        from maixfs.image.errors import AmbiguousError
        from maixfs.image.opening import open_image

        try:
            return open_image(like)
        except AmbiguousError:
            if "base" not in self.changes:
                raise
            return open_image(like, base=self.changes["base"])


def layout_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb ``--preset``, ``--like``, one option per field and those for a whole flash.

    Hands it a ``NewLayout`` as ``layout``.
    """

    def call(*arguments: Any, **named: Any) -> Any:
        given = {name: named.pop(name) for name in (*_SIZES, *_SWITCHES)}
        changes = {name: value for name, value in given.items() if value is not None}
        rest = {name: named.pop(name) for name in ("preset", "like", "whole_flash", "flash_size")}
        if rest["preset"] and rest["like"]:
            raise click.UsageError("--preset and --like: one of them says the geometry")
        return function(*arguments, layout=NewLayout(changes=changes, **rest), **named)

    made: Callable[..., Any] = update_wrapper(call, function)
    for option in reversed([*_source_options(), *_field_options(), *_flash_options()]):
        made = option(made)
    return made


def _source_options() -> Iterator[Callable[..., Any]]:
    yield click.option(
        "--preset",
        type=click.Choice(PRESETS),
        metavar="PRESET",
        help="Geometry of maixpy (the default), esp-idf or esp8266; the options below change it.",
    )
    yield click.option("--like", metavar="TARGET", help="Take the geometry of another target.")


def _field_options() -> Iterator[Callable[..., Any]]:
    for name, about in _SIZES.items():
        option = f"--{name.replace('_', '-')}"
        yield click.option(option, type=SIZE, metavar="BYTES", help=about)
    for name, (option, about) in _SWITCHES.items():
        yield click.option(option, name, type=click.BOOL, metavar="YES|NO", help=about)


def _flash_options() -> Iterator[Callable[..., Any]]:
    yield click.option(
        "--whole-flash", is_flag=True, help="Make a whole flash that holds it, blank elsewhere."
    )
    yield click.option(
        "--flash-size",
        type=SIZE,
        metavar="BYTES",
        help="Size of the whole flash (default: as --like, or 16 MiB).",
    )
