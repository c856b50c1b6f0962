"""A file of the host, mapped into memory: what is written to the map is in the file at once.

The map survives a killed process and a dropped object, as flash survives a power-off. A file
that another program cuts short while it is mapped cannot be guarded against: the host stops the
process that touches the missing part. ``check`` names such a file before anything else is lost.
"""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path

from maixfs.nor.device import CHUNK, Buffer, blank
from maixfs.nor.errors import NorError, NorImageError, host_error, nor_error, printable


class MappedFile:
    """An existing file of the host as bytes that can be written in place.

    ``cells`` is the whole file, writable unless ``read_only``. Raises ``NorError`` for a file
    that cannot be opened that way and ``NorImageError`` for an empty one.
    """

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool = False) -> None:
        self.path = Path(path)
        self.read_only = read_only
        flags = (os.O_RDONLY if read_only else os.O_RDWR) | getattr(os, "O_BINARY", 0)
        try:
            handle = os.open(self.path, flags)
        except OSError as reason:
            raise _not_opened(self.path, reason, read_only=read_only) from reason
        try:
            status = os.fstat(handle)
            access = mmap.ACCESS_READ if read_only else mmap.ACCESS_WRITE
            self._map = mmap.mmap(handle, 0, access=access)
        except ValueError as reason:
            raise NorImageError(
                f"{self.path} is empty", hint="a flash image has the size of its chip"
            ) from reason
        except OSError as reason:
            raise _not_opened(self.path, reason, read_only=read_only) from reason
        finally:
            os.close(handle)
        self._identity = (status.st_dev, status.st_ino)
        self.cells = memoryview(self._map)

    def __len__(self) -> int:
        return len(self._map)

    def check(self) -> None:
        """Raise ``NorError`` where the path no longer leads to the file that is mapped."""
        try:
            status = self.path.stat()
        except OSError as reason:
            raise host_error(
                f"{self.path} is gone: {printable(reason)}",
                reason,
                hint="what was written since is lost with it unless it was moved, not deleted",
            ) from reason
        if (status.st_dev, status.st_ino) != self._identity:
            raise nor_error(
                f"{self.path} was replaced by another file while it was in use",
                errno.EIO,
                hint="what was written since went to the old file",
            )
        if status.st_size != len(self._map):
            raise NorImageError(
                f"{self.path} was cut or grown from {len(self._map)} to {status.st_size} bytes"
                " while it was in use",
                errno=errno.EIO,
            )

    def flush(self) -> None:
        """Have the host write the map to its disk; raises ``NorError`` as ``check`` does."""
        self.check()
        if self.read_only:
            return
        try:
            self._map.flush()
        except OSError as reason:
            raise host_error(
                f"{self.path} cannot be written: {printable(reason)}", reason
            ) from reason

    def close(self) -> None:
        """Let the file go; views that others still hold keep their bytes until they go too."""
        self.cells.release()
        try:
            self._map.close()
        except BufferError:
            return


def create_file(path: str | os.PathLike[str], size: int, content: Buffer) -> None:
    """Write a new file: ``content``, then 0xFF up to ``size`` bytes; nothing is overwritten.

    A file that could not be written whole is removed again. Raises ``NorError``.
    """
    target = Path(path)
    try:
        stream = target.open("xb")
    except OSError as reason:
        raise _not_created(target, reason) from reason
    try:
        with stream:
            stream.write(content)
            for start in range(len(content), size, CHUNK):
                stream.write(blank(min(CHUNK, size - start)))
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException as reason:
        target.unlink(missing_ok=True)
        if isinstance(reason, OSError):
            raise _not_created(target, reason) from reason
        raise


def _not_opened(path: Path, reason: OSError, *, read_only: bool) -> NorError:
    if isinstance(reason, FileNotFoundError):
        return host_error(f"{path} does not exist", reason)
    if path.is_dir():
        return nor_error(f"{path} is a folder, not a file", errno.EISDIR)
    mode = "read" if read_only else "written"
    hint = None if read_only else "open it read-only, or give yourself the right to write it"
    return host_error(f"{path} cannot be {mode}: {printable(reason)}", reason, hint=hint)


def _not_created(path: Path, reason: OSError) -> NorError:
    if isinstance(reason, FileExistsError):
        hint = "choose another name, or remove it first"
        return host_error(f"{path} exists already", reason, hint=hint)
    return host_error(f"{path} cannot be created: {printable(reason)}", reason)
