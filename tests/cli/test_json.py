"""The keys of what ``--json`` prints: a program that knows version 1 relies on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ReadJson = Callable[..., dict[str, Any]]

ENTRY = "name path type size pages object_id stored_name_hex readable fault"
ROOM = (
    "page_size block_size data_size total_pages used_pages deleted_pages free_pages spare_blocks"
    " files total used deleted free"
)
FILE = "path size sha256 changed note"
WRITTEN = "path size sha256"
SCHEMA: dict[tuple[str, ...], dict[str, str]] = {
    ("ls", "board"): {"": "targets", "targets": "target folder entries", "targets entries": ENTRY},
    ("tree", "board"): {
        "": "targets",
        "targets": "target folder entries",
        "targets entries": ENTRY,
    },
    ("cat", ":main.py"): {"": "files", "files": f"target {ENTRY} sha256 data_base64"},
    ("stat", ":lib"): {
        "": "entries",
        "entries": f"target {ENTRY} data_pages index_pages page address on_flash meta_hex",
    },
    ("stat", ":main.py"): {
        "": "entries",
        "entries": f"target {ENTRY} data_pages index_pages page address on_flash meta_hex",
    },
    ("df", "board"): {"": "targets", "targets": f"target mount_point {ROOM}"},
    ("du", "board"): {
        "": "targets",
        "targets": "target folder entries size pages on_flash",
        "targets entries": ENTRY,
    },
    ("du", "-s", "board"): {"": "targets", "targets": "target folder entries size pages on_flash"},
    ("new", "other"): {"": "board from_dump part flash_size driver geometry sd"},
    ("info", "board"): {"room": ROOM, "board": "part driver profile holder"},
    ("cp", "src/boot.py", ":"): {
        "": "dry_run files written warnings",
        "files": FILE,
        "written": WRITTEN,
    },
    ("cp", "-n", "src/boot.py", ":"): {
        "": "dry_run steps warnings",
        "steps": "source destination size action note",
    },
    ("rm", ":main.py"): {
        "": "dry_run targets",
        "targets": "target removed written",
        "targets removed": "path size",
        "targets written": WRITTEN,
    },
    ("mv", ":main.py", ":x.py"): {
        "": "dry_run target moved written",
        "moved": "from to",
        "written": WRITTEN,
    },
    ("gc", "board"): {"": "target freed_pages room written", "room": ROOM},
    ("mkfs", "new.img"): {"": "written changed", "written": WRITTEN},
    ("pack", "src", "-o", "new.img"): {
        "": "written changed files pages warnings",
        "written": WRITTEN,
    },
    ("unpack", "board", "out"): {"": "folder files left_out", "files": FILE},
}


def at(document: Any, way: str) -> Any:
    """Return the first object on a way of keys."""
    for key in way.split():
        document = document[key]
        if isinstance(document, list):
            document = document[0]
    return document


@pytest.mark.parametrize("line", SCHEMA, ids=" ".join)
def test_json_of_each_verb_has_its_keys(
    line: tuple[str, ...], read_json: ReadJson, place: Path
) -> None:
    document = read_json(*line)
    for way, keys in SCHEMA[line].items():
        assert set(at(document, way)) == set(keys.split()), way


def test_info_shows_all_facts(read_json: ReadJson, place: Path) -> None:
    known = set(read_json("info", "dump.bin"))
    assert known >= {"kind", "target", "size", "board", "mount_point", "geometry", "preset"}
    assert known >= {"confidence", "reasons", "room", "firmware", "findings", "healthy"}
    assert known >= {"mkspiffs", "spiffsgen", "block_erases", "sector_erases"}
