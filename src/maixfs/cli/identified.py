"""Files that are no image, as the verb info shows them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.cli.failures import step_text
from maixfs.cli.screen import Part, Screen, Text

if TYPE_CHECKING:
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Where
    from maixfs.image.identify import Identification


def identify_other(there: TargetPath, where: Where) -> Identification | None:
    """Return what a file is that is no image; ``None`` for images and what may be one.

    Compressed images count as other files: they are unpacked first.
    """
    if where.is_spiffs or there.slot is not None or not there.host.is_file():
        return None
    from maixfs.image.identify import FileKind, identify

    found = identify(there.host, search=False)
    if found.compression:
        return identify(there.host)
    if found.kind in {FileKind.ERASED, FileKind.FILE_SYSTEM}:
        return found
    return None if found.is_image or not found.known else found


def draw_identification(screen: Screen, host: Path, found: Identification) -> int:
    """Write what a file is; return the exit code, 1 for what is unknown."""
    if screen.json:
        screen.emit({"target": str(host), **found.as_dict()})
        return int(not found.known)
    screen.line(Text(str(host), "heading"), f"  {found}, {screen.size(host.stat().st_size)}")
    screen.line()
    rows: list[tuple[str, Part]] = [("known by", "; ".join(found.evidence))]
    if found.confidence < 1:
        rows.append(("sure", f"{int(found.confidence * 100)} %"))
    rows += [("or", str(other)) for other in found.alternatives]
    if found.compression:
        from maixfs.host.compressed import unpack_command

        rows.append(("next", unpack_command(host, found.compression)))
    elif found.next is not None:
        rows.append(("next", step_text(found.next, str(host))))
    screen.facts(rows)
    return int(not found.known)
