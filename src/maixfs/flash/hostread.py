"""Files of the host that recipes and packages name: read whole, and within bounds."""

from __future__ import annotations

import errno
import stat
from pathlib import Path


def read_whole(path: Path, most: int) -> bytes:
    """Return the bytes of a file of at most ``most`` bytes.

    Raises ``OSError`` with a reason for people, also for devices and pipes: they may have no end.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise OSError(errno.EINVAL, "it is a device or a pipe, no file")
        with path.open("rb") as stream:
            data = stream.read(most + 1)
    except ValueError as error:  # a name that no host takes
        raise OSError(errno.EINVAL, str(error)) from error
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most >> 20} MiB")
    return data
