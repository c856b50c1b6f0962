"""The archive of a package, read with bounds: what it says of itself is not believed."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from pathlib import PurePosixPath, PureWindowsPath

from maixfs.kfpkg.errors import KfpkgError

MOST_MEMBER = 64 << 20
"""Bytes of one file: no chip of these boards has more."""
MOST_TOTAL = 128 << 20
"""Bytes of all files that a list names."""
MOST_MEMBERS = 8192
_BEST_RATIO = 1032
"""DEFLATE makes no more than this many bytes of one."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_REASONS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    LookupError,
    struct.error,
)
"""What Python's reader raises for archives that are cut off, damaged or made up."""
_ZIP_START = b"PK"
_ENTRY_START = b"PK\x01\x02"
_MOST_ENTRY_STARTS = 4 * MOST_MEMBERS
"""Counted before Python's reader makes an object of each; archives in it may have some, too."""


class Archive:
    """A zip archive in memory. Files are read by name, each at most once and all within bounds."""

    def __init__(self, data: bytes) -> None:
        if data.count(_ENTRY_START) > _MOST_ENTRY_STARTS:
            raise KfpkgError(f"the archive has more than {MOST_MEMBERS} files")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            members = self._zip.infolist()
        except _REASONS as error:
            raise _no_archive(data, error) from None
        if len(members) > MOST_MEMBERS:
            raise KfpkgError(f"the archive has {len(members)} files, {MOST_MEMBERS} are possible")
        self.notes: list[str] = []
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._read: dict[str, bytes] = {}
        self._total = 0
        for member in members:
            self._add(member)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files in it, with slashes between folders."""
        return tuple(self._members)

    def read(self, name: str) -> bytes:
        """Return the bytes of a file; raises ``KfpkgError``."""
        if name not in self._read:
            member = self._members[name]
            self._refuse(member, name)
            self._read[name] = self._unpack(member, name)
            self._total += len(self._read[name])
        return self._read[name]

    def _add(self, member: zipfile.ZipInfo) -> None:
        name = safe_name(member.filename)
        if member.filename.endswith(("/", "\\")):
            return
        if stat.S_ISLNK(member.external_attr >> 16):
            raise KfpkgError("is a symbolic link", member=name, hint="pack the file it leads to")
        twin = self._members.get(name)
        if twin is not None:
            if (twin.CRC, twin.file_size) != (member.CRC, member.file_size):
                raise KfpkgError("is there twice, with different contents", member=name)
            self.notes.append(f"{name} is in the archive twice")
        self._members[name] = member

    def _refuse(self, member: zipfile.ZipInfo, name: str) -> None:
        """Raise for a file that cannot be read, before a byte of it is unpacked."""
        size = member.file_size
        if member.flag_bits & _ENCRYPTED:
            raise KfpkgError("is encrypted", member=name, hint="pack it again without a password")
        if member.compress_type not in _METHODS:
            method = f"method {member.compress_type}"
            raise KfpkgError(
                f"is compressed by {method}", member=name, hint="flashers take DEFLATE: pack again"
            )
        if size > MOST_MEMBER or self._total + size > MOST_TOTAL:
            raise KfpkgError(
                f"has {size:#x} bytes: {MOST_MEMBER:#x} is the most for a file, {MOST_TOTAL:#x}"
                " for all",
                member=name,
            )
        if size > max(member.compress_size, 1) * _BEST_RATIO:
            raise KfpkgError(
                f"{member.compress_size:#x} bytes cannot be {size:#x} bytes packed: a zip bomb",
                member=name,
            )

    def _unpack(self, member: zipfile.ZipInfo, name: str) -> bytes:
        try:
            with self._zip.open(member) as stream:
                data = stream.read(member.file_size + 1)
        except _REASONS as error:
            raise KfpkgError(f"cannot be unpacked: {error}", member=name) from None
        if len(data) != member.file_size:
            said = f"{member.file_size:#x} bytes, as the archive says"
            raise KfpkgError(f"has not {said}", member=name)
        return data


def safe_name(name: str) -> str:
    """Return a name with slashes; raises ``KfpkgError`` for one that leads out of a folder."""
    if not name:
        raise KfpkgError("the package has a file without name")
    path = PurePosixPath(name.replace("\\", "/"))
    drive = PureWindowsPath(name).drive
    if path.is_absolute() or drive or ".." in path.parts or "\0" in name:
        raise KfpkgError(
            f"the name {name!r} leads out of the package", hint="pack the files without their path"
        )
    return path.as_posix()


def _no_archive(data: bytes, error: Exception) -> KfpkgError:
    if not data:
        return KfpkgError("the package is empty")
    if not data.startswith(_ZIP_START):
        hint = "a package is a zip archive; maixfs build takes images as they are"
        return KfpkgError("this is no package: it does not begin like an archive", hint=hint)
    return KfpkgError(f"the archive is cut off or damaged: {error}", hint="download it again")
