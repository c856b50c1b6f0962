"""``maixfs cat``: write the bytes of files to stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maixfs.cli.options import PLACE, json_option
from maixfs.cli.screen import Screen
from maixfs.cli.targets import by_host, entry_json, opened, where_options
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.image.entries import Where


@verb(
    "cat",
    ("maixfs cat board:/flash/main.py", "Show a file."),
    ("maixfs cat dump.bin:photo.jpg > photo.jpg", "Copy a file to this computer."),
)
@click.argument("places", metavar="TARGET:PATH...", nargs=-1, required=True, type=PLACE)
@json_option
@where_options
def cat(screen: Screen, places: tuple[str, ...], where: Where) -> None:
    """PATH may be a pattern (*, ?, [...]; quote it). The bytes are written unchanged, in the
    order of the arguments; nothing is written if one of the files cannot be read. With --json
    they are in base64.
    """
    files: list[tuple[dict[str, object], bytes]] = []
    for place in places:
        for host, paths in by_host([place], "cat").items():
            with opened(screen, host, where) as target:
                for entry in (entry for path in paths for entry in target.find(path)):
                    about = entry_json(entry, target.volume(entry.path))
                    if entry.reading_note:
                        screen.note(f"{host}:{entry.path}: {entry.reading_note}")
                    files.append(({"target": str(host), **about}, target.read_bytes(entry.path)))
    if screen.json:
        screen.emit({"files": [{**about, **_encoded(data)} for about, data in files]})
        return
    for _, data in files:
        # As bytes: text would get other line ends on Windows.
        click.echo(data, nl=False)


def _encoded(data: bytes) -> dict[str, str]:
    import base64
    import hashlib

    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "data_base64": base64.b64encode(data).decode("ascii"),
    }
