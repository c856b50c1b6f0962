"""``maixfs sd new``: a card image with partitions and FAT."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.numbers import SIZE
from maixfs.cli.options import bytes_option, force_option, json_option
from maixfs.cli.screen import Screen, Text
from maixfs.cli.sd.card import CARD, held_output
from maixfs.cli.sd.catalogue import sd_verb
from maixfs.cli.sd.wishes import PARTITIONS
from maixfs.cli.wording import unit_text

if TYPE_CHECKING:
    from maixfs.cards.make import NewCard, NewPartition, PartitionWish

LAYOUTS = ("mkfs.fat", "fatfs")
ALIGNMENTS = ("1MiB", "sda")


@sd_verb(
    "new",
    ("maixfs sd new 8G card.img", "One FAT32 partition over the whole card."),
    (
        "maixfs sd new 64M card.img --partitions 40M:label=BOOT,rest:fat16",
        "Two partitions, the second with FAT16.",
    ),
)
@click.argument("size", type=SIZE)
@click.argument("image", metavar="OUT", type=CARD)
@click.option(
    "--partitions",
    type=PARTITIONS,
    metavar="LIST",
    default="rest",
    help="One to four of SIZE[:WORD...] with commas between. SIZE is as 512M, 25% or rest; WORD is"
    " fat32, fat16, fat12, label=TEXT or cluster=BYTES.",
)
@click.option("--label", default="", metavar="TEXT", help="Label of the first partition.")
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default=LAYOUTS[0],
    metavar="LAYOUT",
    help="Clusters and FATs as mkfs.fat makes them (default), or as the board (fatfs).",
)
@click.option(
    "--align",
    type=click.Choice(ALIGNMENTS),
    default=ALIGNMENTS[0],
    metavar="UNIT",
    help="Partitions start at multiples of 1MiB (default), or as the SD Association says (sda).",
)
@click.option(
    "--serial",
    type=SIZE,
    metavar="NUMBER",
    help="Number of the disk: with it, always the same bytes.",
)
@click.option(
    "--superfloppy", is_flag=True, help="No partition table: a board does not mount that itself."
)
@force_option
@bytes_option
@json_option
def new_verb(
    screen: Screen,
    size: int,
    image: Path,
    partitions: tuple[PartitionWish, ...],
    label: str,
    superfloppy: bool,
    **options: Any,
) -> None:
    """SIZE is as 8G or 0x400000, OUT the image to make. It is sparse: it takes the room of what
    is written to it. FAT32 is made where there is room for it (34 MiB), else FAT16 or FAT12.
    """
    from maixfs.cards.make import new_card

    if label:
        partitions = (partitions[0]._replace(label=label), *partitions[1:])
    with held_output(image):
        card = new_card(image, size, partitions, superfloppy=superfloppy, **options)
    if screen.json:
        screen.emit(_as_json(image, card))
        return
    _draw(screen, image, card)
    if superfloppy:
        screen.note("a board does not mount a card without a partition table when it starts")


def _draw(screen: Screen, image: Path, card: NewCard) -> None:
    screen.line(
        "made ", Text(str(image), "heading"), f": card of {screen.size(card.sectors * 512)}"
    )
    for part in card.partitions:
        place = f"partition {part.number}" if part.number else "the card"
        label = f", label {part.label}" if part.label else ""
        screen.line(
            f"  {place}: FAT{part.volume.fat_type}, {screen.size(part.sectors * 512)} from sector"
            f" {part.start:#x}, clusters of {unit_text(part.volume.cluster_size)}{label}"
        )
    screen.line("  ", Text("next:", "hint"), f" maixfs cp -r FOLDER/. {image}:/")


def _as_json(image: Path, card: NewCard) -> dict[str, Any]:
    return {
        "card": str(image),
        "sectors": card.sectors,
        "partitions": [_part_json(part) for part in card.partitions],
    }


def _part_json(part: NewPartition) -> dict[str, Any]:
    volume = part.volume
    return {
        "number": part.number,
        "type": part.type,
        "start": part.start,
        "sectors": part.sectors,
        "label": part.label,
        "fat_type": volume.fat_type,
        "cluster_size": volume.cluster_size,
        "clusters": volume.clusters,
        "serial": volume.serial,
    }
