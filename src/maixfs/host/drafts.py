"""New files of the host that appear whole or not at all.

The content is written to a draft beside the place that it will take, brought to the disk, and
renamed: a process that opens the path sees the old file or the new one. Drafts have names of the
program's own and are locked while they are written, so that those of killed processes are
recognised and removed (``clear_drafts``).
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from maixfs.errors import DeviceError
from maixfs.host.errors import exists_already, host_error, not_opened, reason_of
from maixfs.host.locks import try_lock

Buffer = bytes | bytearray | memoryview
Progress = Callable[[str, int, int], object]

_NAME = r"\.maixfs-[0-9a-f]{12}\.new"
_PIECE = 1 << 20
"""Bytes between two calls of ``progress``."""
_FORBIDDEN = frozenset((errno.EACCES, errno.EPERM, errno.EROFS))


class Draft:
    """A new file beside ``path`` that takes its place in one step, or is removed.

    ``path`` may be a symbolic link: the file that it leads to is replaced. The mode of a file
    that is there is kept. With ``replace=False`` nothing is replaced: a file that is there, even
    one that another process makes meanwhile, is an error (EEXIST). Leaving the ``with`` without
    ``finish`` removes the draft. ``durable`` waits until the host's disk has it, file and folder;
    many small files do without. ``base`` is the class of all errors.
    """

    def __init__(
        self,
        path: Path,
        *,
        replace: bool = True,
        durable: bool = True,
        base: type[DeviceError] = DeviceError,
    ) -> None:
        self.path = path
        self._replace = replace
        self._durable = durable
        self._base = base
        try:
            if not replace and os.path.lexists(path):
                raise exists_already(path, base)
            # A link stays a link: the draft lies beside the file itself, on its file system, where
            # a rename is one step.
            self._place = Path(os.path.realpath(path))
        except ValueError as error:  # a zero byte
            raise not_opened(path, error, base=base) from error
        self._draft = self._place.with_name(f".maixfs-{os.urandom(6).hex()}.new")
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        with suppress(OSError):
            self._draft.unlink(missing_ok=True)

    @property
    def file(self) -> Path:
        """Where the new content lies until it is finished."""
        return self._draft

    def write(
        self, pieces: Iterable[Buffer], total: int = 0, progress: Progress | None = None
    ) -> None:
        """Write the new content; ``progress`` gets ("write", bytes done, ``total``).

        Raises ``DeviceError`` if the host refuses. What ``pieces`` and ``progress`` raise
        passes through: an error of the medium that is read is not one of this file.
        """
        stream = self._created()
        done = 0
        for piece in pieces:
            for start in range(0, len(piece), _PIECE):
                try:
                    done += stream.write(piece[start : start + _PIECE])
                except OSError as error:
                    raise self._failed(error) from error
                if progress is not None:
                    progress("write", done, total)
        try:
            stream.flush()
            # Before the rename: a host that loses power may keep the new name without the new
            # bytes.
            if self._durable:
                os.fsync(stream.fileno())
        except OSError as error:
            raise self._failed(error) from error

    def make_sparse(self, size: int) -> None:
        """Make the new file of ``size`` zeros that take no room, for others to write."""
        stream = self._created()
        try:
            _mark_sparse(stream.fileno())
            stream.truncate(size)
        except OSError as error:
            raise self._failed(error) from error

    def finish(self) -> None:
        """Put the draft in its place; raises ``DeviceError``, then the old file is as it was."""
        if os.name == "nt":  # renames no open file
            self._close()
        try:
            if self._replace:
                # While the draft has its own name: the file must not appear with another mode,
                # even for a moment.
                with suppress(FileNotFoundError):
                    self._draft.chmod(stat.S_IMODE(self._place.stat().st_mode))
                self._draft.replace(self._place)
            else:
                _rename_to_free(self._draft, self._place)
        except FileExistsError as error:
            raise exists_already(self.path, self._base) from error
        except OSError as error:
            raise self._failed(error) from error
        # The rename lies in the folder. Without this the host can lose it with its power, and the
        # old file is back after "done" was reported.
        if self._durable:
            sync_folder(self._place.parent)

    def _created(self) -> BinaryIO:
        # O_EXCL: a file or a link that somebody put under this name is not written through.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            stream = os.fdopen(os.open(self._draft, flags, 0o666), "wb")
        except OSError as error:
            raise self._failed(error) from error
        self._stream = stream
        # For ``clear_drafts`` of other processes, which removes drafts that nobody has locked.
        try_lock(stream.fileno())
        return stream

    def _close(self) -> None:
        """Close the draft, which also ends its lock; buffered data is discarded."""
        if self._stream is not None:
            # What mattered was flushed in ``write``; an error now belongs to a draft that is given
            # up.
            with suppress(OSError):
                self._stream.close()

    def _failed(self, error: OSError) -> DeviceError:
        hint = "the old file has not changed" if self._place.exists() else None
        if not self.path.parent.is_dir():
            hint = f"make the folder {self.path.parent} first"
        elif error.errno in _FORBIDDEN:
            folder = self._place.parent
            hint = f"it is written under another name first: {folder} must take a new file"
        what = f"cannot be written: {reason_of(error)}"
        return host_error(self.path, what, error, hint=hint, base=self._base)


def write_file(
    path: Path,
    pieces: Iterable[Buffer],
    *,
    replace: bool = True,
    durable: bool = True,
    base: type[DeviceError] = DeviceError,
) -> None:
    """Write a file, whole or not at all; raises ``base``. The options are those of ``Draft``."""
    with Draft(path, replace=replace, durable=durable, base=base) as draft:
        draft.write(pieces)
        draft.finish()


def create_sparse(path: Path, size: int, *, base: type[DeviceError] = DeviceError) -> None:
    """Make a new file of ``size`` zeros that take no room; raises ``base``, also for EEXIST."""
    with Draft(path, replace=False, durable=False, base=base) as draft:
        draft.make_sparse(size)
        draft.finish()


def clear_drafts(folder: Path) -> None:
    """Remove the drafts that killed processes left in a folder; nothing else is touched.

    A draft that is being written is locked.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        names = [entry.path for entry in entries if re.fullmatch(_NAME, entry.name)]
        for name in names:
            with suppress(OSError):
                _remove_abandoned(name)


def sync_folder(folder: Path) -> None:
    """Sync a folder so that new names are durable; Windows cannot be asked for this."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove_abandoned(name: str) -> None:
    handle = os.open(name, os.O_RDWR)  # a lock needs the right to write on some file systems
    try:
        abandoned = try_lock(handle, unknown=False)
    finally:
        os.close(handle)
    if abandoned:
        os.unlink(name)  # noqa: PTH108 - a name from scandir


def _rename_to_free(draft: Path, place: Path) -> None:
    """Give a file a name that must be free; raises ``FileExistsError``.

    The old name may stay: leaving the ``with`` of the draft removes it.
    """
    if os.name == "nt":  # rename refuses an existing name there
        draft.rename(place)
        return
    try:
        # rename would replace a file that came meanwhile; a hard link never does.
        os.link(draft, place)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network file systems have no hard links
        if os.path.lexists(place):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        draft.rename(place)


def _mark_sparse(handle: int) -> None:
    """Make NTFS store holes without clusters; other file systems do so by default."""
    if os.name == "nt":
        from maixfs.host.drives import set_sparse_on_windows

        set_sparse_on_windows(handle)
