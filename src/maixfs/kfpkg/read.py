"""Read packages as they are found, and say what is odd about them."""

from __future__ import annotations

from pathlib import Path
from posixpath import dirname, join

from maixfs.errors import DeviceError
from maixfs.firmware import begins_like_payload
from maixfs.host.files import read_file
from maixfs.kfpkg.archive import MOST_TOTAL, Archive, safe_name
from maixfs.kfpkg.errors import KfpkgError
from maixfs.kfpkg.flashlist import ListEntry, read_list
from maixfs.kfpkg.package import LIST_NAME, Package, Part
from maixfs.nor import Buffer

MOST_PACKAGE = 128 << 20
"""Bytes of a package; firmware, models and a file system are a tenth of it."""
_NAMES_SHOWN = 5


def read_kfpkg(source: str | Path | Buffer) -> Package:
    """Read a package from a file or from its bytes.

    What flashers disagree about is understood where it can be, and told in ``notes``. Raises
    ``KfpkgError`` for what is no package, is damaged, names files that are not there or that lead
    out of it, and for more data than a flash could take.
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
    found = read_list(archive.read(place))
    folder = dirname(place)
    notes = [*archive.notes, *found.notes]
    if folder:
        notes.append(f"{LIST_NAME} is in the folder {folder}: no flasher finds it there")
    parts = tuple(_part(entry, archive, folder) for entry in found.entries)
    total = sum(part.size for part in parts)  # one file may go to many places
    if total > MOST_TOTAL:
        raise KfpkgError(
            f"the list has {total:#x} bytes for the flash, {MOST_TOTAL:#x} is the most"
        )
    taken = {place, *(join(folder, safe_name(part.name)) for part in parts)}
    unused = [name for name in archive.names if name not in taken]
    if unused:
        notes.append(f"not in the list, so never flashed: {_some(unused)}")
    return Package(found.version, parts, tuple(notes))


def _load(path: Path) -> bytes:
    try:
        return read_file(path, MOST_PACKAGE)
    except DeviceError as error:
        raise KfpkgError(str(error), hint=error.hint) from error


def _list_place(archive: Archive) -> str:
    """Return the name of the list: at the top, or in a folder that somebody packed as a whole."""
    if LIST_NAME in archive.names:
        return LIST_NAME
    places = [name for name in archive.names if name.rpartition("/")[2] == LIST_NAME]
    if len(places) == 1:
        return places[0]
    what = _some(list(archive.names)) or "nothing"
    raise KfpkgError(
        f"the archive has no {LIST_NAME}, so it is no package; in it is {what}",
        hint="maixfs kfpkg make makes one",
    )


def _part(entry: ListEntry, archive: Archive, folder: str) -> Part:
    name = safe_name(entry.bin)
    place = join(folder, name)
    if place not in archive.names:
        hint = f"in it are {_some([one for one in archive.names if one != LIST_NAME])}"
        raise KfpkgError("is in the list, but not in the package", member=entry.bin, hint=hint)
    data = archive.read(place)
    prefix = entry.sha256_prefix
    if prefix is None:
        prefix = begins_like_payload(data[:16])
    return Part(entry.address, name, data, prefix, entry.reverse4, entry.swap, entry.extra)


def _some(names: list[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
