"""Paths of a target: where its file system is mounted and what lies elsewhere."""

from __future__ import annotations

from maixfs.errors import UsageError
from maixfs.spiffs import Geometry
from maixfs.target.errors import MissingError, TargetError
from maixfs.target.names import Parts, Steps, parse, parts_of, show, steps_of, too_long

_FLASH = "flash"
_CARD = "sd"


class Mount:
    """The place where paths of a target begin: ``/flash`` on a chip, ``/`` in a bare image."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @property
    def point(self) -> str:
        """The mount point as a path."""
        return "/" + "/".join(self.parts)

    def absolute(self, path: str | None) -> Steps:
        """Return the steps of a path; a relative one starts at the mount point.

        ``/flash/...`` is understood in a bare image as well.
        """
        text = path or ""
        if not text.startswith("/"):
            text = f"{self.point.rstrip('/')}/{text}"
        return steps_of(text)

    def without_flash(self, steps: Steps) -> Steps:
        """Return the steps in a bare image of a path that was meant for a board."""
        if not self.parts and steps.parts[:1] == (_FLASH,):
            return steps._replace(parts=steps.parts[1:])
        return steps

    def stored_name(self, path: str, geometry: Geometry) -> bytes:
        """Return the name under which a file of that path is stored.

        Raises ``UsageError`` for a path that no file can have in this file system.
        """
        steps = self.without_flash(self.absolute(path))
        if steps.page is not None:
            raise UsageError(f"{path}: a header page can only be read", hint="give it a name")
        inside = steps.parts[len(self.parts) :]
        if steps.parts[: len(self.parts)] != self.parts or not inside:
            raise self.elsewhere(steps, writing=True)
        if path.endswith("/"):
            raise UsageError(f"{path} is the name of a folder", hint="leave the last slash out")
        raw = b"/" + b"/".join(parse(part) for part in inside)
        if b"\0" in raw:
            raise UsageError(f"{show(raw)}: a name cannot hold a zero byte")
        if len(raw) >= geometry.name_length:
            raise too_long(path, raw, geometry.name_length - 1)
        return raw

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
        return MissingError(
            f"{path}: nothing is mounted there", hint=f"paths start with {self.point}"
        )

    def _example(self, name: str = "main.py") -> str:
        return f"{self.point.rstrip('/')}/{name}"

    def label(self, stored: bytes) -> str:
        """Return the path of a stored name, for messages."""
        return "/" + "/".join(self.parts + parts_of(stored))
