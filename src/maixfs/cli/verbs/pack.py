"""``maixfs mkfs`` and ``maixfs pack``: new images, and the options that describe them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import update_wrapper
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.options import (
    PRESET,
    SIZE,
    WHOLE,
    HostPath,
    bytes_option,
    follow_option,
    force_option,
    json_option,
    make_geometry,
)
from maixfs.cli.proof import draw_proof, draw_written, written_json
from maixfs.cli.screen import Progress, Screen, count_text
from maixfs.cli.targets import drive_option
from maixfs.cli.verb import verb
from maixfs.errors import UsageError
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.image.entries import Written
    from maixfs.image.image import Image
    from maixfs.spiffs import Geometry
    from maixfs.transfer.packing import CardShape, Packed, PackedCard


DEFAULT_FLASH = 0x1000000
"""Size of the flash that these boards carry, 16 MiB."""

_SIZES = {
    "size": "Size of the file system.",
    "base": "Address of the file system in a flash.",
    "block_size": "Size of a logical block.",
    "page_size": "Size of a logical page.",
    "erase_size": "Size of an erase unit of the chip.",
    "name_length": "Size of the name field, including the final zero.",
    "meta_length": "Size of the metadata of each file.",
}
_SWITCHES = {
    "use_magic": ("--magic", "Whether blocks have a magic."),
    "use_magic_length": ("--magic-length", "Whether the magic depends on the size."),
    "aligned_tables": ("--aligned-tables", "Whether index tables start at an even offset."),
}


class NewLayout(NamedTuple):
    """The options for a new SPIFFS."""

    preset: str | None
    like: str | None
    changes: dict[str, int]
    """Fields of ``Geometry`` with their values."""
    whole_flash: bool
    flash_size: int | None

    @property
    def is_given(self) -> bool:
        """Whether any of the options was used."""
        return bool(self.preset or self.like or self.changes)

    def resolve(self) -> tuple[Geometry, int | None]:
        """Return the geometry, and the size of the flash if a whole one is to be made.

        Raises ``GeometryError``, and what ``open_mounted`` does for ``--like``.
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
        """Open the target of ``--like``; ``--base`` selects one of several file systems."""
        from maixfs.image.errors import AmbiguousError
        from maixfs.image.opening import open_mounted

        try:
            return open_mounted(like)
        except AmbiguousError:
            if "base" not in self.changes:
                raise
            return open_mounted(like, base=self.changes["base"])


