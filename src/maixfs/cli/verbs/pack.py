"""``maixfs pack``: a folder becomes an image, of a SPIFFS or of a card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.cardshape import CardOptions, card_options, is_card_name
from maixfs.cli.layout import NewLayout, layout_options
from maixfs.cli.options import bytes_option, follow_option, force_option, json_option
from maixfs.cli.place import WHOLE
from maixfs.cli.progress import Progress
from maixfs.cli.proof import draw_proof
from maixfs.cli.screen import Screen
from maixfs.cli.verb import verb
from maixfs.cli.wording import count_text
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from maixfs.transfer.packing import Packed, PackedCard


@verb(
    "pack",
    ("maixfs pack data -o fs.img", "An image for address 0xD00000 of a MaixPy board."),
    ("maixfs pack data -o card.img", "A card with a partition that holds them."),
)
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False))
@click.option(
    "-o", "--output", metavar="IMG", required=True, type=WHOLE, help="The image to make."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["spiffs", "card"]),
    metavar="FORMAT",
    help="spiffs or card (default: card where the name of IMG speaks of one).",
)
@layout_options
@click.option(
    "--spare-blocks",
    type=click.IntRange(min=0),
    default=2,
    metavar="COUNT",
    help="Blocks that stay empty (default: 2; with fewer the board cannot write).",
)
@card_options
@click.option("--keep-times", is_flag=True, help="Card: files keep the times that they have here.")
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
    """The same files give the same bytes. On a SPIFFS they are laid out page by page, so that they
    fit where copying one by one would not; SPIFFS has no folders: those in DIR become parts of
    names.

    A card is as large as --size says, or the smallest of 64, 128, 256, ... MiB that holds them.
    All its times are 1980-01-01, or SOURCE_DATE_EPOCH, unless they are kept.
    """
    as_card = is_card_name(output) if kind is None else kind == "card"
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
                raise UsageError("a SPIFFS has no clusters, label or times", hint="--format card")
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
