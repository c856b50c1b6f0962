"""Paths of a target: where its file system is mounted and what lies elsewhere."""

from __future__ import annotations

from maixfs.errors import Command, UsageError
from maixfs.image.errors import MissingError, TargetError
from maixfs.image.names import Parts, Steps, parts_of, steps_of

_FLASH = "flash"
_CARD = "sd"
_PARTITIONS = (("sd2",), ("sd3",), ("sd4",))


class Mount:
    """The place where paths of a file system begin: ``/flash``, ``/sd``; ``/`` in a bare image.

    ``alias`` is the board's name for what is mounted at ``/``.
    """

    def __init__(self, parts: Parts, alias: str = _FLASH) -> None:
        self.parts = parts
        self._alias = alias

    @property
    def point(self) -> str:
        """The mount point as a path."""
        return "/" + "/".join(self.parts)

    def absolute(self, path: str | None) -> Steps:
        """Return the steps of a path; a relative one starts at the mount point.

        What a board calls it (``/flash/...``) is understood in a bare image as well.
        """
        text = path or ""
        if not text.startswith("/"):
            text = f"{self.point.rstrip('/')}/{text}"
        return steps_of(text)

    def without_alias(self, steps: Steps) -> Steps:
        """Return the steps in a bare image of a path that was meant for a board."""
        # Commands that were written for a board work with its dump.
        if not self.parts and steps.parts[:1] == (self._alias,):
            return steps._replace(parts=steps.parts[1:])
        return steps

    def inside(self, path: str, steps: Steps) -> Parts:
        """Return the parts below the mount point of a file that is to be written to ``path``.

        ``steps`` are those of ``path``. Raises ``UsageError`` where no file can be there.
        """
        inside = steps.parts[len(self.parts) :]
        if steps.parts[: len(self.parts)] != self.parts or not inside:
            raise self.elsewhere(steps, writing=True)
        if path.endswith("/"):
            raise UsageError(f"{path} is the name of a folder", hint="leave the last slash out")
        return inside

    def elsewhere(self, steps: Steps, *, writing: bool = False) -> TargetError | UsageError:
        """Return the error for a path outside of the file system, or for its root."""
        path = "/" + "/".join(steps.parts)
        if steps.parts[:1] == (_CARD,) and self.parts:
            return MissingError(f"{path}: there is no card in this board")
        if steps.parts[: len(self.parts)] == self.parts:
            return UsageError(f"{path} is no file", hint=f"name one: {self._example()}")
        if writing and len(steps.parts) <= 1:
            return UsageError(
                f"{path}: nothing can be written to /, which only lists what is mounted",
                hint=f"write to {self.point}: {self._example(*steps.parts)}",
            )
        if steps.parts[:1] in _PARTITIONS and self.parts:
            return MissingError(
                f"{path}: the card has nothing for a board to mount there, or there is no card",
                fix=(Command("sd info", ("BOARD",)),),
            )
        return MissingError(
            f"{path}: nothing is mounted there", hint=f"paths start with {self.point}"
        )

    def _example(self, name: str = "main.py") -> str:
        return f"{self.point.rstrip('/')}/{name}"

    def label(self, stored: bytes) -> str:
        """Return the path of a stored name, for messages."""
        return "/" + "/".join(self.parts + parts_of(stored))
