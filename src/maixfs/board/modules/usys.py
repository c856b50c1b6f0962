"""``sys``: the board's path, streams and version, and exceptions printed its way."""

from __future__ import annotations

from types import ModuleType
from typing import Any, NoReturn

from maixfs.board import firmware
from maixfs.board.console import Console, InputStream, OutputStream
from maixfs.board.modules.kit import attr_tuple, make_module
from maixfs.board.modules.streams import send
from maixfs.board.printexc import ScriptFrame, format_exception


def leave(status: object = None) -> NoReturn:
    """``sys.exit``: end the script."""
    raise SystemExit(status) if status is not None else SystemExit


def usys(
    console: Console, path: list[str], loaded: dict[str, ModuleType], is_script: ScriptFrame
) -> ModuleType:
    """Return the module; ``path`` and ``loaded`` are the importer's."""
    stdout = OutputStream(console)

    def print_exception(error: BaseException, stream: Any = stdout) -> None:
        """Print an exception with its traceback to ``stream``."""
        send(stream, format_exception(error, is_script))

    members = {
        "argv": [],
        "byteorder": "little",
        "exit": leave,
        "implementation": attr_tuple({"name": "micropython", "version": firmware.VERSION}),
        "maxsize": (1 << 63) - 1,
        "modules": loaded,
        "path": path,
        "platform": firmware.PLATFORM,
        "print_exception": print_exception,
        "stderr": stdout,
        "stdin": InputStream(console),
        "stdout": stdout,
        "version": ".".join(map(str, firmware.PYTHON_VERSION)),
        "version_info": firmware.PYTHON_VERSION,
    }
    return make_module("sys", members)
