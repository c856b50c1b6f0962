"""The argument CARD: an image, a drive, or a board whose slot holds one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.cli.failures import WrongUsage
from maixfs.cli.options import HostPath
from maixfs.cli.screen import Part, Screen, Text

if TYPE_CHECKING:
    from maixfs.cards.check import CardReport, PartitionReport

CARD = HostPath(path_type=Path)
"""A path of the host, completed by the shell."""
_TYPE_WIDTH = 8
"""Characters of a partition type; enough to tell GPT types apart, MBR types have four."""


def card_path(place: Path) -> Path:
    """Return the image or drive of an argument; for a board, the card in its slot.

    Raises ``CardError`` for a board without a card, ``MissingError`` if its image is missing, and
    what reading ``board.toml`` raises.
    """
    from maixfs.cards.newimage import CardError

    if not (place / "board.toml").is_file():
        return place
    from maixfs.image.boardconfig import BoardConfig

    path = BoardConfig.load(place).sd.path(place)
    if path is None:
        raise CardError(f"the slot of {place} is empty", hint=f"maixfs sd insert {place} CARD")
    if not path.exists():
        from maixfs.image.source import no_image

        raise no_image(path, place)
    return path


@contextmanager
def held(path: Path, *, alone: bool = False) -> Iterator[None]:
    """Lock a card while it is copied; ``alone`` for writing.

    Raises ``BoardBusyError`` if it is in the slot of a running board.
    """
    from maixfs.image.boardlock import CardLock

    lock = CardLock(path, read_only=not alone)
    try:
        yield
    finally:
        lock.release()


def held_output(path: Path, source: Path | None = None) -> AbstractContextManager[None]:
    """Lock an image that will be replaced; raise as ``held`` does.

    Raises ``WrongUsage`` if it is the ``source`` itself.
    """
    if source is not None:
        refuse_itself(source, path)
    return held(path, alone=True) if path.is_file() else nullcontext()


def refuse_itself(source: Path, destination: Path) -> None:
    """Raise ``WrongUsage`` if a card would be copied to itself."""
    with suppress(OSError):
        # Not by name: a link or another spelling would empty the card that is being read.
        if source.samefile(destination):
            raise WrongUsage(f"{destination} is the source itself", hint="name another file")


def note_if_in_use(screen: Screen, card: Path, path: Path) -> None:
    """Print a note if a running board uses the card."""
    from maixfs.image.boardlock import BoardBusyError

    try:
        with held(path):
            return
    except BoardBusyError:
        screen.note(f"{card} is in use: its contents may change")


def draw_partitions(screen: Screen, report: CardReport) -> None:
    """Print the partitions of a card."""
    from maixfs.cli.screen import Column

    columns = (
        Column("slot", right=True),
        Column("type"),
        Column("sector", right=True),
        Column("size", right=True),
        Column("holds"),
        Column("label"),
        Column("cluster", right=True, spare=True),
        Column("free", right=True),
        Column("files", right=True, spare=True),
        Column("on a board"),
    )
    screen.table(columns, [_row(screen, part) for part in report.partitions])


def _row(screen: Screen, part: PartitionReport) -> list[Part]:
    cluster = part.cluster_size or 0
    free = None if part.free_clusters is None else part.free_clusters * cluster
    mounted: Part = Text(part.mount_point, "good") if part.mount_point else "not mounted"
    return [
        str(part.number) if part.number else "-",
        part.type[:_TYPE_WIDTH] or "-",
        f"{part.start:#x}",
        screen.cell(part.size),
        part.kind,
        part.label,
        screen.cell(cluster) if cluster else "",
        "" if free is None else screen.cell(free),
        "" if part.files is None else str(part.files),
        mounted,
    ]
