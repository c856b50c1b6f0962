"""Where a board has its volumes."""

from __future__ import annotations

FLASH = "/flash"
"""Where the flash is mounted."""

SD = "/sd"
"""Where the first partition of the card that mounts goes, whatever its number."""
