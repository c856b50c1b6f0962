"""``uio``: streams in memory, and the types of the board's files."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import ModuleType
from typing import Any

from maixfs.board.modules.kit import make_module
from maixfs.vfs.files import FileIO, TextIOWrapper


class IOBase:
    """Base of streams that a script makes itself: ``readinto``, ``write``, ``ioctl``."""


def uio(opener: Callable[..., Any]) -> ModuleType:
    """Return the module; ``opener`` is the board's ``open``."""
    members = {
        "BytesIO": io.BytesIO,
        "FileIO": FileIO,
        "IOBase": IOBase,
        "StringIO": io.StringIO,
        "TextIOWrapper": TextIOWrapper,
        "open": opener,
    }
    return make_module("uio", members)
