"""A file or a block device of the host, read and written at offsets.

Where the host has ``pread`` and its kin they are used; elsewhere (Windows) the file position is
moved first. Errors of the host leave as ``SectorError`` with the path and the sector.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from maixfs.sd.device import SECTOR
from maixfs.sd.errors import CardImageError, SectorError

_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class HostFile:
    """An existing file or block device of the host as bytes at offsets.

    ``size`` is in bytes. Raises ``SectorError`` for what cannot be opened that way.
    """

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool = True) -> None:
        self.path = Path(path)
        self._handle = -1
        try:
            self._handle = os.open(self.path, _flags(self.path, read_only=read_only))
            self.size = os.lseek(self._handle, 0, os.SEEK_END) or _drive_size(self._handle)
        except OSError as reason:
            self.close()
            raise _not_opened(self.path, reason, read_only=read_only) from reason
        except ValueError as reason:
            raise SectorError(f"{str(self.path)!r} is no name of a file") from reason
        positional = hasattr(os, "pread") and hasattr(os, "pwrite")
        self._read: Callable[[int, int], bytes] = self._pread if positional else self._seek_read
        self._write: Callable[[memoryview, int], int] = (
            self._pwrite if positional else self._seek_write
        )

    @property
    def block_device(self) -> bool:
        """Whether this is a drive of the host, not a file on one."""
        try:
            return stat.S_ISBLK(os.fstat(self._handle).st_mode)
        except OSError as reason:
            raise self._failed(0, "read", reason) from reason

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes; raises ``SectorError`` where the file ends before."""
        data = self._read_some(offset, length)
        if len(data) == length:
            return data
        pieces = [data]
        done = len(data)
        while done < length:
            pieces.append(self._read_some(offset + done, length - done))
            done += len(pieces[-1])
        return b"".join(pieces)

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; raises ``SectorError`` where the file ends before."""
        if not hasattr(os, "preadv"):
            buffer[:] = self.read(offset, len(buffer))
            return
        done = 0
        while done < len(buffer):
            try:
                count = os.preadv(self._handle, [buffer[done:]], offset + done)
            except OSError as reason:
                raise self._failed(offset + done, "read", reason) from reason
            if not count:
                raise self._cut_short(offset + done)
            done += count

    def write(self, offset: int, data: memoryview) -> None:
        """Write ``data`` whole."""
        done = 0
        while done < len(data):
            try:
                done += self._write(data[done:], offset + done)
            except OSError as reason:
                raise self._failed(offset + done, "written", reason) from reason

    def data_extents(self, offset: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of what is no hole between two offsets; all of it where in doubt."""
        if not hasattr(os, "SEEK_DATA"):
            yield offset, end
            return
        while offset < end:
            try:
                start = os.lseek(self._handle, offset, os.SEEK_DATA)
                stop = os.lseek(self._handle, start, os.SEEK_HOLE)
            except OSError as reason:
                if not _is_hole(reason):
                    yield offset, end
                return
            if start >= end or stop <= offset:
                return
            yield max(start, offset), min(stop, end)
            offset = stop

    def sync(self) -> None:
        """Have the host bring what was written to its disk."""
        try:
            os.fsync(self._handle)
        except OSError as reason:
            raise self._failed(0, "written", reason) from reason

    def close(self) -> None:
        """Let the file go; closing twice does no harm."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def _pread(self, offset: int, length: int) -> bytes:
        return os.pread(self._handle, length, offset)

    def _pwrite(self, data: memoryview, offset: int) -> int:
        return os.pwrite(self._handle, data, offset)

    def _seek_read(self, offset: int, length: int) -> bytes:
        os.lseek(self._handle, offset, os.SEEK_SET)
        return os.read(self._handle, length)

    def _seek_write(self, data: memoryview, offset: int) -> int:
        os.lseek(self._handle, offset, os.SEEK_SET)
        return os.write(self._handle, data)

    def _read_some(self, offset: int, length: int) -> bytes:
        """Return some bytes, at least one where any are wanted."""
        try:
            data = self._read(offset, length)
        except OSError as reason:
            raise self._failed(offset, "read", reason) from reason
        if length and not data:
            raise self._cut_short(offset)
        return data

    def _failed(self, offset: int, what: str, reason: OSError) -> SectorError:
        if self._handle < 0:
            return SectorError(f"{self.path} is closed")
        return SectorError(
            f"{self.path} cannot be {what} at sector {offset // SECTOR:#x}: {reason.strerror}"
        )

    def _cut_short(self, offset: int) -> CardImageError:
        return CardImageError(
            f"{self.path} ends at sector {offset // SECTOR:#x}, it had"
            f" {self.size // SECTOR:#x} sectors when it was opened",
            hint="another program cut it short, or the drive was taken away",
        )


def _flags(path: Path, *, read_only: bool) -> int:
    """Return how to open ``path``; a drive that is mounted is never written."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(path)
    if read_only:
        return os.O_RDONLY | _BINARY
    # Linux refuses to open a drive this way while somebody has it mounted.
    exclusive = os.O_EXCL if stat.S_ISBLK(mode) and sys.platform == "linux" else 0
    return os.O_RDWR | _BINARY | exclusive


