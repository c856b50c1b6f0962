"""``uos.VfsFat`` as the programs of one board have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.vfs.fat import VfsFat

if TYPE_CHECKING:
    from maixfs.vfs.fat_options import FatOptions


def fat_class(board: FatOptions) -> type[VfsFat]:
    """Return ``VfsFat`` whose objects have the options of a board, under its usual name."""

    class OwnVolume(VfsFat):
        options = board

        def __repr__(self) -> str:
            return "<VfsFat>"

    OwnVolume.__name__ = OwnVolume.__qualname__ = VfsFat.__name__
    OwnVolume.__module__ = "builtins"
    return OwnVolume
