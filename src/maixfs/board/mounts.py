"""The mount table as MaixPy's start handles it: by hand, without ``uos.mount``'s rules."""

from __future__ import annotations

from typing import Any

from maixfs.vfs import Errno, Vfs, VfsError
from maixfs.vfs.imports import NativeDriver
from maixfs.vfs.table import Mount
from maixfs.vfs.text import c_string

FLASH = "/flash"
"""Where the flash is mounted."""

SD = "/sd"
"""Where the first partition of the card that mounts goes, whatever its number."""


def put_in_place(vfs: Vfs, driver: Any, name: str) -> list[str]:
    """Put ``driver`` in the place of the mount called ``name``, or at the very end.

    It is not asked. As in the firmware, which makes it the last one, all mounts that came after
    the old one are forgotten; their names are returned.
    """
    table, mount = vfs._table, Mount(name, driver)
    before: Mount | None = None
    old = table.first
    while old is not None and old.name != name:
        before, old = old, old.next
    if before is None:
        table.first = mount
    else:
        before.next = mount
    forgotten = []
    after = None if old is None else old.next
    while after is not None:
        forgotten.append(after.name)
        after = after.next
    return forgotten


def enter(vfs: Vfs, name: str) -> None:
    """Make the mount called ``name`` the current volume, without asking its driver."""
    for mount in vfs._table:
        if mount.name == name:
            vfs._table.current = mount


def open_native(vfs: Vfs, path: str) -> Any:
    """Open a file to be read as bytes where the firmware does so for itself.

    It looks only at its own file systems: ENOENT on a volume that a program wrote.
    """
    place, inside = vfs._table.look_up(c_string(path))
    if not isinstance(place, Mount) or not isinstance(place.driver, NativeDriver):
        raise VfsError(Errno.ENOENT)
    return place.driver.open(inside, "rb")  # type: ignore[attr-defined]
