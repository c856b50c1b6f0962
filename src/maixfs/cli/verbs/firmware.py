"""``maixfs firmware``: firmware images shown, made and unwrapped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.failures import WrongUsage
from maixfs.cli.flash.image import IMAGE, ImagePlace, opened_image
from maixfs.cli.options import HostPath, bytes_option, force_option, json_option
from maixfs.cli.proof import draw_written, write_new, written_json
from maixfs.cli.screen import Part, Screen, Text, count_text, hex_text, range_text
from maixfs.cli.verb import group, verb
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from maixfs.firmware.container import Firmware
    from maixfs.image.entries import Written


ABOUT = """\
A firmware image consists of a flag byte, the length, the program and a SHA-256 of these. Flashers
make it from a program (.bin).
"""

firmware = group(
    "firmware",
    ABOUT,
    ("maixfs firmware info dump.bin", "Show the firmware at the start of a dump."),
    ("maixfs firmware wrap program.bin -o image.bin", "Make an image that the chip starts."),
)


_OUT = HostPath(path_type=Path, dir_okay=False)
_KEY_ABOUT = "AES key, 32 hex digits, or @FILE with 16 bytes (needs maixfs[aes])."


@verb(
    "firmware info",
    ("maixfs firmware info maixpy.bin", "Show version, flags, length and hash."),
    ("maixfs firmware info dump.bin@0x80000", "Show the firmware in the second slot of a dump."),
)
@click.argument("place", metavar="FILE|IMG[@ADDRESS]", type=IMAGE)
@bytes_option
@json_option
def info_verb(screen: Screen, place: ImagePlace) -> int:
    """The default ADDRESS is 0, where the chip starts. Programs without header and hash are
    recognised too. The exit code is 1 if the chip would not start it.
    """
    from maixfs.firmware.container import FirmwareError, read_firmware

    with opened_image(screen, place.host) as raw:
        try:
            firmware = read_firmware(raw.flash.image, place.address or 0)
        except FirmwareError as error:
            hint = error.hint or "maixfs info shows what is in a dump"
            raise FirmwareError(f"{place.host}: {error}", kind=error.kind, hint=hint) from error
        zeros = firmware.padding
    if screen.json:
        screen.emit({"target": str(place), "firmware": firmware_json(firmware)})
    else:
        kind = "firmware image" if firmware.wrapped else "program without header"
        screen.line(Text(str(place), "heading"), f"  {kind}, {count_text(firmware.total, 'byte')}")
        screen.line()
        screen.facts(list(_facts(screen, firmware, zeros)))
        if not firmware.wrapped:
            hint = "maixfs firmware wrap FILE -o OUT puts header and hash around it"
            screen.line("  ", Text("hint:", "hint"), f" {hint}")
    return int(not firmware.sha_ok)


def firmware_json(firmware: Firmware) -> dict[str, Any]:
    """Return what ``--json`` says of a firmware image."""
    about = firmware._asdict()
    return {
        **about,
        "sha256": firmware.sha256.hex(),
        "banner": {"product": firmware.banner.product, "text": firmware.banner.text},
        "version": firmware.banner.version,
        "aes": firmware.aes,
        "dio": firmware.dio,
    }


def _facts(screen: Screen, firmware: Firmware, zeros: int) -> Iterator[tuple[str, Part]]:
    end = firmware.address + firmware.total
    yield "program", str(firmware.banner) or "unknown: it has no banner"
    yield "place", f"{range_text(firmware.address, end)}, {screen.size(firmware.total)}"
    yield "payload", f"{firmware.length:#x}, {screen.size(firmware.length)}"
    if zeros:
        yield "padding", f"{screen.size(zeros)} of zeros up to {hex_text(end + zeros)}"
    if not firmware.wrapped:
        yield "SHA-256", Text("missing: the chip does not start it", "bad")
        return
    named = [name for name, on in (("AES-128-CBC", firmware.aes), ("DIO", firmware.dio)) if on]
    yield "flags", f"{firmware.flags:#04x}{', ' if named else ''}{' and '.join(named)}"
    if firmware.sha_ok:
        yield "SHA-256", Text(f"correct: {firmware.sha256.hex()}", "good")
    else:
        yield "SHA-256", Text(f"wrong: stored is {firmware.sha256.hex()}", "bad")


@verb(
    "firmware wrap",
    ("maixfs firmware wrap program.bin -o image.bin", "Make an image that the chip starts."),
    ("maixfs firmware wrap program.bin -o image.bin --dio", "Set the DIO flag as well."),
)
@click.argument("program", metavar="PROGRAM", type=HostPath(path_type=Path))
@click.option(
    "-o", "--output", "out", metavar="OUT", type=_OUT, required=True, help="The image to write."
)
@click.option("--dio", is_flag=True, help="Set the DIO flag; Kboot does not start such images.")
@click.option("--key", metavar="KEY", help=f"Encrypt. {_KEY_ABOUT}")
@force_option
@bytes_option
@json_option
def wrap_verb(
    screen: Screen, program: Path, out: Path, dio: bool, key: str | None, force: bool
) -> None:
    """PROGRAM is the output of a compiler (.bin). The image is what the chip's ROM expects at
    address 0.
    """
    from maixfs.firmware.container import FirmwareError, begins_like_payload, verify, wrap
    from maixfs.host.files import read_file

    payload = read_file(program)
    try:
        # A second header would make the chip load the first one as a program.
        verify(payload)
    except FirmwareError:
        pass
    else:
        raise UsageError(
            f"{program} is a firmware image already", hint=f"maixfs firmware info {program}"
        )
    if not begins_like_payload(payload):
        screen.note(f"{program} does not begin like a program for the K210")
    image = wrap(payload, dio=dio, key=None if key is None else _read_key(key))
    _print_proof(screen, write_new(screen, out, image, force=force))


@verb(
    "firmware unwrap",
    (
        "maixfs firmware unwrap dump.bin -o program.bin",
        "Extract the program at the start of a dump.",
    ),
    ("maixfs firmware unwrap image.bin -o program.bin --key @key", "Decrypt a program."),
)
@click.argument("place", metavar="FILE|IMG[@ADDRESS]", type=IMAGE)
@click.option(
    "-o", "--output", "out", metavar="OUT", type=_OUT, required=True, help="The file to write."
)
@click.option("--key", metavar="KEY", help=f"Decrypt. {_KEY_ABOUT}")
@click.option("--unchecked", is_flag=True, help="Extract even if the hash is wrong.")
@force_option
@bytes_option
@json_option
def unwrap_verb(
    screen: Screen,
    place: ImagePlace,
    out: Path,
    key: str | None,
    unchecked: bool,
    force: bool,
) -> None:
    """OUT becomes the program without header and hash. A decrypted program keeps the zeros that
    fill its last 16 bytes.
    """
    from maixfs.firmware.container import unwrap

    # Before the image is opened: a wrong key on the command line is wrong usage, whatever the
    # image.
    secret = None if key is None else _read_key(key)
    with opened_image(screen, place.host) as raw:
        payload = unwrap(raw.flash.image, key=secret, address=place.address or 0, force=unchecked)
    _print_proof(screen, write_new(screen, out, payload, force=force))


def _print_proof(screen: Screen, written: Written) -> None:
    if screen.json:
        screen.emit({"written": written_json([written]), "changed": written.changed})
    else:
        draw_written(screen, [written])


def _read_key(text: str) -> bytes:
    """Return a key given as hex digits, or in a file of 16 bytes or 32 hex digits."""
    from maixfs.firmware.container import KEY_SIZE, FirmwareError, parse_key

    if not text.startswith("@"):
        try:
            return parse_key(text)
        except FirmwareError as error:
            raise WrongUsage(
                f"--key: {error}", hint="--key takes 32 hex digits, or @FILE with 16 bytes"
            ) from error
    from maixfs.host.files import read_file

    data = read_file(Path(text[1:]))
    return data if len(data) == KEY_SIZE else parse_key(data.decode("ascii", "replace").strip())
