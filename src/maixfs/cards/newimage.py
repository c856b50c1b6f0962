"""New card images that appear under their name when they are complete, and the errors of cards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maixfs.errors import MaixfsError
from maixfs.host.drafts import Draft, clear_drafts
from maixfs.host.files import refuse_occupied
from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SectorError
from maixfs.sd.journal import forget
from maixfs.sd.media import FileSectors


class CardError(MaixfsError):
    """A card cannot be made, converted or copied; the message says why."""


class ProofError(CardError):
    """What was read back is not what was written, or a file of the old card is not in the new."""


@contextmanager
def new_image(path: Path, sectors: int, *, force: bool = False) -> Iterator[FileSectors]:
    """Give a blank image of ``sectors`` sectors that becomes ``path`` at the end of the ``with``.

    It lies beside ``path`` until then, and goes if an exception leaves the block. Raises
    ``DeviceError`` where the host refuses, and where ``path`` is there already
    (``FileExistsError``) unless ``force`` may replace the file; ``CardError`` where the image
    cannot be written.
    """
    refuse_occupied(path, force=force)
    place = Path(os.path.realpath(path))
    clear_drafts(place.parent)
    with Draft(path, replace=force) as draft:
        draft.make_sparse(sectors * SECTOR)
        try:
            with FileSectors(draft.file, read_only=False) as device:
                yield device
                device.sync()
        except SectorError as error:
            if str(draft.file) not in str(error):  # of another card, which is read
                raise
            message = str(error).replace(str(draft.file), str(path))
            raise CardError(message, hint=error.hint) from error
        draft.finish()
        # A journal that is still there belongs to the image that was replaced.
        forget(place)
