"""What lies behind a host path: a board's folder or a file, and which locks go with it."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from maixfs.sd.hostfile import is_drive
from maixfs.target.errors import TargetError
from maixfs.target.hostfile import Stamp, look_at, reason_of, refuse_protected

if TYPE_CHECKING:
    from maixfs.board.config import BoardConfig

_CONFIG_NAME = "board.toml"
_FLASH_NAME = "flash.bin"
_BOARD_FILES = frozenset((_FLASH_NAME, "sd.img"))
_WEAR_NAME = "wear.bin"
_LOCK_NAME = "board.lock"


class Source(NamedTuple):
    """A target's place on the host; ``file`` holds its bytes."""

    host: Path
    file: Path
    stamp: Stamp
    """Of ``file``, as it was found."""
    folder: Path | None
    """The board that ``file`` belongs to."""
    config: BoardConfig | None
    """What the board is made of; ``None`` for an image, also for a board's own."""
    is_device: bool = False
    """Whether ``file`` is a block device."""

    @property
    def size(self) -> int:
        """Bytes of ``file``."""
        if not self.is_device:
            return self.stamp.size
        return _size_of_drive(self.file)

    @property
    def wear_file(self) -> Path | None:
        """Where the erase counts of the chip lie, if anywhere."""
        return self.folder / _WEAR_NAME if self.folder is not None else None


def find_source(host: Path, *, writable: bool, drives: bool = False) -> Source:
    """Look at a host path; nothing is opened but a board's ``board.toml``.

    Block devices may be read, and written where ``drives`` says so. Raises ``MissingError`` for
    nothing, ``BoardError`` for a folder that is no board, and ``TargetError`` for what is no file
    or, with ``writable``, may not be written.
    """
    status = look_at(host, devices=True)
    folder, config, file = None, None, host
    if stat.S_ISDIR(status.st_mode):
        from maixfs.board.config import BoardConfig

        folder, config, file = host, BoardConfig.load(host), host / _FLASH_NAME
        status = look_at(file)
    else:
        folder = _board_of(Path(os.path.realpath(host)))
    is_device = is_drive(file)
    if writable and is_device:
        _refuse_drive(host, drives)
    if writable:
        refuse_protected(file, status)
    return Source(host, file, Stamp.of(status), folder, config, is_device)


def _refuse_drive(host: Path, drives: bool) -> None:
    """Raise unless a drive may be written and is likely to be a card that nobody uses."""
    if not drives:
        raise TargetError(
            f"{host} is a drive of this computer: it is only read",
            hint=f"--drive writes to it; or: maixfs sd read {host} IMAGE, then maixfs sd write",
        )
    from maixfs.card.hostdevice import look_at_device, refuse_unlikely

    refuse_unlikely(look_at_device(host), _size_of_drive(host))


def _size_of_drive(host: Path) -> int:
    try:
        with host.open("rb") as stream:
            return stream.seek(0, os.SEEK_END)
    except OSError as error:
        raise TargetError(f"{host} cannot be opened: {reason_of(error)}") from error


def _board_of(file: Path) -> Path | None:
    """Return the board's folder of which a file is the flash or the card."""
    if not file.with_name(_CONFIG_NAME).is_file():
        return None
    return file.parent if file.name in _BOARD_FILES else None


def locked(source: Source) -> AbstractContextManager[object]:
    """Return what keeps others from changing a board for as long as it is entered.

    Entering raises ``BoardBusyError`` where the board is powered on elsewhere.
    """
    if source.folder is None:
        return nullcontext()
    from maixfs.board.lock import BoardLock

    return BoardLock(source.folder)


def board_holder(folder: Path) -> int | None:
    """Return the process that has a board powered on; 0 where that is not known.

    ``None`` says that nobody has it. Nothing is written: where the host has no lock that can be
    asked for (Windows), the number that the holder left is believed.
    """
    from maixfs.board.lock import holder_of

    if sys.platform == "win32":
        return holder_of(folder)
    try:
        handle = os.open(folder / _LOCK_NAME, os.O_RDONLY)
    except OSError:
        return None
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return holder_of(folder) or 0
    except OSError:  # a file system that has no such locks
        return holder_of(folder)
    finally:
        os.close(handle)
    return None
