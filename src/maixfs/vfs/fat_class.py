"""``uos.VfsFat`` as the programs of one board have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maixfs.vfs.fat import VfsFat

if TYPE_CHECKING:
    from maixfs.vfs.fat_options import FatOptions


def fat_class(options: FatOptions) -> type[VfsFat]:
    """Return ``VfsFat`` with a board's ``options``; it takes a block device and nothing else."""

    class OwnVolume(VfsFat):
        def __init__(self, bdev: Any, /) -> None:
            super().__init__(bdev, options=options)

        def __repr__(self) -> str:
            return "<VfsFat>"

    OwnVolume.__name__ = OwnVolume.__qualname__ = VfsFat.__name__
    OwnVolume.__module__ = "builtins"
    return OwnVolume
