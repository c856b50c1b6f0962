"""Existing files of the host: read whole, compared, or read and written at offsets."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from maixfs.errors import ClosedError, DeviceError, combined
from maixfs.host.drafts import Buffer, Draft, Progress, clear_drafts
from maixfs.host.drives import drive_size, is_drive
from maixfs.host.errors import DEFAULT_TYPES, ErrorTypes, host_error, not_opened, reason_of
from maixfs.tuples import NamedTuple

_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_MAY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


class Stamp(NamedTuple):
    """What changes when somebody else writes or replaces a file."""

    device: int
    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp of a file."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def status_of(path: Path, *, devices: bool = False) -> os.stat_result:
    """Return the status of a file or folder; with ``devices`` of a block device, too.

    Raises ``DeviceError`` if ``path`` does not exist or is something else (a pipe).
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise not_opened(path, error) from error
    known = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    if not (known or (devices and is_drive(path))):
        raise host_error(
            path,
            "is neither a file nor a folder",
            errno.EINVAL,
            hint="copy its bytes to a file first",
        )
    return status


def is_protected(path: Path, status: os.stat_result | None = None) -> bool:
    """Return whether the mode or the folder of a file forbids to write it.

    The mode counts for administrators too: for them the host would open the file all the same,
    and replacing a file does not ask for its mode. A file that is not there is not protected.
    """
    try:
        status = status or path.stat()
    except OSError:
        return False
    # ``access`` alone says yes to root, who would then change a file that was marked as not to be
    # changed.
    return not status.st_mode & _MAY_WRITE or not os.access(path, os.W_OK)


def refuse_protected(path: Path, status: os.stat_result) -> None:
    """Raise ``DeviceError`` (EACCES) for a file that ``is_protected``."""
    if is_protected(path, status):
        raise host_error(
            path,
            "is write-protected",
            errno.EACCES,
            hint="give yourself the right to write it, or copy it",
        )


class OccupiedError(DeviceError, FileExistsError):
    """Something is where a new file is to be (EEXIST).

    ``replaceable`` says that it is a file, which ``force`` would replace.
    """

    replaceable: bool = False


def refuse_occupied(path: Path, *, force: bool) -> None:
    """Raise ``OccupiedError`` where something is at ``path`` that must stay.

    ``force`` allows a file to be replaced; folders, devices and pipes never are.
    """
    # Replacing a device or a pipe by rename would leave a plain file in its place.
    if path.exists() and not path.is_file():
        what = "is a folder" if path.is_dir() else "is not an ordinary file"
    elif not force and os.path.lexists(path):
        what = "exists already"
    else:
        return
    hint = "choose another name"
    error = OccupiedError(f"{path} {what}", errno=errno.EEXIST, hint=hint)
    error.filename = str(path)
    error.replaceable = what == "exists already"
    if error.replaceable:
        error.hint = "choose another name, or have it replaced (force)"
    raise error


def open_for_reading(path: Path) -> BinaryIO:
    """Open a file; raises ``DeviceError``."""
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise not_opened(path, error) from error


def read_file(path: Path, most: int | None = None) -> bytes:
    """Return the bytes of a file, of at most ``most`` bytes (EFBIG).

    With ``most``, devices and pipes are refused: they may have no end. Raises ``DeviceError``.
    """
    if most is not None:
        status_of(path)
    # One byte more than allowed shows a file that is too large without reading it whole.
    data = read_start(path, -1 if most is None else most + 1)
    if most is not None and len(data) > most:
        what = f"cannot be read: it has more than {most >> 20} MiB"
        raise host_error(path, what, errno.EFBIG)
    return data


def read_start(path: Path, length: int) -> bytes:
    """Return the first bytes of a file, fewer where it is shorter, all for a negative length.

    Raises ``DeviceError``.
    """
    with open_for_reading(path) as stream:
        try:
            return stream.read(length)
        except OSError as error:
            raise not_opened(path, error) from error


def same_content(path: Path, pieces: Sequence[Buffer]) -> bool:
    """Return whether a file is there and holds exactly the ``pieces``, one after the other."""
    try:
        if path.stat().st_size != sum(map(len, pieces)):
            return False
        with path.open("rb") as stream:
            return all(stream.read(len(piece)) == piece for piece in pieces)
    except (OSError, ValueError):
        return False


def write_new(
    path: Path, pieces: Sequence[Buffer], *, force: bool, progress: Progress | None = None
) -> bool:
    """Write a file, whole or not at all; return False where the very same content is there.

    ``force`` allows another file to be replaced. Raises ``OccupiedError``, ``DeviceError``.
    """
    # Nothing is written for equal content: its time stays, and build tools do not take it for
    # changed.
    if same_content(path, pieces):
        return False
    refuse_occupied(path, force=force)
    clear_drafts(path.resolve().parent)
    with Draft(path, replace=force) as draft:
        draft.write(pieces, sum(map(len, pieces)), progress)
        draft.finish()
    return True


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; one that is there is left. Raises ``DeviceError``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        what = "is in the way: a file is where a folder is needed"
        raise host_error(folder, what, error) from error
    except (OSError, ValueError) as error:
        raise host_error(folder, f"cannot be made: {reason_of(error)}", error) from error


