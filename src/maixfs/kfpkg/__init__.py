"""Packages for flashers (.kfpkg): an archive, and a list of what goes where in the flash.

    package = read_kfpkg("maixpy.kfpkg")
    for part in package.parts:
        print(hex(part.address), part.name, part.size)

Reading accepts every list whose meaning is clear, says what is unusual about it, and is bounded;
``make_kfpkg`` writes packages that all known flashers read. The names below are loaded when they
are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.kfpkg.archive import KfpkgError
    from maixfs.kfpkg.package import LIST_NAME, Package, Part, make_kfpkg, read_kfpkg, write_kfpkg

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
        "archive": ("KfpkgError",),
        "package": ("LIST_NAME", "Package", "Part", "make_kfpkg", "read_kfpkg", "write_kfpkg"),
    },
)
