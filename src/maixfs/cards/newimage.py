"""New card images, which appear when they are complete, and the errors of cards."""

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
    """A card cannot be made, converted or copied."""


class ProofError(CardError):
    """Read-back data differs from what was written, or a file is missing on the new card."""


@contextmanager
def new_image(path: Path, sectors: int, *, force: bool = False) -> Iterator[FileSectors]:
    """Provide a blank image of ``sectors`` sectors that becomes ``path`` when the ``with`` ends.

    It lies beside ``path`` until then, and is removed if the block raises. Raises
    ``DeviceError`` if the host refuses, and if ``path`` exists already
    (``FileExistsError``), unless ``force``; ``CardError`` if the image
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
            if str(draft.file) not in str(error):  # of the card that is read
                raise
            message = str(error).replace(str(draft.file), str(path))
            raise CardError(message, hint=error.hint) from error
        draft.finish()
        # A leftover journal belongs to the replaced image.
        forget(place)
