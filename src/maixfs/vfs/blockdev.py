"""From a block device to the driver of what is on it."""

from __future__ import annotations

from typing import Any

from maixfs.errors import UsageError


def driver_of(device: Any) -> Any:
    """Return a driver over ``device``, an object with ``readblocks`` and ``ioctl``.

    Raises ``AttributeError`` for an object that is no block device, as MicroPython does, and
    ``UsageError`` where it is one: block devices hold FAT, and this version has no driver for it.
    """
    if not hasattr(device, "readblocks"):
        kind = type(device).__name__
        raise AttributeError(f"'{kind}' object has no attribute 'readblocks'")
    raise UsageError(
        "cannot mount a block device: there is no FAT driver in this version",
        hint="mount an object that has the methods of a file system, or a VfsSpiffs",
    )
