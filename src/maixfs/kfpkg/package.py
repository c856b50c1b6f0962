"""Packages: their parts, reading them leniently, writing them so that every flasher reads them."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath
from posixpath import dirname, join
from typing import BinaryIO

from maixfs.errors import DeviceError
from maixfs.firmware import begins_like_payload, wrap
from maixfs.firmware.container import WRAPPER_SIZE
from maixfs.host.files import read_file
from maixfs.kfpkg.archive import MAX_TOTAL, Archive, KfpkgError, safe_name
from maixfs.kfpkg.flashlist import ADDRESS_END, MAX_PARTS, ListEntry, read_list
from maixfs.kmodel import reverse_words
from maixfs.nor import Buffer
from maixfs.nor.device import SECTOR
from maixfs.tuples import NamedTuple

LIST_NAME = "flash-list.json"
VERSION = "0.1.0"
"""The version of the list that every flasher knows."""
_WORD = 4


class Part(NamedTuple):
    """A file of a package and its place in the flash."""

    address: int
    name: str
    """As in the list, folders included."""
    data: bytes
    """As stored in the package."""
    sha256_prefix: bool
    """Whether the flasher wraps it as firmware: header in front, hash behind."""
    reverse4: bool = False
    """Whether Kendryte's flasher reverses the bytes of each word."""
    swap: bool = False
    """The same for LoBo's ktool."""
    extra: tuple[tuple[str, str], ...] = ()
    """Other keys of the list and their values, as JSON."""

    @property
    def is_reversed(self) -> bool:
        """Whether a flasher that knows these keys reverses the bytes of each word."""
        return self.reverse4 or self.swap

    @property
    def size(self) -> int:
        """Bytes that it takes in the flash, header and hash included."""
        size = len(self.data) + (WRAPPER_SIZE if self.sha256_prefix else 0)
        return size + -size % _WORD if self.is_reversed else size

    def flashed(self, *, dio: bool = False) -> bytes:
        """Return the bytes that a flasher writes.

        ``dio`` is a flag that some flashers set in the header. Raises ``FirmwareError`` for data
        that cannot be wrapped.
        """
        data = wrap(self.data, dio=dio) if self.sha256_prefix else self.data
        return reverse_words(data) if self.is_reversed else data


class Package(NamedTuple):
    """The content of a package; the parts are in the order in which they are written."""

    version: str
    """As in the list; empty if it has none."""
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    """What is unusual but was understood, a sentence each."""


# Reading

MAX_PACKAGE = 128 << 20
"""Bytes of a package; real ones, with firmware, models and a file system, have a tenth."""
_NAMES_SHOWN = 5


def read_kfpkg(source: str | Path | Buffer) -> Package:
    """Read a package from a file or from its bytes.

    Lists that some flashers refuse are read if their meaning is clear; ``notes`` says what is
    unusual. Raises ``KfpkgError`` for data that is no package or damaged, for names of files that
    are missing or lead out of the package, and for more data than a flash can hold.
    """
    if not isinstance(source, str | Path):
        return _parse(bytes(source))
    data = _load(Path(source))
    try:
        return _parse(data)
    except KfpkgError as error:
        raise error.inside(str(source)) from error


def _parse(data: bytes) -> Package:
    archive = Archive(data)
    place = _list_place(archive)
    listed = read_list(archive.read(place))
    folder = dirname(place)
    notes = [*archive.notes, *listed.notes]
    if folder:
        notes.append(f"{LIST_NAME} is in the folder {folder}: no flasher finds it there")
    parts = tuple(_part(entry, archive, folder) for entry in listed.entries)
    # One file may go to many addresses, so the archive's own limit does not bound the flash.
    total = sum(part.size for part in parts)
    if total > MAX_TOTAL:
        raise KfpkgError(
            f"the list puts {total:#x} bytes into the flash, more than {MAX_TOTAL:#x}"
        )
    taken = {place, *(join(folder, safe_name(part.name)) for part in parts)}
    unused = [name for name in archive.names if name not in taken]
    if unused:
        notes.append(f"not in the list, so never flashed: {_some(unused)}")
    return Package(listed.version, parts, tuple(notes))


def _load(path: Path) -> bytes:
    try:
        return read_file(path, MAX_PACKAGE)
    except DeviceError as error:
        raise KfpkgError(str(error), hint=error.hint) from error


def _list_place(archive: Archive) -> str:
    """Return the path of the list: at the top, or in a folder that was packed as a whole."""
    if LIST_NAME in archive.names:
        return LIST_NAME
    places = [name for name in archive.names if name.rpartition("/")[2] == LIST_NAME]
    if len(places) == 1:
        return places[0]
    what = _some(list(archive.names)) or "nothing"
    raise KfpkgError(
        f"the archive has no {LIST_NAME}, so it is no package; it contains {what}",
        hint=f"add a {LIST_NAME} that names the files and their addresses",
    )


