"""What lies behind a host path: a board's folder or a file, and which locks go with it."""

from __future__ import annotations

import os
import stat
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.errors import Command
from maixfs.host.drives import is_drive, size_of
from maixfs.host.files import Stamp, refuse_protected, status_of
from maixfs.host.locks import locked_by
from maixfs.image.errors import MissingError, TargetError
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.image.boardconfig import BoardConfig

_CONFIG_NAME = "board.toml"
_FLASH_NAME = "flash.bin"
_BOARD_FILES = frozenset((_FLASH_NAME, "sd.img"))
_WEAR_NAME = "wear.bin"
PATIENCE = 2.0
"""Seconds that a writer waits for another one."""


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
        return size_of(self.file)

    @property
    def wear_file(self) -> Path | None:
        """Where the erase counts of the chip lie, if anywhere."""
        return self.folder / _WEAR_NAME if self.folder is not None else None


def find_source(host: Path, *, writable: bool, drives: bool = False) -> Source:
    """Look at a host path; nothing is opened but a board's ``board.toml``.

    Block devices may be read, and written where ``drives`` says so. Raises ``DeviceError`` for
    what is missing, is not a file or, with ``writable``, may not be written, ``TargetError`` for
    a drive without ``drives``, and ``BoardError`` for a folder that is not a board.
    """
    status = status_of(host, devices=True)
    folder, config, file = None, None, host
    if stat.S_ISDIR(status.st_mode):
        from maixfs.image.boardconfig import BoardConfig

        folder, config, file = host, BoardConfig.load(host), host / _FLASH_NAME
        status = status_of(file)
    else:
        # Resolved: whoever opens the flash of a board by a link must take the lock of that board.
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
            hint="allow writing to drives, or change a copy and write that to the drive",
            fix=(
                Command("sd read", (str(host), "IMAGE")),
                Command("sd write", ("IMAGE", str(host))),
            ),
        )
    from maixfs.cards.transfer import refuse_unlikely
    from maixfs.host.drives import drive_facts

    refuse_unlikely(drive_facts(host), size_of(host))


def _board_of(file: Path) -> Path | None:
    """Return the board's folder of which a file is the flash or the card."""
    if not file.with_name(_CONFIG_NAME).is_file():
        return None
    return file.parent if file.name in _BOARD_FILES else None


def locked(source: Source, *, card: bool = False) -> AbstractContextManager[object]:
    """Return what keeps others from changing an image for as long as it is entered.

    That is the lock of a board's folder, or a lock file beside an image that is replaced by a
    rename. A card is changed in place and locked itself (``media.CardMedium``); here it is only
    the board that it belongs to. Entering waits for ``PATIENCE`` seconds, then raises
    ``BoardBusyError`` or ``ImageBusyError``.
    """
    from maixfs.image.boardlock import BoardLock, ImageLock

    if source.folder is not None:
        return BoardLock(source.folder, wait=PATIENCE)
    if card or source.is_device:
        return nullcontext()
    return ImageLock(source.file, wait=PATIENCE)


def held_back(path: Path) -> AbstractContextManager[object]:
    """Return what keeps other writers from a file that is about to be replaced as a whole.

    An edit that read the old file would otherwise be committed over the new one. A path without a
    file needs no lock. Raises as ``locked``.
    """
    if not path.is_file():
        return nullcontext()
    return locked(find_source(path, writable=False))


def board_holder(folder: Path) -> int | None:
    """Return the process that has a board powered on; 0 where that is not known.

    ``None`` says that no process has it. Nothing is written.
    """
    from maixfs.image.boardlock import LOCK_NAME

    return locked_by(folder / LOCK_NAME)


def no_image(image: Path, folder: Path) -> MissingError:
    """Return the error for a board whose card is in its slot, but no longer on the host."""
    return MissingError(
        f"{image} does not exist, and is the card in the slot of {folder}",
        hint="put the file back, or empty the slot",
        fix=(Command("sd eject", (str(folder),)),),
    )
