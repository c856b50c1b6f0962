"""Files that are no image, as the verb info shows them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.cli.failures import step_text
from maixfs.cli.screen import Part, Screen, Text

if TYPE_CHECKING:
    from maixfs.image.identify import Identification
    from maixfs.image.image import Image


def identify_other(image: Image) -> Identification | None:
    """Return what a file is that is no image; ``None`` for images and what may be one."""
    from maixfs.image.identify import FileKind

    if image.where.is_spiffs or image.place.slot is not None or not image.host.is_file():
        return None
    identification = image.identify(search=False)
    if identification.kind in {FileKind.ERASED, FileKind.FILE_SYSTEM}:
        return identification
    return None if identification.is_image or not identification.known else identification


def identify_packed(host: Path) -> Identification | None:
    """Return what a compressed file is that cannot be unpacked here; ``None`` for other files."""
    from maixfs.image.identify import FileKind, identify

    identification = identify(host, search=False) if host.is_file() else None
    return (
        identification
        if identification is not None and identification.kind is FileKind.COMPRESSED
        else None
    )


def draw_identification(screen: Screen, host: Path, identification: Identification) -> int:
    """Write what a file is; return the exit code, 1 for what is unknown."""
    if screen.json:
        screen.emit({"target": str(host), **identification.as_dict()})
        return int(not identification.known)
    screen.line(
        Text(str(host), "heading"), f"  {identification}, {screen.size(host.stat().st_size)}"
    )
    screen.line()
    rows: list[tuple[str, Part]] = [("known by", "; ".join(identification.evidence))]
    if identification.confidence < 1:
        rows.append(("sure", f"{int(identification.confidence * 100)} %"))
    rows += [("or", str(other)) for other in identification.alternatives]
    if identification.compression:
        from maixfs.host.compressed import unpack_command

        rows.append(("next", unpack_command(host, identification.compression)))
    elif identification.next is not None:
        rows.append(("next", step_text(identification.next, str(host))))
    screen.facts(rows)
    return int(not identification.known)