def layout_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb ``--preset``, ``--like``, one option per field and those for a whole flash.

    Hands it a ``NewLayout`` as ``layout``.
    """

    def call(*arguments: Any, **named: Any) -> Any:
        given = {name: named.pop(name) for name in (*_SIZES, *_SWITCHES)}
        changes = {name: value for name, value in given.items() if value is not None}
        rest = {name: named.pop(name) for name in ("preset", "like", "whole_flash", "flash_size")}
        if rest["preset"] and rest["like"]:
            raise click.UsageError("--preset and --like are mutually exclusive")
        return function(*arguments, layout=NewLayout(changes=changes, **rest), **named)

    command: Callable[..., Any] = update_wrapper(call, function)
    for option in reversed([*_source_options(), *_field_options(), *_flash_options()]):
        command = option(command)
    return command


def _source_options() -> Iterator[Callable[..., Any]]:
    yield click.option(
        "--preset",
        type=PRESET,
        metavar="PRESET",
        help="Geometry with a name (default: maixpy); the options below change it.",
    )
    yield click.option("--like", metavar="TARGET", help="Use the geometry of another target.")


def _field_options() -> Iterator[Callable[..., Any]]:
    for name, about in _SIZES.items():
        option = f"--{name.replace('_', '-')}"
        yield click.option(option, type=SIZE, metavar="BYTES", help=about)
    for name, (option, about) in _SWITCHES.items():
        yield click.option(option, name, type=click.BOOL, metavar="YES|NO", help=about)


def _flash_options() -> Iterator[Callable[..., Any]]:
    yield click.option(
        "--whole-flash", is_flag=True, help="Make a whole flash, erased outside the file system."
    )
    yield click.option(
        "--flash-size",
        type=SIZE,
        metavar="BYTES",
        help="Size of the whole flash (default: as --like, or 16 MiB).",
    )


_LIKE_A_CARD = re.compile(r"(^|[^a-z])(sd|card|sdcard)([^a-z]|$)")
_SHARED = frozenset(("size",))
"""Options of a SPIFFS that a card has as well."""


class CardOptions(NamedTuple):
    """The options for a new FAT volume."""

    fat_type: int | None
    cluster_size: int | None
    label: str

    @property
    def is_given(self) -> bool:
        """Whether any of the options was used."""
        return bool(self.fat_type or self.cluster_size or self.label)

    def shape(self, layout: NewLayout) -> CardShape:
        """Return the shape of the card; raise ``UsageError`` for options of SPIFFS."""
        from maixfs.transfer.packing import CardShape

        foreign = {*layout.changes} - _SHARED
        if layout.preset or layout.like or layout.whole_flash or layout.flash_size or foreign:
            raise UsageError(
                "the geometry of SPIFFS does not apply to a card",
                hint="use only --size, --fat, --cluster-size and --label",
            )
        size = layout.changes.get("size")
        return CardShape(size, self.fat_type, self.cluster_size, self.label)


def card_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb ``--fat``, ``--cluster-size`` and ``--label``; hands it ``card``."""

    def call(*arguments: Any, **named: Any) -> Any:
        fat_type = named.pop("fat_type")
        card = CardOptions(
            int(fat_type) if fat_type else None, named.pop("cluster_size"), named.pop("label")
        )
        return function(*arguments, card=card, **named)

    command: Callable[..., Any] = update_wrapper(call, function)
    for option in (
        click.option("--label", default="", metavar="TEXT", help="Card: label of the volume."),
        click.option(
            "--cluster-size", type=SIZE, metavar="BYTES", help="Card: size of a cluster."
        ),
        click.option(
            "--fat",
            "fat_type",
            type=click.Choice(["32", "16", "12"]),
            metavar="BITS",
            help="Card: 32, 16 or 12 (default: 32 if the size allows).",
        ),
    ):
        command = option(command)
    return command


def is_card_name(path: str) -> bool:
    """Return True if a file has the name of a card: ``card.img``, ``my-sd.bin``."""
    return _LIKE_A_CARD.search(PurePath(path).stem.lower()) is not None


@verb(
    "mkfs",
    ("maixfs mkfs empty.img", "Make an image of MaixPy's file system (3 MiB)."),
    ("maixfs mkfs card.img@2 --label DATA --force", "Format the second partition of a card."),
)
@click.argument("image", metavar="IMG", type=WHOLE)
@layout_options
@card_options
@drive_option
@force_option
@bytes_option
@json_option
def mkfs(
    screen: Screen, image: str, layout: NewLayout, card: CardOptions, drive: bool, force: bool
) -> None:
    """IMG is a new image of a SPIFFS. If IMG is a board or an image of a flash, the file system is
    made in it and everything else stays. IMG@2 is the second partition of a card; maixfs sd new
    makes cards.

    A file system with files is only overwritten with --force.
    """
    from maixfs.image.address import parse_target

    place = parse_target(image)
    with Progress(screen, rates=place.slot is not None) as progress:
        if place.slot is not None:
            from maixfs.transfer.formatting import format_partition

            written = format_partition(
                place, card.shape(layout), force=force, drives=drive, progress=progress
            )
        else:
            # Formatting a whole card as SPIFFS would destroy its partition table.
            if card.is_given or _is_card(place.host):
                raise UsageError(
                    f"{place.host} is a whole card: name a partition"
                    if _is_card(place.host)
                    else "SPIFFS has neither clusters nor a label",
                    hint=f"maixfs mkfs {place.host}@1 makes a volume in its first partition,"
                    " maixfs sd new makes a card",
                )
            written = _make_spiffs(place.host, layout, force, progress)
    if screen.json:
        screen.emit({"written": written_json([written]), "changed": written.changed})
    else:
        draw_written(screen, [written])


def _make_spiffs(place: Path, layout: NewLayout, force: bool, progress: Progress) -> Written:
    from maixfs.transfer.formatting import make_image

    geometry, flash_size = layout.resolve()
    # The geometry of a board is in board.toml: formatting must not need it again.
    if not layout.is_given and place.is_dir():
        from maixfs.image.boardconfig import BoardConfig

        geometry = BoardConfig.load(place).geometry
    return make_image(place, geometry, flash_size=flash_size, force=force, progress=progress)


