"""``maixfs kboot``: the entries of Kboot, the boot loader of Krux and LoBo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.flash.image import IMAGE, ImagePlace, commit_flash, edited_image, opened_image
from maixfs.cli.options import SIZE, bytes_option, json_option
from maixfs.cli.proof import draw_written, written_json
from maixfs.cli.screen import Column, Part, Progress, Screen, Text, hex_text
from maixfs.cli.verb import group, verb
from maixfs.errors import ImageError, UsageError

if TYPE_CHECKING:
    from maixfs.firmware.kboot import BootChoice, BootConfig, EntryVerdict, Kboot


ABOUT = """\
Kboot, at the start of a flash, starts one of several applications. Two configuration sectors with
eight entries each select it. Entries are checked as Kboot checks them.
"""

kboot = group(
    "kboot",
    ABOUT,
    ("maixfs kboot show krux.bin", "Show every entry, and the one that starts."),
    ("maixfs kboot set krux.bin 0 --address 0x390000", "Start the application in slot 2."),
)


COLUMNS = [
    Column("config"),
    Column("nr", right=True),
    Column("name"),
    Column("address", right=True),
    Column("size", right=True),
    Column("active"),
    Column("checks"),
    Column("starts"),
]
WHICH = ("main", "backup", "both")


@verb(
    "kboot show",
    ("maixfs kboot show krux.bin", "Show every entry, and the one that starts."),
    ("maixfs kboot show krux.bin --json", "Print the entries as JSON."),
)
@click.argument("place", metavar="IMG", type=IMAGE)
@bytes_option
@json_option
def show_verb(screen: Screen, place: ImagePlace) -> int:
    """The main configuration is at 0x004000, the backup at 0x005000. The first active and valid
    entry starts, otherwise the application at 0x010000. The exit code is 1 if nothing starts.
    """
    with opened_image(screen, place.host) as raw:
        kboot = _kboot_in(raw.flash.image, place)
    if screen.json:
        screen.emit({"target": str(place), **kboot_json(kboot)})
    else:
        screen.line(Text(str(place), "heading"), f"  {kboot.version}")
        screen.line()
        screen.table(COLUMNS, [_row(screen, verdict) for verdict in kboot.verdicts])
        screen.line()
        pin: Part = _pin_text(kboot.main)
        screen.facts([("boot pin", pin), ("starts", _choice_text(kboot.choice))])
        for verdict in kboot.verdicts:
            if not verdict.ok:
                where = f"{verdict.config} {verdict.entry.number}: {verdict.reason}"
                screen.paragraph("  ", Text("note:", "warning"), where)
    return int(kboot.choice.source == "halt")


def _kboot_in(view: memoryview, place: ImagePlace) -> Kboot:
    from maixfs.firmware.kboot import read_kboot

    kboot = read_kboot(view)
    if kboot is None:
        raise ImageError(
            f"{place} has no Kboot (its name is not at 0x001009)",
            hint=f"maixfs info {place.host}",
        )
    return kboot


def kboot_json(kboot: Kboot) -> dict[str, Any]:
    """Return what ``--json`` says of a Kboot."""
    return {
        "version": kboot.version,
        "silent": kboot.main.silent,
        "boot_pin": kboot.main.boot_pin,
        "entries": [
            {
                "config": verdict.config,
                **verdict.entry._asdict(),
                "active": verdict.entry.active,
                "checks": _checks(verdict),
                "ok": verdict.ok,
                "reason": verdict.reason,
            }
            for verdict in kboot.verdicts
        ],
        "choice": kboot.choice._asdict(),
    }


def _checks(verdict: EntryVerdict) -> list[str]:
    entry = verdict.entry
    named = (
        ("size", entry.check_size),
        ("sha256", entry.check_sha),
        ("crc32", entry.check_crc),
    )
    return [name for name, on in named if on]


def _row(screen: Screen, verdict: EntryVerdict) -> list[Part]:
    entry = verdict.entry
    return [
        verdict.config,
        str(entry.number),
        entry.name,
        hex_text(entry.address),
        screen.cell(entry.size),
        "yes" if entry.active else "no",
        ", ".join(_checks(verdict)) or "none",
        Text("yes", "good") if verdict.ok else Text("no", "bad"),
    ]


def _pin_text(config: BootConfig) -> str:
    if config.silent:
        return "not read: silent boot"
    return "Kboot's default" if config.boot_pin is None else str(config.boot_pin)


def _choice_text(choice: BootChoice) -> Text:
    if choice.source == "halt":
        return Text(f"nothing: {choice.reason}", "bad")
    what = f"{choice.name!r} at {hex_text(choice.address)}, {choice.size} bytes"
    return Text(f"{what}: {choice.reason}", "good")


@verb(
    "kboot set",
    ("maixfs kboot set krux.bin 0 --address 0x390000", "Start the application in slot 2."),
    ("maixfs kboot set krux.bin 1 --active no", "Disable an entry."),
)
@click.argument("place", metavar="IMG", type=IMAGE)
@click.argument("number", metavar="[ENTRY]", type=click.IntRange(0, 7), required=False)
@click.option(
    "--address", type=SIZE, help="Address of the application; its size and CRC are stored."
)
@click.option("--name", help="Name (default: unchanged, or firmware).")
@click.option("--active", type=click.BOOL, metavar="YES|NO", help="Whether Kboot may start it.")
@click.option("--clear", is_flag=True, help="Remove the entry.")
@click.option("--silent", is_flag=True, help="Print nothing at boot and read no pin.")
@click.option(
    "--boot-pin", type=click.IntRange(0, 63), help="Number of the pin that opens the menu."
)
@click.option(
    "--config",
    type=click.Choice(WHICH),
    default="main",
    metavar="CONFIG",
    help="Configuration: main (default), backup or both.",
)
@click.option("-f", "--force", is_flag=True, help="Write even if nothing starts afterwards.")
@bytes_option
@json_option
def set_verb(screen: Screen, place: ImagePlace, config: str, force: bool, **wanted: Any) -> None:
    """ENTRY is a number from 0 to 7; --silent and --boot-pin need none. A change after which Kboot
    starts nothing is refused unless --force is used. Values are checked as Kboot checks them.
    """
    from maixfs.firmware.kboot import CONFIG_SIZE, read_kboot
    from maixfs.firmware.kbootedit import SECTORS, ConfigChange, changed_config

    change = ConfigChange(**wanted)
    change.check()
    with edited_image(place.host) as image:
        _kboot_in(image.flash.image, place)
        for name, address in SECTORS.items():
            if config in (name, "both"):
                old = bytes(image.flash.image[address : address + CONFIG_SIZE])
                image.write(address, changed_config(image.flash.image, old, change))
        kboot = read_kboot(image.flash.image)
        if kboot is None or (kboot.choice.source == "halt" and not force):
            reason = kboot.choice.reason if kboot else "Kboot was overwritten"
            raise UsageError(
                f"Kboot would start nothing: {reason}", hint="--force writes it anyway"
            )
        with Progress(screen, rates=True) as progress:
            written = commit_flash(image, progress)
    if screen.json:
        proof = {"written": written_json([written]), "changed": written.changed}
        screen.emit({"target": str(place), **kboot_json(kboot), **proof})
        return
    screen.line("Kboot starts ", _choice_text(kboot.choice))
    draw_written(screen, [written])
