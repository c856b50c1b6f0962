"""What the verb doctor found: flash and card together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from maixfs.cli.screen import Screen, Text, count_text, hex_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.cli.flash.image import RawImage
    from maixfs.doctor import Diagnosis, Patient
    from maixfs.image.address import TargetPath
    from maixfs.image.cardreport import CardSummary
    from maixfs.image.entries import Finding, Where
    from maixfs.spiffs import Geometry

_WHY = {
    "aborted-erase": "power was lost while the block was erased",
    "unreadable": "power was lost during a write or during garbage collection, or pages were"
    " overwritten",
    "two-headers": "power was lost between writing a new header and deleting the old one",
    "not-booked": "power was lost, or the look-up was damaged; the next write may go over it",
    "no-spare-blocks": "garbage collection needs two blocks that are empty",
    "stale-pages": "MaixPy does not wait for its erases: formatting and removing leave most bytes"
    " readable, secrets too",
}
_MEND = {
    "stale-pages": "maixfs unpack {name} DIR, then maixfs pack DIR -o NEW: nothing old is in that"
}
_TOLD = frozenset({"no-slash", "blank", "other-area"})
"""Kinds of findings that the doctor tells of with more words, or not at all."""


class Checkup(NamedTuple):
    """All that was found out about a target."""

    target: str
    verdict: str
    diagnoses: tuple[Diagnosis, ...]
    """Of the flash, problems first."""
    card: CardSummary | None
    """Of the card; ``None`` where there is none."""

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        sound = not any(one.is_problem for one in self.diagnoses)
        return sound and (self.card is None or self.card.healthy)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "target": self.target,
            "verdict": self.verdict,
            "healthy": self.healthy,
            "findings": [one._asdict() for one in self.diagnoses],
            "card": self.card and self.card.as_dict(),
        }


def look_at(screen: Screen, there: TargetPath, where: Where) -> Checkup:
    """Look through a flash image, a board with its card, a SPIFFS image or a card."""
    from maixfs.cli.flash.image import opened_image
    from maixfs.image.opening import is_card

    if is_card(there, where):
        card = _card(screen, there)
        return Checkup(str(there), card.report.verdict, (), card)
    with opened_image(screen, there.host) as raw:
        found, verdict = _flash(raw, there, where)
        slot = _slot(screen, raw)
    if slot is not None and slot.report.mountable:
        found += _card_first(there)
    return Checkup(str(there), verdict, tuple(found), slot)


def _card(screen: Screen, there: TargetPath) -> CardSummary:
    from maixfs.cli.screen import Progress
    from maixfs.image.cardreport import summarize_card

    with Progress(screen) as progress:
        return summarize_card(there, progress)


def _slot(screen: Screen, raw: RawImage) -> CardSummary | None:
    """Look through the card in a board's slot."""
    config, folder = raw.source.config, raw.source.folder
    image = config.sd.path(folder) if config and folder else None
    if image is None:
        return None
    from maixfs.image.address import TargetPath

    return _card(screen, TargetPath(image))


def _flash(raw: RawImage, there: TargetPath, where: Where) -> tuple[list[Diagnosis], str]:
    from maixfs.board.compiler import newer_syntax
    from maixfs.doctor import examine, make_patient
    from maixfs.image.flash import FlashImage
    from maixfs.image.spiffs.probe import fit_geometry

    config = raw.source.config
    geometry = where.geometry or (config.geometry if config else None)
    if geometry is not None:
        geometry = fit_geometry(geometry, len(raw.view), there.host, where.base)
    image = FlashImage(raw.view)
    patient = make_patient(image, str(there.host), geometry=geometry, is_board=raw.is_board)
    found = examine(patient, newer_syntax)
    if patient.volume is not None:
        found += _inside(there, patient.volume.geometry)
    found.sort(key=lambda one: not one.is_problem)
    return found, _verdict(patient, found)


