"""What a file object asks of a driver's open file."""

from __future__ import annotations

from typing import Protocol


class RawFile(Protocol):
    """An open file of a driver: MicroPython's stream protocol.

    Every method raises ``VfsError`` with the number that the firmware gives. Positions and sizes
    are bytes.
    """

    @property
    def lookahead(self) -> int:
        """How many bytes may be read in search of a newline and given back by a seek (1 or more).

        The firmware reads one at a time; more is allowed where no program can tell.
        """

    def read(self, size: int) -> bytes:
        """Return up to ``size`` (more than 0) bytes from the position on; ``b""`` at the end."""

    def read_all(self) -> bytes:
        """Return everything from the position to the end."""

    def write(self, data: memoryview) -> int:
        """Write ``data`` (not empty) at the position; return how many bytes went in."""

    def seek(self, offset: int, whence: int) -> int:
        """Move the position and return what the driver reports (0 start, 1 here, 2 end)."""

    def flush(self) -> None:
        """Bring what the driver still holds in RAM to the medium."""

    def close(self) -> None:
        """Flush and give the descriptor back; closing again does nothing."""
