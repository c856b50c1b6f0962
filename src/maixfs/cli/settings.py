"""What a user chose for the whole run: colour, plain text, JSON, exact sizes, tracebacks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO


class Settings:
    """Choices that every verb honours; options write into it, the screen reads it.

    ``color`` is ``auto``, ``always`` or ``never``.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self.color = "auto"
        self.plain = False
        self.json = False
        self.bytes = False
        self.verb = ""
        self.emitted = False
        """Whether the JSON document of this run is out."""
        self.debug = self._environment.get("MAIXFS_DEBUG", "") not in {"", "0"}

    def colored(self, stream: TextIO | None) -> bool:
        """Tell whether ``stream`` gets colours.

        A ``--color`` decides, then ``NO_COLOR`` (no-color.org), then ``FORCE_COLOR``; else a
        terminal gets them, unless it says that it is dumb. ``--plain`` has none.
        """
        if self.plain or self.color == "never":
            return False
        if self.color == "always":
            return True
        if self._environment.get("NO_COLOR"):
            return False
        if self._environment.get("FORCE_COLOR", "0") != "0":
            return True
        return is_terminal(stream) and self._environment.get("TERM") != "dumb"


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a stream of the host leads to a terminal."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False
