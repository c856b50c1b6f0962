"""The archive of a package, read with bounds: every field of it may be wrong."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from pathlib import PurePosixPath, PureWindowsPath

from maixfs.errors import ImageError


class KfpkgError(ImageError):
    """A package cannot be read, or cannot be made from these parts.

    ``member`` is the file in the package that is the cause, or ``None``.
    """

    def __init__(
        self, message: str, *, member: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message if member is None else f"{member}: {message}", hint=hint)
        self.member = member

    def inside(self, package: str) -> KfpkgError:
        """Return the same error with the name of the package in front."""
        error = KfpkgError(f"{package}: {self}", hint=self.hint)
        error.member = self.member
        return error


MAX_MEMBER = 64 << 20
"""Bytes of one file: no flash chip of these boards has more."""
MAX_TOTAL = 128 << 20
"""Bytes of all files that a list names."""
MAX_MEMBERS = 8192
_BEST_RATIO = 1032
"""DEFLATE packs at most this many bytes into one."""
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
"""What ``zipfile`` raises for archives that are cut off, damaged or forged."""
_ZIP_START = b"PK"
_ENTRY_START = b"PK\x01\x02"
_MAX_ENTRY_STARTS = 4 * MAX_MEMBERS
"""Checked before ``zipfile`` makes an object of each; members that are archives have some too."""


class Archive:
    """A zip archive in memory; files are read by name, once each, and all within bounds."""

    def __init__(self, data: bytes) -> None:
        # Counting bytes is cheap; an object for each of a million forged entries is not.
        if data.count(_ENTRY_START) > _MAX_ENTRY_STARTS:
            raise KfpkgError(f"the archive has more than {MAX_MEMBERS} files")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            members = self._zip.infolist()
        except _REASONS as error:
            raise _no_archive(data, error) from None
        if len(members) > MAX_MEMBERS:
            raise KfpkgError(f"the archive has {len(members)} files, more than {MAX_MEMBERS}")
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
        # A link would make the content depend on the host that reads the package.
        if stat.S_ISLNK(member.external_attr >> 16):
            raise KfpkgError("is a symbolic link", member=name, hint="pack the file it leads to")
        twin = self._members.get(name)
        if twin is not None:
            # Which of two a flasher takes depends on its unpacker; equal ones are harmless.
            if (twin.CRC, twin.file_size) != (member.CRC, member.file_size):
                raise KfpkgError("is in the archive twice, with different contents", member=name)
            self.notes.append(f"{name} is in the archive twice")
        self._members[name] = member

    def _refuse(self, member: zipfile.ZipInfo, name: str) -> None:
        """Raise ``KfpkgError`` for a file that cannot be read, before a byte is unpacked."""
        size = member.file_size
        if member.flag_bits & _ENCRYPTED:
            raise KfpkgError("is encrypted", member=name, hint="pack it again without a password")
        if member.compress_type not in _METHODS:
            method = f"method {member.compress_type}"
            raise KfpkgError(
                f"is compressed by {method}", member=name, hint="flashers take DEFLATE: pack again"
            )
        if size > MAX_MEMBER or self._total + size > MAX_TOTAL:
            limits = f"{MAX_MEMBER:#x} for a file, {MAX_TOTAL:#x} for all"
            raise KfpkgError(f"has {size:#x} bytes: the limit is {limits}", member=name)
        # The declared size bounds memory, so it is checked against what DEFLATE can do.
        if size > max(member.compress_size, 1) * _BEST_RATIO:
            raise KfpkgError(
                f"{member.compress_size:#x} bytes cannot be {size:#x} bytes packed: a zip bomb",
                member=name,
            )

    def _unpack(self, member: zipfile.ZipInfo, name: str) -> bytes:
        try:
            with self._zip.open(member) as stream:
                # One byte more than declared shows a size that is too small.
                data = stream.read(member.file_size + 1)
        except _REASONS as error:
            raise KfpkgError(f"cannot be unpacked: {error}", member=name) from None
        if len(data) != member.file_size:
            raise KfpkgError(
                f"has not the {member.file_size:#x} bytes that the archive says", member=name
            )
        return data


def safe_name(name: str) -> str:
    """Return a name with slashes; raises ``KfpkgError`` if it leads out of the package."""
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
        hint = "a package is a zip archive with a flash list"
        return KfpkgError("this is no package: it does not begin like an archive", hint=hint)
    return KfpkgError(f"the archive is cut off or damaged: {error}", hint="download it again")
