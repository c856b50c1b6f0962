"""A whole chip as the verb info shows it: its parts, and what a board does with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from maixfs.cli.screen import Column, Part, Screen, Text, count_text, hex_text
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.doctor.boot import BootReport, Step
    from maixfs.doctor.subject import Subject
    from maixfs.image.parts import Found
    from maixfs.spiffs.detect import Detection

_MOST_PARTS = 12
_BLANK = ("erased", "zero", "unknown")


class ChipFacts(NamedTuple):
    """What is known of a whole chip, findings left out."""

    size: int
    layout: str | None
    parts: tuple[Found, ...]
    rest: dict[str, int]
    """Bytes that are erased, zero or unknown."""
    areas: tuple[Detection, ...]
    boot: BootReport

    @property
    def has_more(self) -> bool:
        """Whether anything but file systems is on the chip."""
        return any(part.kind != "spiffs" for part in self.parts)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        steps = [step._asdict() for step in self.boot.steps]
        return {
            "layout": self.layout,
            "parts": [_part_dict(part) for part in self.parts],
            "rest": self.rest,
            "boot": {"starts": self.boot.starts, "formats": self.boot.formats, "steps": steps},
        }


def _part_dict(part: Found) -> dict[str, Any]:
    from maixfs.firmware import Firmware

    about: dict[str, Any] = {"kind": part.kind, "start": part.start, "size": part.size}
    about["detail"] = part.detail
    if isinstance(part.what, Firmware):
        about |= {"product": part.what.banner.product, "version": part.what.banner.version}
    return about


def chip_facts(subject: Subject) -> ChipFacts | None:
    """Return what is on an image or a board's flash; ``None`` if it is not a whole chip."""
    if not subject.is_chip or not subject.parts:
        return None
    rest = dict.fromkeys(_BLANK, 0)
    for found in subject.found:
        if found.kind in rest:
            rest[found.kind] += found.size
    layout = subject.layout.name if subject.layout else None
    from maixfs.doctor.boot import report_boot

    boot = subject.once(report_boot)
    return ChipFacts(subject.size, layout, tuple(subject.parts), rest, subject.areas, boot)


def draw_parts(screen: Screen, facts: ChipFacts) -> None:
    """Write the parts of a chip, by address."""
    columns = (Column("at"), Column("what"), Column("size", right=True), Column("it is"))
    rows: list[tuple[Part, ...]] = [
        (hex_text(part.start), part.kind, screen.cell(part.size), part.detail)
        for part in facts.parts[:_MOST_PARTS]
    ]
    screen.table(columns, rows)
    more = len(facts.parts) - _MOST_PARTS
    if more > 0:
        screen.line(f"and {count_text(more, 'part')} more: maixfs map shows all")


def chip_rows(screen: Screen, facts: ChipFacts) -> Iterator[tuple[str, Part]]:
    """Yield what else there is, and what a board does when it starts."""
    rest = [f"{screen.size(size)} {kind}" for kind, size in facts.rest.items() if size]
    if rest:
        yield "else", ", ".join(rest)
    label = "boot"
    for step in facts.boot.steps:
        # What every board does is left out here, so that the line that differs is seen.
        if not step.usual:
            yield label, _step(step)
            label = ""
        # What comes after this step does not happen.
        if step.stops:
            return


def _step(step: Step) -> Part:
    return Text(step.text, "bad") if step.is_problem else step.text
