"""New files of the host with bytes that a verb made: whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.cli.progress import Progress
from maixfs.cli.screen import Screen

if TYPE_CHECKING:
    from maixfs.nor import Buffer
    from maixfs.target import Written


def write_new(screen: Screen, out: Path, data: Buffer, *, force: bool) -> Written:
    """Write a file; the very same content is left alone.

    Raises ``OccupiedError`` for another file that is there, unless ``force`` replaces it, for
    what is not a file in any case, and ``DeviceError`` where the host refuses.
    """
    from maixfs.host.drafts import Draft, clear_drafts
    from maixfs.host.files import refuse_occupied, same_content
    from maixfs.target import Written

    proof = Written(str(out), len(data), hashlib.sha256(data).hexdigest(), True)
    if same_content(out, (data,)):
        return proof._replace(changed=False)
    refuse_occupied(out, force=force)
    clear_drafts(out.resolve().parent)
    with Progress(screen, rates=True) as progress, Draft(out) as draft:
        draft.write((data,), len(data), progress)
        draft.finish()
    return proof
