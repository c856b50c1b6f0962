"""New files of the host with bytes that a verb made: whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.cli.progress import Progress
from maixfs.cli.screen import Screen

if TYPE_CHECKING:
    from maixfs.image.entries import Written
    from maixfs.nor import Buffer


def write_new(screen: Screen, out: Path, data: Buffer, *, force: bool) -> Written:
    """Write a file; the very same content is left alone.

    Raises ``OccupiedError`` for another file that is there, unless ``force`` replaces it, for
    what is not a file in any case, and ``DeviceError`` where the host refuses.
    """
    from maixfs.host import files
    from maixfs.image.entries import Written

    digest = hashlib.sha256(data).hexdigest()
    with Progress(screen, rates=True) as progress:
        changed = files.write_new(out, (data,), force=force, progress=progress)
    return Written(str(out), len(data), digest, changed)
