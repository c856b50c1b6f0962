"""The recordings of the C under tests/data/cuts and tests/data/fatcuts: scripts and their truth.

What is true before and after each line of a script is worked out here, held against truth.json,
and decides what a file may read as when power went during the line.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from golden.corpus import source_bytes, stored_name

Files = dict[bytes, bytes]
Found = dict[bytes, bytes | str]
"""What a reader found: contents by name, or the error as a word."""
DATA = Path(__file__).parent.parent / "data"


@dataclass(frozen=True)
class Line:
    """One line of a script; ``names`` are the files that it has in flight."""

    text: str

    @cached_property
    def words(self) -> list[str]:
        return self.text.split(" ")

    @property
    def verb(self) -> str:
        return self.words[0]

    @cached_property
    def names(self) -> list[bytes]:
        count = 2 if self.verb == "rename" else 1
        return [stored_name(word) for word in self.words[1 : 1 + count]]

    @property
    def offset(self) -> int:
        """Where a pwrite begins, 0 for the other verbs."""
        return int(self.words[2]) if self.verb == "pwrite" else 0

    @cached_property
    def data(self) -> bytes:
        """What put, append and pwrite write."""
        return source_bytes(self.words[3 if self.verb == "pwrite" else 2])

    @property
    def pieces(self) -> list[bytes]:
        """The data in the pieces in which the script writes it; one empty piece for no data."""
        at = 4 if self.verb == "pwrite" else 3
        data = self.data
        size = int(self.words[at]) if len(self.words) > at else len(data)
        return [data[start : start + size] for start in range(0, len(data), size or 1)] or [b""]

    def touches(self, name: bytes) -> bool:
        return any(name == hot or name.startswith(hot + b"/") for hot in self.names)


@dataclass
class Tree:
    """Files and folders at one time."""

    files: Files = field(default_factory=dict)
    folders: set[bytes] = field(default_factory=set)

    def after(self, line: Line) -> Tree:
        """Return the tree after a line of a script."""
        files, folders, name = dict(self.files), set(self.folders), line.names[0]
        if line.verb == "mkdir":
            folders.add(name)
        elif line.verb == "put":
            files[name] = line.data
        elif line.verb == "append":
            files[name] = files.get(name, b"") + line.data
        elif line.verb == "pwrite":
            old, end = files[name], line.offset + len(line.data)
            files[name] = old[: line.offset] + line.data + old[end:]
        elif line.verb == "rm":
            files.pop(name, None)
            folders.discard(name)
        elif line.verb == "rename":
            new = line.names[1]
            files = {_moved(path, name, new): data for path, data in files.items()}
            folders = {_moved(path, name, new) for path in folders}
        else:
            raise ValueError(line.text)
        return Tree(files, folders)


def _moved(path: bytes, old: bytes, new: bytes) -> bytes:
    inside = path == old or path.startswith(old + b"/")
    return new + path[len(old) :] if inside else path


Parts = dict[str, Callable[[Line, bytes, bytes, bytes], bool]]
"""For each verb: may a file read as ``data``, when it was ``old`` and was to be ``new``?"""


@dataclass(frozen=True)
class Verdict:
    """What a power cut cost.

    ``lost``: files that were closed and not in flight and do not read as they were, with what
    they read as instead. ``flight``: old, new, part (an allowed state between), both (names of a
    rename), gone, unreadable or wrong. ``strange``: names that never were.
    """

    lost: dict[bytes, str]
    flight: str
    strange: list[bytes]


class RecordedSet:
    """A folder of recordings: manifest, lines, and the trees before and after each line."""

    def __init__(self, folder: Path, parts: Parts) -> None:
        self.parts = parts
        self.folder = folder
        self.name = folder.name
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
        self.lines = self._lines("script.txt")
        tree = Tree()
        for line in self._lines("setup.txt"):
            tree = tree.after(line)
        self.trees = [tree]
        self.known: list[set[bytes]] = [set(tree.files)]
        """Names that were in use up to each line: others are strange."""
        for line in self.lines:
            tree = tree.after(line)
            self.trees.append(tree)
            self.known.append(self.known[-1] | set(tree.files))

    def log(self, magic: bytes, record: str) -> tuple[list[tuple[Any, ...]], bytes]:
        """Return the records of log.bin.xz and the data behind them."""
        raw = lzma.decompress((self.folder / "log.bin.xz").read_bytes())
        if not raw.startswith(magic):
            raise ValueError(f"{self.folder} has no log")
        (count,) = struct.unpack_from("<I", raw, len(magic))
        start, size = len(magic) + 4, struct.calcsize(record)
        end = start + count * size
        return list(struct.iter_unpack(record, raw[start:end])), raw[end:]

    def differences_from_truth(self) -> list[str]:
        """Return the lines after which the trees are not those that the C left."""
        truth = json.loads((self.folder / "truth.json").read_bytes())
        contents = [tuple(content) for content in truth["contents"]]
        wrong = []
        for tree, after in zip(self.trees[1:], truth["operations"], strict=True):
            files = {stored_name(name): contents[at] for name, at in after["files"].items()}
            folders = {stored_name(name) for name in after.get("folders", ())}
            digests = {
                name: (len(data), hashlib.sha256(data).hexdigest())
                for name, data in tree.files.items()
            }
            if digests != files or tree.folders != folders:
                wrong.append(after["line"])
        return wrong

    def judge(self, at: int, found: Found | str) -> Verdict:
        """Judge what was found after a cut in line ``at`` (one past the last: after all).

        ``found`` is a word where the volume does not mount.
        """
        old = self.trees[at].files
        if at == len(self.lines):
            line, new = None, old
        else:
            line, new = self.lines[at], self.trees[at + 1].files
        quiet = {n: data for n, data in old.items() if line is None or not line.touches(n)}
        if isinstance(found, str):
            return Verdict(dict.fromkeys(quiet, found), "unreadable", [])
        lost = {
            name: _loss(found.get(name)) for name, data in quiet.items() if found.get(name) != data
        }
        strange = [
            name
            for name in found
            if name not in self.known[at] and (line is None or not line.touches(name))
        ]
        flight = "new" if line is None else in_flight(line, old, new, found, self.parts)
        return Verdict(lost, flight, strange)

    def _lines(self, name: str) -> list[Line]:
        text = (self.folder / name).read_text(encoding="utf-8")
        return [Line(line) for line in text.splitlines() if line.strip()]


def _loss(found: bytes | str | None) -> str:
    if found is None:
        return "missing"
    return found if isinstance(found, str) else "other bytes"


def in_flight(line: Line, old: Files, new: Files, found: Found, parts: Parts) -> str:
    """Return what became of the file that a line had in flight; see ``Verdict``.

    ``parts`` has for each verb what a file may read as besides its old and new contents.
    """
    if line.verb in ("mkdir", "rename"):
        return "new" if line.verb == "mkdir" else _renamed(line, old, found)
    name = line.names[0]
    data, before, after = found.get(name), old.get(name), new.get(name)
    if isinstance(data, str):
        return "unreadable"
    if data is None:
        return "new" if after is None else "old" if before is None else "gone"
    if data in (before, after):
        return "old" if data == before else "new"
    return "part" if parts[line.verb](line, before or b"", after or b"", data) else "wrong"


def _renamed(line: Line, old: Files, found: Found) -> str:
    """Judge a rename: each file of it under the old name, the new or both, and whole."""
    state = "old"
    for name in filter(line.touches, old):
        moved = _moved(name, *line.names)
        seen = [found[place] for place in (name, moved) if place in found]
        if not seen:
            return "gone"
        if any(data != old[name] for data in seen):
            return "unreadable" if any(isinstance(data, str) for data in seen) else "wrong"
        state = "both" if len(seen) == 2 else "old" if name in found else "new"
    return state


def _begun(line: Line, old: bytes, new: bytes, data: bytes) -> bool:
    return new.startswith(data)


def _begun_or_shortened(line: Line, old: bytes, new: bytes, data: bytes) -> bool:
    return new.startswith(data) or old.startswith(data)


def _appended(line: Line, old: bytes, new: bytes, data: bytes) -> bool:
    return new.startswith(data) and len(data) >= len(old)


def _shortened(line: Line, old: bytes, new: bytes, data: bytes) -> bool:
    return old.startswith(data)


def _overwritten_upwards(line: Line, old: bytes, new: bytes, data: bytes) -> bool:
    """The new bytes up to some place and the old ones from there on."""
    if len(data) > len(old):
        return new.startswith(data)
    place = next((at for at in range(len(data)) if data[at] != new[at]), len(data))
    return len(data) == len(old) and data[place:] == old[place:]


def _overwritten(line: Line, old: bytes, new: bytes, data: bytes) -> bool:
    """Every byte of the range that is written is the old or the new one; all others are old."""
    middle = range(line.offset, min(len(data), len(new)))
    return (
        len(data) in (len(old), len(new))
        and data[: line.offset] == old[: line.offset]
        and all(data[at] in (new[at], *old[at : at + 1]) for at in middle)
    )


SPIFFS_PARTS: Parts = {
    "put": _begun_or_shortened,
    "append": _appended,
    "rm": _shortened,
    "pwrite": _overwritten_upwards,
}
FAT_PARTS: Parts = {"put": _begun, "append": _appended, "pwrite": _overwritten}
FAT_PARTS["rm"] = lambda line, old, new, data: False