def _part(entry: ListEntry, archive: Archive, folder: str) -> Part:
    name = safe_name(entry.bin)
    place = join(folder, name)
    if place not in archive.names:
        hint = f"it contains {_some([name for name in archive.names if name != LIST_NAME])}"
        raise KfpkgError("is in the list, but not in the package", member=entry.bin, hint=hint)
    data = archive.read(place)
    prefix = entry.sha256_prefix
    # A program that is flashed without header and hash does not start.
    if prefix is None:
        prefix = begins_like_payload(data[:16])
    return Part(entry.address, name, data, prefix, entry.reverse4, entry.swap, entry.extra)


def _some(names: list[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


# Writing

_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest of an archive: equal parts give equal bytes whenever they are packed."""
_MODE = 0o100644 << 16
_UNIX = 3
_BAD = re.compile(r"[^A-Za-z0-9._+-]")


def write_kfpkg(parts: Iterable[Part], out: BinaryIO) -> None:
    """Write the package that ``make_kfpkg`` returns."""
    out.write(make_kfpkg(parts))


def make_kfpkg(parts: Iterable[Part]) -> bytes:
    """Return a package of the parts, which are flashed in their order.

    Files get names that are unique in one folder. Words of reversed parts are reversed here,
    because most flashers ignore the keys that ask for it. Equal parts give equal bytes (with the
    same zlib). Raises ``KfpkgError`` for addresses that are no multiple of a sector, for parts
    that overlap, are empty or too large, and for a header together with reversed words, on which
    flashers disagree.
    """
    parts = [*parts]
    _check(parts)
    packed = _named([_plain(part) for part in parts])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        _add(archive, LIST_NAME, _list_of(packed))
        for part in packed:
            _add(archive, part.name, part.data)
    return stream.getvalue()


def _check(parts: Sequence[Part]) -> None:
    if not 0 < len(parts) <= MAX_PARTS:
        raise KfpkgError(f"a package has 1 to {MAX_PARTS} files, not {len(parts)}")
    if sum(len(part.data) for part in parts) > MAX_TOTAL:
        raise KfpkgError(f"the files have more than {MAX_TOTAL >> 20} MiB in total")
    for part in parts:
        _check_part(part)
    for first, second in pairwise(sorted(parts, key=lambda part: part.address)):
        if first.address + first.size > second.address:
            end = first.address + first.size
            raise KfpkgError(
                f"ends at {end:#x}, and {second.name} begins at {second.address:#x}",
                member=first.name,
                hint=f"the next free address is {end + -end % SECTOR:#x}",
            )


def _check_part(part: Part) -> None:
    if not part.data:
        raise KfpkgError("is empty", member=part.name)
    if part.address % SECTOR:
        below = part.address // SECTOR * SECTOR
        raise KfpkgError(
            f"its address {part.address:#x} is no multiple of a sector ({SECTOR:#x})",
            member=part.name,
            hint=f"use {below:#x} or {below + SECTOR:#x}",
        )
    if not 0 <= part.address < ADDRESS_END:
        raise KfpkgError(f"its address is not from 0 to {ADDRESS_END - 1:#x}", member=part.name)
    if part.sha256_prefix and part.is_reversed:
        raise KfpkgError("has both a header and reversed words", member=part.name)


def _plain(part: Part) -> Part:
    """Return the part with its words reversed, if a key asks for that."""
    if not part.is_reversed:
        return part
    return part._replace(data=part.flashed(), reverse4=False, swap=False)


def _named(parts: Iterable[Part]) -> list[Part]:
    """Return the parts with names that are unique on any host, whatever their case."""
    taken = {LIST_NAME}
    chosen = []
    for part in parts:
        plain = _BAD.sub("_", PurePosixPath(part.name.replace("\\", "/")).name).lstrip(".")
        path = PurePosixPath(plain or "part.bin")
        name, number = path.name, 1
        while name.casefold() in taken:
            name, number = f"{path.stem}-{number}{path.suffix}", number + 1
        taken.add(name.casefold())
        chosen.append(part._replace(name=name))
    return chosen


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name, _DATE)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.create_system = _UNIX  # the default depends on the host
    member.external_attr = _MODE
    archive.writestr(member, data)


def _list_of(parts: Iterable[Part]) -> bytes:
    """Return the list of the parts: plain JSON that every known flasher reads.

    One key per line, the address in decimal and not last: one flasher finds addresses line by
    line, another reads no hex, and all of them need the three keys.
    """
    files = [
        {"address": part.address, "bin": part.name, "sha256Prefix": part.sha256_prefix}
        for part in parts
    ]
    text = json.dumps({"version": VERSION, "files": files}, indent=2, ensure_ascii=True)
    return text.encode("ascii") + b"\n"
