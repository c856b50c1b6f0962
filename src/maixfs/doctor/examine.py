"""The examination that all commands use, and its verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.finding import Cost, Examination, NotChecked, examine
from maixfs.image.entries import Where

if TYPE_CHECKING:
    from maixfs.cards.check import CardReport
    from maixfs.doctor.subject import Subject
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Progress
    from maixfs.image.image import Image

_NO_AREA = NotChecked("the file system", "none was found")
_UNKNOWN = NotChecked("the contents", "nothing that is known was found in them")
_VERDICTS = (
    (
        frozenset({"no-firmware", "no-header", "wrong-file", "kboot-halts"}),
        "This board does not start.",
    ),
    (frozenset({"freq-conf"}), "This board hangs when it starts."),
    (
        frozenset({"will-format", "wrong-geometry", "no-mount"}),
        "This board formats /flash when it starts: the files on it are lost then.",
    ),
)
"""Keys of problems and their meaning for the whole board, worst first."""


def examine_target(
    place: str | Path | TargetPath,
    depth: Cost = Cost.CONTENT,
    *,
    where: Where | None = None,
    progress: Progress | None = None,
) -> Examination:
    """Examine a dump, a SPIFFS image, a board with its card, or a card; nothing is written.

    ``depth`` is the cost of the most expensive rules that are run; a card is always read as far
    as its structures go. Raises ``DeviceError`` for a file that cannot be read, ``BoardError``
    for a folder that is not a board, ``NoFileSystemError`` if ``where`` does not fit.
    """
    from maixfs.image.opening import open_image

    where = where or Where()
    with open_image(place, geometry=where.geometry, base=where.base) as image:
        return image.findings(depth, progress)


def examine_whole(
    image: Image, depth: Cost = Cost.CONTENT, progress: Progress | None = None
) -> Examination:
    """Examine an open image; ``finding.IMAGE_EXAMINER`` names this function."""
    from maixfs.doctor.subject import Subject
    from maixfs.image.cardreport import summarize_card

    if image.format is not None:
        return image.main.fs.check(depth) + image.packing
    if image.is_flash:
        return examine_subject(Subject.of_image(image, progress), depth) + image.packing
    return examine_card(summarize_card(image, progress).report)


def examine_subject(subject: Subject, depth: Cost = Cost.CONTENT) -> Examination:
    """Run the rules about flash, file system and card that cost no more than ``depth``."""
    from maixfs.doctor.boot import report_boot

    result = examine("flash", subject, depth)
    if subject.spiffs is not None:
        result += examine("spiffs", subject.spiffs, depth)
    # Of a whole chip a rule has reported why there is no file system; otherwise it is something
    # that was not checked.
    elif not (subject.is_chip and subject.once(report_boot).formats):
        result += Examination((), (_NO_AREA,))
    if not subject.parts and not subject.is_chip:
        result += Examination((), (_UNKNOWN,))
    result += examine("board", subject, depth)
    card = subject.card.summary if subject.card is not None else None
    return result if card is None else result + examine_card(card.report, card.file)


def examine_card(report: CardReport, file: str | None = None) -> Examination:
    """Return the findings of a card, marked as the card's and not the flash's.

    ``file`` is its image or drive, if another image was examined: the commands of fixes about the
    card are for that one.
    """
    mark = {"medium": "card"} if file is None else {"medium": "card", "image": file}
    findings = (finding._replace(data={**finding.data, **mark}) for finding in report.findings)
    return Examination(tuple(findings), report.examination.not_checked)


def verdict(examination: Examination) -> str:
    """Return the meaning of an examination as one sentence; it covers only what was checked."""
    problems = [finding for finding in examination.findings if finding.is_problem]
    # The keys of a card can be those of a flash, and a damaged card does not stop a board from
    # starting.
    keys = {f.key for f in problems if f.data.get("medium") != "card"}
    for these, sentence in _VERDICTS:
        if keys & these:
            return sentence
    if problems:
        count = len(problems)
        return f"Something is wrong: {count} problem{'s' * (count > 1)}."
    if not examination.not_checked:
        return "Nothing is wrong."
    left_out = "; ".join(examination.left_out)
    return f"Nothing is wrong in what was checked; not checked: {left_out}."