def _inside(there: TargetPath, geometry: Geometry) -> Iterator[Diagnosis]:
    """Yield what is wrong inside of the file system: damage, and old bytes."""
    from maixfs.doctor import Diagnosis
    from maixfs.errors import MaixfsError
    from maixfs.image.opening import open_target

    try:
        with open_target(there.host, False, geometry, base=geometry.base) as target:
            findings = target.spiffs.findings()
    except MaixfsError:
        return
    by_key: dict[str, list[Finding]] = {}
    for one in findings:
        by_key.setdefault(one.key, []).append(one)
    for key, several in by_key.items():
        if key in _TOLD:
            continue
        first = several[0]
        mend = _MEND.get(key, "").format(name=there.host) or first.hint or ""
        more = f" ({len(several) - 1} more like this)" if several[1:] else ""
        what, why = first.message + more, _WHY.get(key, "")
        yield Diagnosis(key, first.is_problem, what, why, mend, first.address)


def _card_first(there: TargetPath) -> Iterator[Diagnosis]:
    """Yield what a card that mounts changes in how a board starts."""
    from maixfs.doctor import Diagnosis
    from maixfs.errors import MaixfsError
    from maixfs.image.opening import open_target

    try:
        with open_target(there.host) as target:
            for name in ("boot.py", "main.py"):
                if not target.exists(f"/flash/{name}"):
                    continue
                what = f"/flash/{name} does not run while the card is in: "
                what += f"/sd/{name} does" if target.exists(f"/sd/{name}") else "the card has none"
                why = "a card that mounts is the current directory, and programs start from there"
                mend = f"maixfs sd eject {there.host}, or maixfs cp it to {there.host}:/sd/"
                yield Diagnosis("sd-first", False, what, why, mend)
            for name in ("boot.py", "main.py"):
                cover = f"/sd/cover.{name}"
                if target.exists(cover):
                    what = f"{cover} replaces /flash/{name} at the next start where they differ"
                    yield Diagnosis("cover", False, what)
    except MaixfsError:
        return


def _verdict(patient: Patient, found: list[Diagnosis]) -> str:
    keys = {one.key for one in found if one.is_problem}
    if keys & {"no-firmware", "no-header", "wrong-file", "kboot-halts"}:
        return "This board does not start."
    if keys & {"freq-conf"}:
        return "This board hangs when it starts."
    if keys & {"will-format", "wrong-geometry", "no-mount"}:
        return "This board formats /flash when it starts: the files on it are lost then."
    if keys:
        problems = sum(one.is_problem for one in found)
        return f"Something is wrong: {count_text(problems, 'problem')}."
    if patient.volume is None and patient.geometry is None:
        return "Nothing is wrong with it, as far as can be seen; no file system was found."
    return "Nothing is wrong with it."


def draw_checkup(screen: Screen, checkup: Checkup) -> None:
    """Write the verdict, then what was found with cause and mend, the flash before the card."""
    screen.line(Text(checkup.verdict, "good" if checkup.healthy else "bad"))
    for one in checkup.diagnoses:
        _draw(screen, one)
    if checkup.card is not None:
        _draw_card(screen, checkup.card, checkup.verdict)


def _draw(screen: Screen, one: Diagnosis) -> None:
    screen.line()
    label = Text("problem:", "bad") if one.is_problem else Text("note:", "warning")
    told = one.address is None or "0x" in one.what
    where = "" if told or one.address is None else f" (at {hex_text(one.address)})"
    screen.paragraph("  ", label, one.what + where)
    if one.why:
        screen.paragraph("    ", Text("why:", "dim"), one.why)
    if one.mend:
        screen.paragraph("    ", Text("mend:", "hint"), one.mend)


def _draw_card(screen: Screen, card: CardSummary, verdict: str) -> None:
    from maixfs.cli.sd.card import draw_findings

    if card.report.verdict != verdict:
        screen.line()
        screen.line(Text(f"card {card.host}", "heading"), f": {card.report.verdict}")
    draw_findings(screen, card.report, card.file)
