"""Write packages that every known flasher reads, the same parts to the same bytes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from typing import BinaryIO

from maixfs.kfpkg.archive import MOST_TOTAL
from maixfs.kfpkg.errors import KfpkgError
from maixfs.kfpkg.flashlist import HIGHEST, MOST_PARTS, write_list
from maixfs.kfpkg.package import LIST_NAME, Part
from maixfs.nor.device import SECTOR

_DATE = (1980, 1, 1, 0, 0, 0)
"""The first that an archive can have: packages do not tell when they were made."""
_MODE = 0o100644 << 16
_UNIX = 3
_BAD = re.compile(r"[^A-Za-z0-9._+-]")


def write_kfpkg(parts: Iterable[Part], out: BinaryIO) -> None:
    """Write a package; see ``make_kfpkg``."""
    out.write(make_kfpkg(parts))


def make_kfpkg(parts: Iterable[Part]) -> bytes:
    """Return a package of the parts, which are flashed in their order.

    Files get names that are unique in one folder; words that are to be reversed are reversed
    here, because most flashers would not. Equal parts give equal bytes (with the same zlib).
    Raises ``KfpkgError`` for addresses off the sectors, parts that overlap, are empty or too
    large, and both header and reversed words: flashers do not agree on those.
    """
    given = [*parts]
    _refuse(given)
    chosen = _named([_plain(part) for part in given])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        _add(archive, LIST_NAME, write_list(chosen))
        for part in chosen:
            _add(archive, part.name, part.data)
    return stream.getvalue()


def _refuse(parts: Sequence[Part]) -> None:
    if not 0 < len(parts) <= MOST_PARTS:
        raise KfpkgError(f"a package of {len(parts)} files: 1 to {MOST_PARTS} are possible")
    if sum(len(part.data) for part in parts) > MOST_TOTAL:
        raise KfpkgError(f"the files have more than {MOST_TOTAL >> 20} MiB together")
    for part in parts:
        _refuse_part(part)
    for first, second in pairwise(sorted(parts, key=lambda part: part.address)):
        if first.address + first.size > second.address:
            end = first.address + first.size
            raise KfpkgError(
                f"ends at {end:#x}, and {second.name} begins at {second.address:#x}",
                member=first.name,
                hint=f"the next free address is {end + -end % SECTOR:#x}",
            )


def _refuse_part(part: Part) -> None:
    if not part.data:
        raise KfpkgError("is empty", member=part.name)
    if part.address % SECTOR:
        below = part.address // SECTOR * SECTOR
        raise KfpkgError(
            f"{part.address:#x} is no multiple of a sector ({SECTOR:#x})",
            member=part.name,
            hint=f"near are {below:#x} and {below + SECTOR:#x}",
        )
    if not 0 <= part.address < HIGHEST:
        raise KfpkgError(f"its address is not from 0 to {HIGHEST - 1:#x}", member=part.name)
    if part.sha256_prefix and part.is_reversed:
        raise KfpkgError("has both a header and reversed words", member=part.name)


def _plain(part: Part) -> Part:
    """Return a part whose words are reversed already, where they are to be."""
    if not part.is_reversed:
        return part
    return part._replace(data=part.landed(), reverse4=False, swap=False)


def _named(parts: Iterable[Part]) -> list[Part]:
    """Return the parts with names that no host and no flasher mistakes for each other."""
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
    member.create_system = _UNIX  # else it would tell the host
    member.external_attr = _MODE
    archive.writestr(member, data)
