"""``maixfs sd new`` and ``maixfs sd fix``: card images with partitions and FAT."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.options import SIZE, bytes_option, force_option, json_option, parse_size
from maixfs.cli.screen import Progress, Screen, Text, count_text, unit_text
from maixfs.cli.sd.card import CARD, card_path, held, held_output
from maixfs.cli.verb import group, verb

if TYPE_CHECKING:
    from maixfs.cards.fix import Fixed
    from maixfs.cards.make import NewCard, NewPartition, PartitionRequest


ABOUT = """\
A CARD is an image of an SD card, or a drive of this computer with a card in it (/dev/sdb), to
which only the verb write writes. Other verbs reach the files on it: maixfs ls card.img:/
"""

sd = group(
    "sd",
    ABOUT,
    ("maixfs sd new 8G card.img", "Make a card of 8 GiB with one FAT32 partition."),
    ("maixfs sd doctor card.img", "Explain why a board does not mount it."),
)


_TYPES = {"fat32": 32, "fat16": 16, "fat12": 12}


class PartitionsType(click.ParamType):  # type: ignore[type-arg]
    """``SIZE[:WORD...],...``: sizes as ``512M``, ``25%``, ``rest``; words say the volume."""

    name = "partitions"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[PartitionRequest, ...]:
        """Return a request for each partition."""
        if isinstance(value, tuple):
            return value
        return tuple(self._request(text, param, ctx) for text in str(value).split(","))

    def _request(
        self, text: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> PartitionRequest:
        from maixfs.cards.make import PartitionRequest

        size, *words = (word.strip() for word in text.split(":"))
        request = PartitionRequest(size)
        for word in words:
            key, is_pair, number = word.partition("=")
            cluster = parse_size(number) if key == "cluster" else None
            if word.lower() in _TYPES:
                request = request._replace(fat_type=_TYPES[word.lower()])
            elif key == "label" and is_pair:
                request = request._replace(label=number)
            elif cluster is not None:
                request = request._replace(cluster_size=cluster)
            else:
                self.fail(
                    f"{word!r} in {text!r} is not one of fat32, fat16, fat12, label=TEXT,"
                    " cluster=BYTES",
                    param,
                    ctx,
                )
        return request


PARTITIONS = PartitionsType()


LAYOUTS = ("mkfs.fat", "fatfs")
ALIGNMENTS = ("1MiB", "sda")


@verb(
    "sd new",
    ("maixfs sd new 8G card.img", "Make one FAT32 partition on the whole card."),
    (
        "maixfs sd new 64M card.img --partitions 40M:label=BOOT,rest:fat16",
        "Make two partitions, the second with FAT16.",
    ),
)
@click.argument("size", type=SIZE)
@click.argument("image", metavar="OUT", type=CARD)
@click.option(
    "--partitions",
    type=PARTITIONS,
    metavar="LIST",
    default="rest",
    help="One to four SIZE[:WORD...], separated by commas. SIZE: 512M, 25% or rest; WORD: fat32,"
    " fat16, fat12, label=TEXT or cluster=BYTES.",
)
@click.option("--label", default="", metavar="TEXT", help="Label of the first partition.")
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default=LAYOUTS[0],
    metavar="LAYOUT",
    help="Clusters and FATs as mkfs.fat makes them (default), or the board (fatfs).",
)
@click.option(
    "--align",
    type=click.Choice(ALIGNMENTS),
    default=ALIGNMENTS[0],
    metavar="UNIT",
    help="Start of partitions: multiples of 1MiB (default), or the SD Association's (sda).",
)
@click.option(
    "--serial",
    type=SIZE,
    metavar="NUMBER",
    help="Serial number of the disk; makes the image reproducible.",
)
@click.option(
    "--superfloppy", is_flag=True, help="No partition table; boards do not mount such cards."
)
@force_option
@bytes_option
@json_option
def new_verb(
    screen: Screen,
    size: int,
    image: Path,
    partitions: tuple[PartitionRequest, ...],
    label: str,
    superfloppy: bool,
    **options: Any,
) -> None:
    """SIZE is like 8G or 0x400000, OUT the new image. The file is sparse: only what is
    written to it takes space. The volume is FAT32 from 34 MiB on, otherwise FAT16 or FAT12.
    """
    from maixfs.cards.make import new_card

    if label:
        partitions = (partitions[0]._replace(label=label), *partitions[1:])
    # The old image may be the card of a board that is on.
    with held_output(image):
        card = new_card(image, size, partitions, superfloppy=superfloppy, **options)
    if screen.json:
        screen.emit(_as_json(image, card))
        return
    _draw_new(screen, image, card)
    if superfloppy:
        screen.note("boards do not mount a card without a partition table")


def _draw_new(screen: Screen, image: Path, card: NewCard) -> None:
    screen.line("made ", Text(str(image), "heading"), f": card of {screen.size(card.size)}")
    for part in card.partitions:
        place = f"partition {part.number}" if part.number else "the card"
        label = f", label {part.label}" if part.label else ""
        screen.line(
            f"  {place}: FAT{part.volume.fat_type}, {screen.size(part.size)} from sector"
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


@verb(
    "sd fix",
    ("maixfs sd fix card.img -o new.img", "Make a copy with MBR and FAT32."),
    (
        "maixfs sd fix /dev/sdb -o new.img --size 8G",
        "Convert a card in a reader to a larger image.",
    ),
)
@click.argument("card", metavar="CARD", type=CARD)
@click.option("-o", "--output", metavar="NEW", required=True, type=CARD, help="The new image.")
@click.option(
    "--size", type=SIZE, metavar="BYTES", help="Size of the new card (default: the old one's)."
)
@force_option
@bytes_option
@json_option
def fix_verb(screen: Screen, card: Path, output: Path, size: int | None, force: bool) -> int:
    """CARD is only read. Name, time, attributes and contents of each file are compared with the
    copy. Damaged files are not repaired. The exit code is 1 if something is still wrong with the
    new card; it is listed.
    """
    from maixfs.cards.fix import fix_card
    from maixfs.sd.device import SECTOR
    from maixfs.sd.journal import opened_finished

    path = card_path(card)
    with (
        # A journal of a killed process is seen as applied: CARD itself is only read.
        opened_finished(path) as device,
        held(path),
        held_output(output, path),
        Progress(screen) as progress,
    ):
        fixed = fix_card(
            device,
            output,
            sectors=None if size is None else size // SECTOR,
            force=force,
            progress=progress,
        )
    if screen.json:
        screen.emit({"card": str(card), **fixed._asdict(), "report": fixed.report.as_dict()})
    else:
        _draw_fixed(screen, fixed)
    return int(bool(fixed.left))


def _draw_fixed(screen: Screen, fixed: Fixed) -> None:
    for change in fixed.changes:
        screen.line("  ", Text("done:", "good"), f" {change}")
    for rest in fixed.left:
        screen.line("  ", Text("left:", "warning"), f" {rest}")
    screen.line(
        "wrote ", Text(fixed.path, "heading"), f": {screen.size(fixed.size)};",
        f" {count_text(fixed.files, 'file')} in {count_text(fixed.folders, 'folder')},",
        f" {screen.size(fixed.file_bytes)}, equal to the old card's",
    )  # fmt: skip
    screen.line(fixed.report.verdict)
