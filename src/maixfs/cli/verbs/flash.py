"""``maixfs flash``: raw bytes of a flash, whatever they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.flash.image import commit_flash, edited_image, opened_image
from maixfs.cli.options import SIZE, WHOLE, HostPath, bytes_option, force_option, json_option
from maixfs.cli.proof import draw_written, write_new, written_json
from maixfs.cli.screen import Progress, Screen, count_text, range_text
from maixfs.cli.verb import group, verb
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from maixfs.image.image import Image
    from maixfs.image.owners import Owner

ABOUT = """\
Bytes at addresses of a flash image, or of a virtual board's flash. What maixfs map finds there is
only overwritten with --force.
"""

flash = group(
    "flash",
    ABOUT,
    ("maixfs flash read dump.bin 0x300000 0x50000 model.bin", "Copy a range into a file."),
    ("maixfs flash write board 0x300000 face.kmodel", "Put a model where kpu.load looks."),
)


_force_owned = click.option("-f", "--force", is_flag=True, help="Overwrite what was found there.")


@verb(
    "flash read",
    ("maixfs flash read dump.bin 0x300000 0x50000 model.bin", "Copy a range into a file."),
    ("maixfs flash read board 0 64 - | xxd", "Dump the first bytes of a board's flash."),
)
@click.argument("image", metavar="IMG", type=WHOLE)
@click.argument("address", metavar="ADDRESS", type=SIZE)
@click.argument("length", metavar="LENGTH", type=SIZE)
@click.argument("out", metavar="OUT", type=HostPath(path_type=Path, allow_dash=True))
@force_option
@bytes_option
@json_option
def read_verb(
    screen: Screen, image: str, address: int, length: int, out: Path, force: bool
) -> None:
    """Copy LENGTH bytes from ADDRESS on to the file OUT; - is stdout. Numbers may be hex, or have
    a unit (64K).
    """
    from maixfs.image.owners import check_range

    with opened_image(screen, Path(image)) as raw:
        check_range(address, length, len(raw.flash.image))
        data = bytes(raw.flash.image[address : address + length])
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


@verb(
    "flash write",
    ("maixfs flash write board 0x300000 face.kmodel", "Put a model where kpu.load looks."),
    ("maixfs flash write dump.bin 0x300000 face.kmodel --force", "Overwrite what is there."),
)
@click.argument("image", metavar="IMG", type=WHOLE)
@click.argument("address", metavar="ADDRESS", type=SIZE)
@click.argument("file", metavar="FILE", type=HostPath(path_type=Path))
@_force_owned
@bytes_option
@json_option
def write_verb(screen: Screen, image: str, address: int, file: Path, force: bool) -> None:
    """ADDRESS is a multiple of a sector (0x1000). The bytes are written as they are: no header, no
    padding; the rest of the last sector stays. What was found there is only overwritten with
    --force. The image is replaced in one step; a board must be off.
    """
    from maixfs.host.files import read_file
    from maixfs.image.owners import check_alignment, check_range

    data = read_file(file)
    check_alignment("address", address)
    with edited_image(Path(image)) as target:
        check_range(address, len(data), target.size)
        # Under the lock: what the range belongs to cannot change before it is written.
        owners = _owners(target, image, address, data, force=force)
        sectors = target.write(address, data)
        _report(screen, target, image, address, len(data), sectors, owners)


@verb(
    "flash erase",
    ("maixfs flash erase dump.bin 0x800000 0x80000", "Erase half a MiB that nothing uses."),
    ("maixfs flash erase board 0xD00000 3M --force", "Erase a board's file system."),
)
@click.argument("image", metavar="IMG", type=WHOLE)
@click.argument("address", metavar="ADDRESS", type=SIZE)
@click.argument("length", metavar="LENGTH", type=SIZE)
@_force_owned
@bytes_option
@json_option
def erase_verb(screen: Screen, image: str, address: int, length: int, force: bool) -> None:
    """ADDRESS and LENGTH are multiples of a sector (0x1000); every byte becomes 0xFF.
    What was found there is only erased with --force.
    """
    from maixfs.image.owners import check_alignment, check_range

    check_alignment("address", address)
    check_alignment("length", length)
    with edited_image(Path(image)) as target:
        check_range(address, length, target.size)
        erased = b"\xff" * length
        owners = _owners(target, image, address, erased, force=force)
        sectors = target.erase(address, length)
        _report(screen, target, image, address, length, sectors, owners)


def _owners(target: Image, image: str, address: int, data: bytes, *, force: bool) -> list[Owner]:
    """Return what the bytes that change belong to; raise ``UsageError`` for any unless forced."""
    from maixfs.image.owners import owners_of

    end = address + len(data)
    # The same bytes destroy nothing, so nobody has to be asked.
    if bytes(target.flash.image[address:end]) == data:
        return []
    owners = owners_of(target.parts, address, len(data))
    if owners and not force:
        names = ", ".join(map(str, owners[:4]))
        more = f" and {len(owners) - 4} more" if len(owners) > 4 else ""
        raise UsageError(
            f"{range_text(address, end)} of {image} is in use: {names}{more}",
            hint="--force overwrites it; maixfs flash read saves it first",
        )
    return owners


def _report(
    screen: Screen,
    target: Image,
    image: str,
    address: int,
    length: int,
    sectors: int,
    owners: list[Owner],
) -> None:
    """Save the image; print what was changed and overwritten."""
    with Progress(screen, rates=True) as progress:
        written = commit_flash(target, progress)
    if screen.json:
        over: list[dict[str, Any]] = [
            {"kind": owner.kind, "start": owner.start, "size": owner.size} for owner in owners
        ]
        result = {"target": image, "address": address, "length": length, "sectors": sectors}
        proof = written_json([written])
        screen.emit({**result, "over": over, "written": proof, "changed": written.changed})
        return
    for owner in owners:
        about = "" if owner.kind == "region" else f" ({owner.detail})"
        screen.note(f"overwrote {owner}{about}")
    screen.line(
        f"{range_text(address, address + length)}, {screen.size(length)}:"
        f" {count_text(sectors, 'sector')} changed"
    )
    draw_written(screen, [written])
