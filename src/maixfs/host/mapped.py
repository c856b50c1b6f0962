"""A file of the host, mapped into memory: what is written to the map is in the file at once.

The map survives a killed process and a dropped object, as flash survives a power-off. A file
that another program cuts short while it is mapped cannot be guarded against: the host stops the
process that touches the missing part. ``check`` reports such a file before it is flushed.
"""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path

from maixfs.host.errors import DEFAULT_TYPES, ErrorTypes, host_error, not_opened, reason_of

_PIECE = 1 << 20


class MappedFile:
    """An existing file of the host as bytes that can be written in place.

    ``cells`` is the whole file, writable unless ``read_only``. Holes in a writable file are filled
    when it is opened: on a full disk the host would stop the process that writes to one. Raises
    ``errors.failed`` for a file that cannot be opened that way and ``errors.unfit`` for an empty
    one.
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
                _fill_holes(handle, status)
            access = mmap.ACCESS_READ if read_only else mmap.ACCESS_WRITE
            self._map = mmap.mmap(handle, 0, access=access)
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

    def _not_opened(self, reason: OSError | ValueError) -> Exception:
        base = self._errors.failed
        return not_opened(self.path, reason, read_only=self.read_only, base=base)


def _fill_holes(handle: int, status: os.stat_result) -> None:
    """Give every byte of a file room on the disk; raises ``OSError`` (ENOSPC)."""
    # Blocks of 512 bytes by POSIX, whatever the file system has; Windows does not count them.
    blocks = getattr(status, "st_blocks", None)
    if blocks is None or blocks * 512 >= status.st_size:
        return
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(handle, 0, status.st_size)
            return
        except OSError as reason:
            if reason.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
    # Reading and writing back: what is a hole reads as zeros.
    for offset in range(0, status.st_size, _PIECE):
        os.lseek(handle, offset, os.SEEK_SET)
        piece = os.read(handle, _PIECE)
        os.lseek(handle, offset, os.SEEK_SET)
        os.write(handle, piece)
