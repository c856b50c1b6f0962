"""Packages for flashers (.kfpkg): an archive, and a list of what goes where in the flash.

    package = read_kfpkg("maixpy.kfpkg")
    for part in package.parts:
        print(hex(part.address), part.name, part.size)

Reading forgives what flashers disagree about, and is bounded; what is written all of them read.
The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.kfpkg.errors import KfpkgError
    from maixfs.kfpkg.package import LIST_NAME, Package, Part
    from maixfs.kfpkg.read import read_kfpkg
    from maixfs.kfpkg.write import make_kfpkg, write_kfpkg

__all__ = [
    "LIST_NAME",
    "KfpkgError",
    "Package",
    "Part",
    "make_kfpkg",
    "read_kfpkg",
    "write_kfpkg",
]

__getattr__ = lazy_names(
    __name__,
    {
        "errors": ("KfpkgError",),
        "package": ("LIST_NAME", "Package", "Part"),
        "read": ("read_kfpkg",),
        "write": ("make_kfpkg", "write_kfpkg"),
    },
)
