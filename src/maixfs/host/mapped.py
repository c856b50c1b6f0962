"""A file of the host, mapped into memory: writes to the map are in the file at once.

The map survives a killed process and a dropped object, as flash survives a power-off. A file
that another program cuts short while it is mapped cannot be guarded against: the host stops the
process that touches the missing part. ``check`` reports such a file before it is flushed.
"""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path

from maixfs.errors import DeviceError
from maixfs.host.errors import DEFAULT_TYPES, ErrorTypes, host_error, not_opened, reason_of

_BLOCK_UNIT = 512
"""Bytes that ``st_blocks`` counts in, whatever the block size of the file system."""
_PIECE = 4096
_NO_FALLOCATE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""Errors of a file system that cannot allocate without writing."""


class MappedFile:
    """An existing file of the host as bytes that can be written in place.

    ``cells`` is the whole file, writable unless ``read_only``. Holes of a writable file are
    allocated first. Raises ``errors.failed`` for a file that cannot be opened that way or a disk
    that has no room for its holes (ENOSPC), and ``errors.unfit`` for an empty file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        read_only: bool = False,
        errors: ErrorTypes = DEFAULT_TYPES,
    ) -> None:
        self.path = Path(path)
        self.read_only = read_only
        self._errors = errors
        flags = (os.O_RDONLY if read_only else os.O_RDWR) | getattr(os, "O_BINARY", 0)
        try:
            handle = os.open(self.path, flags)
        except (OSError, ValueError) as reason:
            raise self._not_opened(reason) from reason
        try:
            # Of the handle and not of the path, which may lead elsewhere by now.
            status = os.fstat(handle)
            if not read_only:
                self._allocate(handle, status)
            access = mmap.ACCESS_READ if read_only else mmap.ACCESS_WRITE
            self._map = mmap.mmap(handle, 0, access=access)
        except DeviceError:  # of _allocate; it is an OSError and says what happened already
            raise
        except ValueError as reason:  # mmap's answer to a file of no bytes
            hint = "a flash image has the size of its chip"
            raise host_error(
                self.path, "is empty", errno.EINVAL, hint=hint, base=errors.unfit
            ) from reason
        except OSError as reason:
            raise self._not_opened(reason) from reason
        finally:
            # The map has a handle of its own.
            os.close(handle)
        self._identity = (status.st_dev, status.st_ino)
        self.cells = memoryview(self._map)

    def __len__(self) -> int:
        return len(self._map)

    def check(self) -> None:
        """Raise unless the path still leads to the mapped file, in its size.

        Raises ``errors.failed`` for a file that was removed or replaced, ``errors.unfit`` for
        one that another program cut or extended.
        """
        failed, unfit = self._errors
        try:
            status = self.path.stat()
        except OSError as reason:
            hint = "what was written since is lost with it unless it was moved, not deleted"
            raise host_error(
                self.path, f"is gone: {reason_of(reason)}", reason, hint=hint, base=failed
            ) from reason
        if (status.st_dev, status.st_ino) != self._identity:
            hint = "what was written since went to the old file"
            what = "was replaced by another file while it was in use"
            raise host_error(self.path, what, errno.EIO, hint=hint, base=failed)
        # Touching a page past the end of the file kills the process with SIGBUS, which no ``try``
        # catches. Asking first cannot exclude it, but covers files that were cut earlier.
        if status.st_size != len(self._map):
            sizes = f"from {len(self._map)} to {status.st_size} bytes"
            what = f"was cut or grown {sizes} while it was in use"
            raise host_error(self.path, what, errno.EIO, base=unfit)

    def flush(self) -> None:
        """Write the map to the host's disk (msync); raises as ``check`` does."""
        self.check()
        if self.read_only:
            return
        try:
            self._map.flush()
        except OSError as reason:
            what = f"cannot be written: {reason_of(reason)}"
            raise host_error(self.path, what, reason, base=self._errors.failed) from reason

    def close(self) -> None:
        """Release the file; views that others still hold keep their bytes until they go too."""
        self.cells.release()
        try:
            self._map.close()
        except BufferError:
            # Somebody has a view of the bytes; the map goes with the last one.
            return

    def _allocate(self, handle: int, status: os.stat_result) -> None:
        """Give every hole of the file its blocks on the disk; the contents do not change."""
        # A store into a hole takes a block when the page is written. On a full disk the host then
        # stops the process with SIGBUS, in the middle of a write of the board.
        blocks = getattr(status, "st_blocks", None)
        if blocks is None or blocks * _BLOCK_UNIT >= status.st_size:
            return
        try:
            _fill_holes(handle, status.st_size)
        except OSError as reason:
            what = f"has holes that cannot be allocated: {reason_of(reason)}"
            hint = "free space on its disk"
            base = self._errors.failed
            raise host_error(self.path, what, reason, hint=hint, base=base) from reason

    def _not_opened(self, reason: OSError | ValueError) -> Exception:
        base = self._errors.failed
        return not_opened(self.path, reason, read_only=self.read_only, base=base)


def _fill_holes(handle: int, size: int) -> None:
    """Allocate all blocks of an open file of ``size`` bytes; raises ``OSError``."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(handle, 0, size)
        except OSError as reason:
            if reason.errno not in _NO_FALLOCATE:
                raise
        else:
            return
    # Holes read as zeros: write the zeros that are there already.
    with os.fdopen(os.dup(handle), "r+b", buffering=0) as stream:
        for offset in range(0, size, _PIECE):
            stream.seek(offset)
            piece = stream.read(_PIECE)
            if not any(piece):
                stream.seek(offset)
                stream.write(piece)
