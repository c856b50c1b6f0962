"""``maixfs kboot``: what Kboot starts, and how to have it start something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.flash.catalogue import KBOOT_VERBS
from maixfs.cli.flash.editing import edited_image
from maixfs.cli.flash.image import IMAGE, ImagePlace, opened_image
from maixfs.cli.numbers import SIZE
from maixfs.cli.options import bytes_option, json_option
from maixfs.cli.proof import draw_written, written_json
from maixfs.cli.screen import Column, Part, Screen, Text
from maixfs.cli.verbgroup import verb_of
from maixfs.cli.wording import hex_text
from maixfs.errors import ImageError, UsageError

if TYPE_CHECKING:
    from maixfs.firmware import BootChoice, BootConfig, EntryVerdict, Kboot

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


@verb_of(
    "kboot",
    "show",
    KBOOT_VERBS,
    ("maixfs kboot show krux.bin", "Every entry, would it start, and which one does."),
    ("maixfs kboot show krux.bin --json", "The same for a program."),
)
@click.argument("place", metavar="IMG", type=IMAGE)
@bytes_option
@json_option
def show_verb(screen: Screen, place: ImagePlace) -> int:
    """The main configuration lies at 0x004000, the backup at 0x005000; the first entry that is
    active and valid starts, else the application at 0x010000. The exit code is 1 where nothing
    would.
    """
    with opened_image(screen, place.host) as raw:
        kboot = _kboot_in(raw.view, place)
    if screen.json:
        screen.emit({"target": str(place), **kboot_json(kboot)})
    else:
        screen.line(Text(str(place), "heading"), f"  {kboot.version}")
        screen.line()
        screen.table(COLUMNS, [_row(screen, one) for one in kboot.verdicts])
        screen.line()
        pin: Part = _pin_text(kboot.main)
        screen.facts([("boot pin", pin), ("starts", _choice_text(kboot.choice))])
        for one in kboot.verdicts:
            if not one.ok:
                where = f"{one.config} {one.entry.number}: {one.reason}"
                screen.paragraph("  ", Text("note:", "warning"), where)
    return int(kboot.choice.source == "halt")


def _kboot_in(view: memoryview, place: ImagePlace) -> Kboot:
    from maixfs.firmware import read_kboot

    kboot = read_kboot(view)
    if kboot is None:
        raise ImageError(
            f"{place}: there is no Kboot (its name is not at 0x001009)",
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
                "config": one.config,
                **one.entry._asdict(),
                "active": one.entry.active,
                "checks": _checks(one),
                "ok": one.ok,
                "reason": one.reason,
            }
            for one in kboot.verdicts
        ],
        "choice": kboot.choice._asdict(),
    }


def _checks(one: EntryVerdict) -> list[str]:
    entry = one.entry
    named = (
        ("size", entry.check_size),
        ("sha256", entry.check_sha),
        ("crc32", entry.check_crc),
    )
    return [name for name, on in named if on]


def _row(screen: Screen, one: EntryVerdict) -> list[Part]:
    entry = one.entry
    return [
        one.config,
        str(entry.number),
        entry.name,
        hex_text(entry.address),
        screen.cell(entry.size),
        "yes" if entry.active else "no",
        ", ".join(_checks(one)) or "none",
        Text("would", "good") if one.ok else Text("would not", "bad"),
    ]


def _pin_text(config: BootConfig) -> str:
    if config.silent:
        return "not looked at: silent boot"
    return "Kboot's own" if config.boot_pin is None else str(config.boot_pin)


def _choice_text(choice: BootChoice) -> Text:
    if choice.source == "halt":
        return Text(f"nothing: {choice.reason}", "bad")
    what = f"{choice.name!r} at {hex_text(choice.address)}, {choice.size} bytes"
    return Text(f"{what}: {choice.reason}", "good")


@verb_of(
    "kboot",
    "set",
    KBOOT_VERBS,
    ("maixfs kboot set krux.bin 0 --address 0x390000", "Start the application in slot 2."),
    ("maixfs kboot set krux.bin 1 --active no", "Leave an entry there, but do not start it."),
)
@click.argument("place", metavar="IMG", type=IMAGE)
@click.argument("number", metavar="[ENTRY]", type=click.IntRange(0, 7), required=False)
@click.option("--address", type=SIZE, help="Where its application lies; size and CRC are taken.")
@click.option("--name", help="Its name (default: as it was, or firmware).")
@click.option("--active", type=click.BOOL, metavar="YES|NO", help="Whether Kboot starts it.")
@click.option("--clear", is_flag=True, help="Remove the entry.")
@click.option("--silent", is_flag=True, help="Print nothing at boot, look at no pin.")
@click.option("--boot-pin", type=click.IntRange(0, 63), help="The pin that brings up the menu.")
@click.option(
    "--config",
    type=click.Choice(WHICH),
    default="main",
    metavar="CONFIG",
    help="Which configuration: main (default), backup or both.",
)
@click.option("-f", "--force", is_flag=True, help="Also where nothing would start any more.")
@bytes_option
@json_option
def set_verb(screen: Screen, place: ImagePlace, config: str, force: bool, **wanted: Any) -> None:
    """ENTRY is a number from 0 to 7; without it only --silent and --boot-pin can be set. It is
    refused to leave an image with which Kboot starts nothing, unless forced. What is written is
    judged as Kboot judges it.
    """
    from maixfs.firmware import read_kboot
    from maixfs.firmware.kboot import CONFIG_BACKUP, CONFIG_MAIN, CONFIG_SIZE

    change = _change_of(wanted)
    sectors = {"main": (CONFIG_MAIN,), "backup": (CONFIG_BACKUP,)}
    both = (CONFIG_MAIN, CONFIG_BACKUP)
    with edited_image(place.host) as editor:
        _kboot_in(editor.view, place)
        for address in sectors.get(config, both):
            old = bytes(editor.view[address : address + CONFIG_SIZE])
            editor.write(address, change(editor.view, old))
        kboot = read_kboot(editor.view)
        if kboot is None or (kboot.choice.source == "halt" and not force):
            reason = kboot.choice.reason if kboot else "Kboot is gone"
            raise UsageError(
                f"Kboot would start nothing then: {reason}", hint="--force writes it all the same"
            )
        written = editor.save(screen)
    if screen.json:
        proof = {"written": written_json([written]), "changed": written.changed}
        screen.emit({"target": str(place), **kboot_json(kboot), **proof})
        return
    screen.line("Kboot starts ", _choice_text(kboot.choice))
    draw_written(screen, [written])


def _change_of(wanted: dict[str, Any]) -> Callable[[memoryview, bytes], bytes]:
    """Return what turns an old sector into the new one; ``UsageError`` for what makes no sense."""
    number, clear = wanted["number"], wanted["clear"]
    entry_given = any(wanted[key] is not None for key in ("address", "name", "active"))
    flags_given = wanted["silent"] or wanted["boot_pin"] is not None
    if number is None and (entry_given or clear):
        raise UsageError("which entry? ENTRY is a number from 0 to 7")
    if clear and entry_given:
        raise UsageError("--clear removes the entry: it has no other settings")
    if not (entry_given or clear or flags_given):
        raise UsageError("nothing to change", hint="maixfs kboot set --help")

    def change(view: memoryview, sector: bytes) -> bytes:
        from maixfs.firmware import clear_entry, set_boot_flags

        if clear:
            sector = clear_entry(sector, number)
        elif entry_given:
            sector = _with_entry(view, sector, wanted)
        if flags_given:
            sector = set_boot_flags(sector, silent=wanted["silent"], pin=wanted["boot_pin"])
        return sector

    return change


def _with_entry(view: memoryview, sector: bytes, wanted: dict[str, Any]) -> bytes:
    """Return the sector with the entry made for an application, or changed."""
    from maixfs.firmware import entry_for, make_entry, read_config, set_entry

    number, active = wanted["number"], wanted["active"]
    old = read_config(sector).entries[number]
    name = wanted["name"] or (old.name if old.present else "firmware")
    if wanted["address"] is not None:
        switched = True if active is None else active
        entry = entry_for(view, wanted["address"], name, number=number, active=switched)
        return set_entry(sector, entry)
    if not old.present:
        raise UsageError(f"there is no entry {number}", hint="--address says its application")
    entry = make_entry(
        number,
        old.address,
        old.size,
        name,
        crc32=old.crc32,
        active=old.active if active is None else active,
        check_crc=old.check_crc,
        check_sha=old.check_sha,
        check_size=old.check_size,
    )
    return set_entry(sector, entry)
