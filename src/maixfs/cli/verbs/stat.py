"""``maixfs stat``: show all details of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.options import PLACE, json_option
from maixfs.cli.screen import Part, Screen, Text, count_text, hex_text, size_text
from maixfs.cli.targets import by_host, entry_json, opened, where_options
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.image.entries import Where
    from maixfs.image.volume import ImageEntry, Volume


@verb(
    "stat",
    ("maixfs stat board:/flash/main.py", "Size, pages, object id and the address of the header."),
    ("maixfs stat --json 'dump.bin:**'", "Details of all files and folders, for a program."),
)
@click.argument("places", metavar="TARGET:PATH...", nargs=-1, required=True, type=PLACE)
@json_option
@where_options
def stat(screen: Screen, places: tuple[str, ...], where: Where) -> int:
    """PATH may be a pattern (*, ?, [...], ** for any folders; quote it). The exit code is 1 if
    one of the files cannot be read to its end.
    """
    details: list[dict[str, Any]] = []
    faulty = False
    for host, paths in by_host(places, "stat").items():
        with opened(screen, host, where) as target:
            for entry in (entry for path in paths for entry in target.find(path)):
                volume = target.volume(entry.path)
                facts = volume.facts(entry)
                details.append({"target": str(host), **entry_json(entry, volume), **facts})
                faulty |= entry.fault is not None
                if not screen.json:
                    _draw(screen, entry, volume, facts)
    if screen.json:
        screen.emit({"entries": details})
    return int(faulty)


def _draw(screen: Screen, entry: ImageEntry, volume: Volume, facts: dict[str, Any]) -> None:
    screen.line(Text(entry.path, "folder" if entry.is_dir else "heading"))
    rows: list[tuple[str, Part]] = [("size", _size(entry.size))]
    if volume.format == "SPIFFS":
        rows += _on_flash(entry, facts)
    elif volume.format.startswith("FAT"):
        rows += _on_card(entry, facts)
    elif entry.modified is not None:
        rows.append(("written", entry.modified.isoformat(" ")))
    if not entry.is_dir:
        fault: Part = Text(f"no: {entry.fault}", "bad") if entry.fault else Text("yes", "good")
        rows.append(("readable", fault))
    screen.facts(rows)


def _on_flash(entry: ImageEntry, facts: dict[str, Any]) -> list[tuple[str, Part]]:
    if entry.is_dir:
        kind = "folder: part of the names of files"
        return [("pages", str(entry.units)), ("kind", kind)]
    parts = f"{facts['index_pages']} index, {facts['data_pages']} data"
    stored = entry.native.raw_name.decode("utf-8", "surrogateescape")
    return [
        ("pages", f"{entry.units} ({parts}), {size_text(facts['on_flash'])} of flash"),
        ("object id", f"0x{entry.native.object_id:04X}"),
        ("index header", f"page {facts['page']} at {hex_text(facts['address'])}"),
        ("stored name", f"{stored}  ({count_text(len(entry.native.raw_name), 'byte')})"),
        *([("meta", facts["meta_hex"])] if facts["meta_hex"] else []),
    ]


def _on_card(entry: ImageEntry, facts: dict[str, Any]) -> list[tuple[str, Part]]:
    taken = f"{count_text(entry.units, 'cluster')}, {size_text(entry.on_medium)} of the card"
    first = facts["first_cluster"]
    rows: list[tuple[str, Part]] = [
        ("clusters", f"{taken}, the first is {first}" if first and not entry.is_dir else taken)
    ]
    if entry.native.short_name:
        rows.append(("short name", entry.native.short_name))
    if entry.native.attributes:
        rows.append(("attributes", ", ".join(facts["attribute_names"])))
    if entry.modified is not None:
        rows.append(("written", entry.modified.isoformat(" ")))
    rows += [
        (name, facts[name].replace("T", " ")) for name in ("created", "accessed") if facts[name]
    ]
    return rows


def _size(size: int) -> str:
    exact = count_text(size, "byte")
    return exact if size < 1024 else f"{exact} ({size_text(size)})"
