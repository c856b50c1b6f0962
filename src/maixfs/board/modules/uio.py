"""``uio``: streams in memory, and the types of the board's files."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from maixfs.board.modules import streams
from maixfs.board.modules.kit import make_module, pick
from maixfs.vfs import FileIO, TextIOWrapper

_STREAMS = ("BufferedWriter", "BytesIO", "IOBase", "StringIO")


def uio(opener: Callable[..., Any]) -> ModuleType:
    """Return the module; ``opener`` is the board's ``open``."""
    members = {"FileIO": FileIO, "TextIOWrapper": TextIOWrapper, "open": opener}
    return make_module("uio", members | pick(streams, _STREAMS))
