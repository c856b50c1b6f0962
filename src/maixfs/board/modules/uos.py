"""``uos``: the mount table's calls and what the firmware adds to them."""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from types import ModuleType
from typing import Any

from maixfs.board import firmware
from maixfs.board.modules.kit import AttrTuple, attr_tuple, make_module, public
from maixfs.board.modules.urandom import Yasmarang
from maixfs.vfs import Vfs

_UNAME = {
    "sysname": firmware.PLATFORM,
    "nodename": firmware.PLATFORM,
    "release": ".".join(map(str, firmware.VERSION)),
    "version": firmware.BUILD,
    "machine": firmware.MACHINE,
}


class Uos:
    """What the module holds; paths, results and errors are those of ``Vfs``.

    ``reformat`` is the firmware's ``flash_format``. ``check`` raises once the power is off; the
    calls of ``Vfs`` and ``reformat`` check that themselves.
    """

    def __init__(
        self, vfs: Vfs, reformat: Callable[[], bool | None], check: Callable[[], object]
    ) -> None:
        self._random = Yasmarang()
        self._check = check
        self.flash_format = reformat
        self.chdir = vfs.chdir
        self.getcwd = vfs.getcwd
        self.ilistdir = vfs.ilistdir
        self.listdir = vfs.listdir
        self.mkdir = vfs.mkdir
        self.mount = vfs.mount
        self.remove = vfs.remove
        self.rename = vfs.rename
        self.rmdir = vfs.rmdir
        self.stat = vfs.stat
        self.statvfs = vfs.statvfs
        self.umount = vfs.umount

    def sync(self) -> None:
        """Do nothing, as the firmware does: data in open files stays where it is."""
        self._check()

    def uname(self) -> AttrTuple:
        """Return what the firmware calls itself and the board."""
        self._check()
        return attr_tuple(_UNAME)

    def urandom(self, count: int) -> bytes:
        """Return ``count`` bytes, the same after every reset: the chip has no better source.

        Raises ``MemoryError`` for more than the board's memory holds.
        """
        self._check()
        if not 0 <= index(count) <= firmware.RAM_SIZE:
            raise MemoryError(f"memory allocation failed, allocating {count % (1 << 64)} bytes")
        return bytes(self._random.next() & 0xFF for _ in range(count))


def module_of(uos: Uos, **more: Any) -> ModuleType:
    """Return the module, with ``more`` in it."""
    return make_module("uos", {**public(uos), **more})
