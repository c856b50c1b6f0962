"""How a file is opened: FatFs's flags."""

from __future__ import annotations

from enum import IntFlag


class OpenFlag(IntFlag):
    """Flags of ``FatCore.open``; they are combined with ``|``."""

    READ = 0x01
    WRITE = 0x02
    CREATE_NEW = 0x04
    """Make the file; it is an error if it exists."""
    CREATE_ALWAYS = 0x08
    """Make the file, or empty the one that exists."""
    OPEN_ALWAYS = 0x10
    """Make the file if it does not exist."""
    APPEND = 0x30
    """``OPEN_ALWAYS``, and the position is at the end."""