def _is_card(place: Path) -> bool:
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Where
    from maixfs.image.opening import is_card

    return place.exists() and is_card(TargetPath(place), Where())


@verb(
    "pack",
    ("maixfs pack data -o fs.img", "Make an image for address 0xD00000 of a MaixPy board."),
    ("maixfs pack data -o card.img", "Make a card with the files in its partition."),
)
@click.argument("folder", metavar="DIR", type=HostPath(must_exist=True, file_okay=False))
@click.option(
    "-o", "--output", metavar="IMG", required=True, type=WHOLE, help="The image to make."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["spiffs", "card"]),
    metavar="FORMAT",
    help="spiffs or card (default: card for a name like card.img).",
)
@layout_options
@click.option(
    "--spare-blocks",
    type=click.IntRange(min=0),
    default=2,
    metavar="COUNT",
    help="Blocks that stay empty (default: 2; a board cannot write with fewer).",
)
@card_options
@click.option("--keep-times", is_flag=True, help="Card: keep the times of the files.")
@follow_option
@force_option
@bytes_option
@json_option
def pack(
    screen: Screen,
    folder: str,
    output: str,
    kind: str | None,
    layout: NewLayout,
    spare_blocks: int,
    card: CardOptions,
    keep_times: bool,
    follow_links: bool,
    force: bool,
) -> None:
    """The same files give the same bytes. SPIFFS has no folders: those in DIR become parts of the
    names. Files are laid out page by page, so that more fit than can be copied one by one.

    A card has the smallest size of 64, 128, 256, ... MiB that holds the files, unless --size is
    used. Times are 1980-01-01 or SOURCE_DATE_EPOCH, unless --keep-times is used.
    """
    as_card = is_card_name(output) if kind is None else kind == "card"
    # Options that only SPIFFS has say more than the name of the file.
    if kind is None and layout.is_given and not set(layout.changes) <= {"size"}:
        as_card = False
    options = {"follow_links": follow_links, "force": force}
    with Progress(screen, rates=as_card) as progress:
        packed: Packed | PackedCard
        if as_card:
            from maixfs.transfer.packing import pack_card

            shape = card.shape(layout)
            packed = pack_card(
                Path(folder), Path(output), shape,
                keep_times=keep_times, progress=progress, **options,
            )  # fmt: skip
        else:
            from maixfs.transfer.packing import pack_folder

            if card.is_given or keep_times:
                raise UsageError(
                    "SPIFFS has no clusters, label or times", hint="--format card makes a card"
                )
            geometry, flash_size = layout.resolve()
            packed = pack_folder(
                Path(folder), Path(output), geometry,
                spare_blocks=spare_blocks, whole_flash=flash_size or False, progress=progress,
                **options,
            )  # fmt: skip
    for warning in packed.warnings:
        screen.note(warning)
    if screen.json:
        screen.emit(_as_json(packed))
        return
    files = _contents(packed)
    draw_proof(screen, packed.path, packed.size, packed.sha256, packed.changed, files)


def _contents(packed: Packed | PackedCard) -> str:
    from maixfs.transfer.packing import Packed

    files = count_text(packed.files, "file")
    if isinstance(packed, Packed):
        return f"{files} in {count_text(packed.pages, 'page')}"
    folders = f" and {count_text(packed.folders, 'folder')}" if packed.folders else ""
    return f"{packed.format}, {files}{folders} in {count_text(packed.clusters, 'cluster')}"


def _as_json(packed: Packed | PackedCard) -> dict[str, Any]:
    from maixfs.transfer.packing import Packed

    sha256 = packed.sha256 or None
    about: dict[str, Any] = {
        "written": {"path": packed.path, "size": packed.size, "sha256": sha256},
        "changed": packed.changed,
        "files": packed.files,
    }
    if isinstance(packed, Packed):
        return {**about, "pages": packed.pages, "warnings": packed.warnings}
    for name in ("format", "cluster_size", "folders", "clusters", "warnings"):
        about[name] = getattr(packed, name)
    return about
