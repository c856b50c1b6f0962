"""``maixfs flash read``, ``write`` and ``erase``: bytes at addresses, whosever they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from maixfs.cli.flash.catalogue import FLASH_VERBS
from maixfs.cli.flash.editing import (
    ImageEditor,
    Owner,
    check_alignment,
    check_range,
    edited_image,
    owners_of,
    refuse_owned,
)
from maixfs.cli.flash.image import opened_image, range_text
from maixfs.cli.flash.output import write_new
from maixfs.cli.numbers import SIZE
from maixfs.cli.options import bytes_option, force_option, json_option
from maixfs.cli.place import WHOLE
from maixfs.cli.proof import draw_written, written_json
from maixfs.cli.screen import Screen
from maixfs.cli.verbgroup import verb_of
from maixfs.cli.wording import count_text

_force_owned = click.option(
    "-f", "--force", is_flag=True, help="Also where the bytes belong to something that was found."
)


@verb_of(
    "flash",
    "read",
    FLASH_VERBS,
    ("maixfs flash read dump.bin 0x300000 0x50000 model.bin", "Copy a range into a file."),
    ("maixfs flash read board 0 64 - | xxd", "Look at the first bytes of a board's flash."),
)
@click.argument("image", metavar="IMG", type=WHOLE)
@click.argument("address", metavar="ADDRESS", type=SIZE)
@click.argument("length", metavar="LENGTH", type=SIZE)
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path, allow_dash=True))
@force_option
@bytes_option
@json_option
def read_verb(
    screen: Screen, image: str, address: int, length: int, out: Path, force: bool
) -> None:
    """LENGTH bytes from ADDRESS on go to the file OUT, or with - to stdout. Both numbers may be
    hex, or have a unit (64K).
    """
    with opened_image(screen, Path(image)) as raw:
        check_range(address, length, len(raw.view))
        data = bytes(raw.view[address : address + length])
    if str(out) == "-" and not screen.json:
        click.echo(data, nl=False)
        return
    about = {"target": image, "address": address, "length": length}
    if str(out) == "-":
        import base64

        screen.emit({**about, "data_base64": base64.b64encode(data).decode("ascii")})
        return
    written = write_new(screen, out, data, force=force)
    if screen.json:
        screen.emit({**about, "written": written_json([written]), "changed": written.changed})
    else:
        draw_written(screen, [written])


@verb_of(
    "flash",
    "write",
    FLASH_VERBS,
    ("maixfs flash write board 0x300000 face.kmodel", "Put a model where kpu.load looks."),
    ("maixfs flash write dump.bin 0x300000 face.kmodel --force", "Over what is there."),
)
@click.argument("image", metavar="IMG", type=WHOLE)
@click.argument("address", metavar="ADDRESS", type=SIZE)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@_force_owned
@bytes_option
@json_option
def write_verb(screen: Screen, image: str, address: int, file: Path, force: bool) -> None:
    """ADDRESS is a multiple of a sector (0x1000). The bytes go in as they are: nothing is wrapped
    or padded, and what else is in the last sector stays. What was found in the image is not
    overwritten unless forced. The image is replaced in one step; a board's is only written
    while it is off.
    """
    from maixfs.host.files import read_file

    data = read_file(file)
    check_alignment("address", address)
    with edited_image(Path(image)) as editor:
        check_range(address, len(data), len(editor.view))
        lost = _asked(editor, image, address, data, force)
        sectors = editor.write(address, data)
        _tell(screen, editor, image, address, len(data), sectors, lost)


@verb_of(
    "flash",
    "erase",
    FLASH_VERBS,
    ("maixfs flash erase dump.bin 0x300000 0x80000", "Erase half a MiB that nobody owns."),
    ("maixfs flash erase board 0xD00000 3M --force", "Erase a board's file system."),
)
@click.argument("image", metavar="IMG", type=WHOLE)
@click.argument("address", metavar="ADDRESS", type=SIZE)
@click.argument("length", metavar="LENGTH", type=SIZE)
@_force_owned
@bytes_option
@json_option
def erase_verb(screen: Screen, image: str, address: int, length: int, force: bool) -> None:
    """ADDRESS and LENGTH are multiples of a sector (0x1000); every byte becomes FF. What was
    found in the image is not erased unless forced.
    """
    check_alignment("address", address)
    check_alignment("length", length)
    with edited_image(Path(image)) as editor:
        check_range(address, length, len(editor.view))
        lost = _asked(editor, image, address, b"\xff" * length, force)
        sectors = editor.erase(address, length)
        _tell(screen, editor, image, address, length, sectors, lost)


def _asked(editor: ImageEditor, image: str, address: int, data: bytes, force: bool) -> list[Owner]:
    """Return whose bytes change; raises ``UsageError`` where that is somebody's, unless forced."""
    length = len(data)
    if bytes(editor.view[address : address + length]) == data:
        return []
    owners = owners_of(editor.view, address, length)
    if not force:
        refuse_owned(image, owners, address, length)
    return owners


def _tell(
    screen: Screen,
    editor: ImageEditor,
    image: str,
    address: int,
    length: int,
    sectors: int,
    lost: list[Owner],
) -> None:
    written = editor.save(screen)
    if screen.json:
        over: list[dict[str, Any]] = [
            {"kind": one.kind, "start": one.start, "size": one.size} for one in lost
        ]
        result = {"target": image, "address": address, "length": length, "sectors": sectors}
        proof = written_json([written])
        screen.emit({**result, "over": over, "written": proof, "changed": written.changed})
        return
    for one in lost:
        about = "" if one.kind == "region" else f" ({one.detail})"
        screen.note(f"over {one}{about}")
    screen.line(
        f"{range_text(address, address + length)}, {screen.size(length)}:"
        f" {count_text(sectors, 'sector')} changed"
    )
    draw_written(screen, [written])