class HostFile:
    """An existing file or block device of the host as bytes at offsets.

    ``size`` is in bytes. Where the host has ``pread`` and its kin they are used; elsewhere
    (Windows) the file position is moved first. Messages name offsets, or with ``sector_size``
    the sectors that they lie in. Raises ``errors.failed``, and ``errors.unfit`` where the file
    ends before what is read.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        read_only: bool = True,
        sector_size: int = 0,
        errors: ErrorTypes = DEFAULT_TYPES,
    ) -> None:
        self.path = Path(path)
        self._handle = -1
        self._sector_size = sector_size
        self._errors = errors
        try:
            self._handle = os.open(self.path, _flags(self.path, read_only=read_only))
            self.size = os.lseek(self._handle, 0, os.SEEK_END) or drive_size(self._handle)
        except (OSError, ValueError) as reason:
            self.close()
            raise not_opened(
                self.path, reason, read_only=read_only, base=errors.failed
            ) from reason
        # ``pread`` needs no file position, which threads would share. Windows lacks it.
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
        """Return ``length`` bytes."""
        data = self._read_some(offset, length)
        # A host may return less than was asked for: Linux gives 2 GiB at most, network files less.
        if len(data) == length:
            return data
        pieces = [data]
        done = len(data)
        while done < length:
            pieces.append(self._read_some(offset + done, length - done))
            done += len(pieces[-1])
        return b"".join(pieces)

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``."""
        if not hasattr(os, "preadv"):
            buffer[:] = self.read(offset, len(buffer))
            return
        done = 0
        while done < len(buffer):
            try:
                count = os.preadv(self._handle, [buffer[done:]], offset + done)
            except OSError as reason:
                raise self._failed(offset + done, "read", reason) from reason
            # The end of the file: it was as long as ``size`` when it was opened.
            if not count:
                raise self._cut_short(offset + done)
            done += count

    def write(self, offset: int, data: memoryview) -> None:
        """Write ``data`` whole."""
        done, length = 0, len(data)
        while done < length:
            try:
                done += self._write(data[done:] if done else data, offset + done)
            except OSError as reason:
                raise self._failed(offset + done, "written", reason) from reason

    def data_extents(self, offset: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of what is not a hole; everything where the host does not say."""
        if not hasattr(os, "SEEK_DATA"):
            yield offset, end
            return
        while offset < end:
            try:
                start = os.lseek(self._handle, offset, os.SEEK_DATA)
                stop = os.lseek(self._handle, start, os.SEEK_HOLE)
            except OSError as reason:
                if reason.errno != errno.ENXIO:  # which says that only a hole follows
                    yield offset, end
                return
            if start >= end or stop <= offset:
                return
            yield max(start, offset), min(stop, end)
            offset = stop

    def sync(self) -> None:
        """Return when the host has everything on its disk."""
        try:
            os.fsync(self._handle)
        except (OSError, ValueError) as reason:  # ValueError where the file is closed
            raise self._failed(0, "written", reason) from reason

    def close(self) -> None:
        """Release the file; closing twice is allowed."""
        # Cleared first: the host may give this number to another file at once, and a second close
        # would hit that.
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
        """Return some bytes, at least one unless ``length`` is 0."""
        try:
            data = self._read(offset, length)
        except OSError as reason:
            raise self._failed(offset, "read", reason) from reason
        if length and not data:
            raise self._cut_short(offset)
        return data

    def _place(self, offset: int) -> str:
        if self._sector_size:
            return f"sector {offset // self._sector_size:#x}"
        return f"{offset:#x}"

    def _failed(self, offset: int, what: str, reason: OSError | ValueError) -> DeviceError:
        base = self._errors.failed
        if self._handle < 0:
            # A ValueError too, as in io for closed files.
            kind = combined(base, ClosedError)
            return kind(f"{self.path} is closed", errno=errno.EBADF)
        message = f"cannot be {what} at {self._place(offset)}: {reason_of(reason)}"
        return host_error(self.path, message, reason, base=base)

    def _cut_short(self, offset: int) -> DeviceError:
        return host_error(
            self.path,
            f"ends at {self._place(offset)}, it ended at {self._place(self.size)} when it was"
            " opened",
            errno.EIO,
            hint="another program cut it short, or the drive was taken away",
            base=self._errors.unfit,
        )


def _flags(path: Path, *, read_only: bool) -> int:
    """Return how to open ``path``; a drive that is mounted is never written."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if read_only:
        return os.O_RDONLY | _BINARY
    # Linux refuses to open a drive this way while somebody has it mounted.
    exclusive = os.O_EXCL if stat.S_ISBLK(mode) and sys.platform == "linux" else 0
    return os.O_RDWR | _BINARY | exclusive