def is_drive(path: Path) -> bool:
    """Tell whether a path is that of a drive of the host, a block device."""
    try:
        return stat.S_ISBLK(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def create_sparse(path: str | os.PathLike[str], size: int) -> None:
    """Make a new file of ``size`` zero bytes that takes no room; nothing is overwritten.

    A file that could not be made whole is removed again. Raises ``SectorError``.
    """
    target = Path(path)
    try:
        stream = target.open("xb")
    except OSError as reason:
        raise _not_created(target, reason) from reason
    except ValueError as reason:
        raise SectorError(f"{str(target)!r} is no name of a file") from reason
    try:
        with stream:
            _mark_sparse(stream.fileno())
            stream.truncate(size)
    except BaseException as reason:
        target.unlink(missing_ok=True)
        if isinstance(reason, OSError):
            raise _not_created(target, reason) from reason
        raise


def _drive_size(handle: int) -> int:
    """Return bytes of a drive where the end of the file does not tell: on macOS."""
    if sys.platform == "darwin":
        import fcntl
        import struct

        block_size, block_count = 0x40046418, 0x40086419  # DKIOCGETBLOCKSIZE, ...COUNT
        try:
            size = struct.unpack("<I", fcntl.ioctl(handle, block_size, bytes(4)))[0]
            count = struct.unpack("<Q", fcntl.ioctl(handle, block_count, bytes(8)))[0]
        except OSError:
            return 0
        return int(size * count)
    return 0


def _mark_sparse(handle: int) -> None:
    """Tell NTFS that holes of the file are to take no room; elsewhere that goes by itself."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        set_sparse = 0x900C4  # FSCTL_SET_SPARSE
        ctypes.windll.kernel32.DeviceIoControl(
            ctypes.c_void_p(msvcrt.get_osfhandle(handle)),
            set_sparse,
            None,
            0,
            None,
            0,
            ctypes.byref(ctypes.c_ulong()),
            None,
        )


def _is_hole(reason: OSError) -> bool:
    """Return whether ``SEEK_DATA`` failed since only a hole follows."""
    return reason.errno == errno.ENXIO


def _not_opened(path: Path, reason: OSError, *, read_only: bool) -> SectorError:
    if isinstance(reason, FileNotFoundError):
        return SectorError(f"{path} does not exist")
    if isinstance(reason, IsADirectoryError):
        return SectorError(f"{path} is a folder, not a card or an image of one")
    mode = "read" if read_only else "written"
    hint = None
    if isinstance(reason, PermissionError):
        hint = "give yourself the right to it" + ("" if read_only else ", or open it read-only")
    elif reason.errno == errno.EBUSY:
        hint = "it is mounted, or another program has it: unmount all its partitions first"
    return SectorError(f"{path} cannot be {mode}: {reason.strerror}", hint=hint)


def _not_created(path: Path, reason: OSError) -> SectorError:
    if isinstance(reason, FileExistsError):
        return SectorError(f"{path} exists already", hint="choose another name, or remove it")
    return SectorError(f"{path} cannot be created: {reason.strerror}")
