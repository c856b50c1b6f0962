"""A whole chip as the verb info shows it: its parts, and what a board does with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from maixfs.cli.screen import Column, Part, Screen, Text
from maixfs.cli.wording import count_text, hex_text

if TYPE_CHECKING:
    from maixfs.image.address import TargetPath
    from maixfs.image.bootreport import BootReport, Step
    from maixfs.image.flash import FlashImage
    from maixfs.image.records import Finding, Found
    from maixfs.spiffs.detect import Detection

LEAST_CHIP = 4 << 20
"""Bytes of the smallest chip that such boards have; smaller images are parts of one."""
_MOST_PARTS = 12
_BLANK = ("erased", "zero", "unknown")
_QUIET = ("a card that mounts", "/flash is mounted")
"""Starts of steps that are the same on every board: for --json."""


class ChipFacts(NamedTuple):
    """What is known of a whole chip."""

    of_board: bool
    """Whether it is a virtual board's, and not an image."""
    size: int
    layout: str | None
    parts: tuple[Found, ...]
    rest: dict[str, int]
    """Bytes that are erased, zero or unknown."""
    areas: tuple[Detection, ...]
    boot: BootReport
    findings: tuple[Finding, ...]
    """Of everything but the inside of the file system; only where there is firmware."""

    @property
    def has_more(self) -> bool:
        """Whether anything but file systems is on the chip."""
        return any(part.kind != "spiffs" for part in self.parts)

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not any(finding.is_problem for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        steps = [step._asdict() for step in self.boot.steps]
        return {
            "layout": self.layout,
            "parts": [_part_dict(part) for part in self.parts],
            "rest": self.rest,
            "boot": {"starts": self.boot.starts, "formats": self.boot.formats, "steps": steps},
            "findings": [finding._asdict() for finding in self.findings],
        }


def _part_dict(part: Found) -> dict[str, Any]:
    from maixfs.firmware import Firmware

    about: dict[str, Any] = {"kind": part.kind, "start": part.start, "size": part.size}
    about["detail"] = part.detail
    if isinstance(part.what, Firmware):
        about |= {"product": part.what.banner.product, "version": part.what.banner.version}
    return about


def chip_facts(screen: Screen, there: TargetPath) -> ChipFacts | None:
    """Look at an image or a board's flash; ``None`` for what is not a whole chip."""
    from maixfs.cli.flash.image import opened_image
    from maixfs.image.source import find_source

    source = find_source(there.host, writable=False)
    if source.size < LEAST_CHIP:
        return None
    from maixfs.image.flash import FlashImage

    with opened_image(screen, there.host) as raw:
        image = FlashImage(raw.view)
        bare = any(area.geometry.base == 0 for area in image.areas)
        of_board = source.config is not None
        return None if bare or not image.parts else _facts(image, of_board)


def _facts(image: FlashImage, of_board: bool) -> ChipFacts:
    rest = dict.fromkeys(_BLANK, 0)
    for found in image.found:
        if found.kind in rest:
            rest[found.kind] += found.size
    runs = bool(image.firmware) or image.kboot is not None
    return ChipFacts(
        of_board,
        image.size,
        image.layout.name if image.layout else None,
        image.parts,
        rest,
        image.areas,
        image.boot_report(),
        tuple(one for one in image.health if runs or one.key == "short"),
    )


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
        if step.is_problem or not step.text.startswith(_QUIET):
            yield label, _step(step)
            label = ""
        if step.stops:
            return


def _step(step: Step) -> Part:
    return Text(step.text, "bad") if step.is_problem else step.text
