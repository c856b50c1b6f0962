"""A new card image that appears under its name when it is whole, or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from maixfs.card.errors import CardError, TakenError
from maixfs.errors import MaixfsError
from maixfs.sd.drafts import clear_drafts, draft_of
from maixfs.sd.errors import SectorError
from maixfs.sd.hostlock import sync_folder, try_lock
from maixfs.sd.journal import forget
from maixfs.sd.media import FileSectors


@contextmanager
def new_image(path: Path, sectors: int, *, force: bool = False) -> Iterator[FileSectors]:
    """Give a blank image of ``sectors`` sectors that becomes ``path`` at the end of the ``with``.

    It lies beside ``path`` until then, and goes if an exception leaves the block. Raises
    ``TakenError`` where ``path`` is there already, unless ``force`` may replace the file;
    ``CardError`` where it cannot be written.
    """
    refuse_taken(path, force=force)
    place = Path(os.path.realpath(path))
    clear_drafts(place.parent)
    draft = draft_of(place)
    if not place.parent.is_dir():
        raise CardError(f"{path} cannot be written", hint=f"make the folder {path.parent} first")
    try:
        device = FileSectors.create(draft, sectors)
        with device, _locked(draft):
            yield device
            device.sync()
        draft.replace(place)
        sync_folder(place.parent)
        forget(place)
    except SectorError as error:  # the user knows nothing of a draft
        raise CardError(str(error).replace(str(draft), str(path)), hint=error.hint) from error
    except MaixfsError:  # some are an OSError, too, and say more than that
        raise
    except OSError as error:
        raise CardError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def refuse_taken(path: Path, *, force: bool) -> None:
    """Raise ``TakenError`` where something is at ``path`` that may not be replaced."""
    if path.is_dir():
        raise TakenError(f"{path} is a folder", hint="choose another name")
    if path.exists() and not path.is_file():
        raise TakenError(f"{path} is no ordinary file", hint="choose another name")
    if not force and (path.exists() or path.is_symlink()):
        raise TakenError(f"{path} exists already", hint="--force replaces it")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep a file locked, so that nobody takes it for a leftover; not on Windows."""
    if sys.platform == "win32":  # which renames no open file
        yield
        return
    handle = os.open(path, os.O_RDWR)
    try:
        try_lock(handle)
        yield
    finally:
        os.close(handle)
