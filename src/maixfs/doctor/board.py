"""Rules about flash and card together."""

from __future__ import annotations

from collections.abc import Iterator

from maixfs.doctor.subject import Subject
from maixfs.finding import Command, Cost, Finding, Severity, kind, rule

_STARTS = ("boot.py", "main.py")

CARD_MISSING = kind(
    "card",
    Severity.ERROR,
    "The card in the slot of a board cannot be read.",
    why="board.toml names a file or drive that is missing or damaged",
    fix=(Command("sd eject", ("{image}",)),),
)


@rule("board", Cost.METADATA, CARD_MISSING)
def _card_in_slot(subject: Subject) -> Iterator[Finding]:
    if subject.card is not None and subject.card.fault is not None:
        yield CARD_MISSING.found(str(subject.card.fault))


CARD_FIRST = kind(
    "sd-first",
    Severity.NOTE,
    "A program on /flash does not run while the card is in.",
    why="a card that mounts is the current directory, and programs start from there",
)
COVER = kind(
    "cover",
    Severity.NOTE,
    "A cover file replaces a program on /flash, or has no effect there.",
    why="a file cover.NAME replaces NAME on /flash only if it is on a card",
)


@rule("board", Cost.METADATA, CARD_FIRST)
def _order_of_programs(subject: Subject) -> Iterator[Finding]:
    # A card that does not mount leaves the current directory on /flash (docs/SPEC.md, 20.3).
    if subject.card is None or not subject.card.mounts or subject.mounted is None:
        return
    for name in _STARTS:
        if f"/{name}".encode() in subject.mounted.names:
            there = name in subject.card.names
            what = f"/flash/{name} does not run while the card is in: "
            what += f"/sd/{name} does" if there else "the card has none"
            fix = (
                Command("sd eject", ("{image}",)),
                f"or copy {name} to the card",
                Command("cp", (f"{{image}}:/flash/{name}", "{image}:/sd/")),
            )
            yield CARD_FIRST.found(what, fix=fix, paths=[f"/flash/{name}"])


@rule("board", Cost.METADATA, COVER)
def _covers(subject: Subject) -> Iterator[Finding]:
    for name in _STARTS:
        cover = f"cover.{name}"
        # `_boot.py` looks for cover files in /sd only (docs/SPEC.md, 12.2).
        if subject.mounted is not None and f"/{cover}".encode() in subject.mounted.names:
            what = f"/{cover} is on /flash: it has no effect there"
            fix = ("copy it to the root of the card",)
            yield COVER.found(what, fix=fix, paths=[f"/{cover}"])
        if subject.card is not None and cover in subject.card.names:
            what = f"/sd/{cover} replaces /flash/{name} at the next start if they differ"
            yield COVER.found(what, paths=[f"/sd/{cover}"])
