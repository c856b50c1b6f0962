"""What lies where in a board's flash: firmware, models, file systems; found, made, explained.

    from maixfs.flash import FlashImage

    for found in FlashImage(dump).found:
        print(hex(found.start), found.kind, found.detail)

The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.flash.banner import Banner
    from maixfs.flash.bootarea import BootVerdict, check_boot_area
    from maixfs.flash.bootconfig import BootConfig, BootEntry, KbootError
    from maixfs.flash.bootreport import BootReport
    from maixfs.flash.errors import FirmwareError
    from maixfs.flash.firmware import Firmware, read_firmware, unwrap, verify, wrap
    from maixfs.flash.image import FlashImage
    from maixfs.flash.kboot import BootChoice, EntryVerdict, Kboot, read_kboot
    from maixfs.flash.kfpkg import KfpkgError, Package, Part, make_kfpkg, read_kfpkg, write_kfpkg
    from maixfs.flash.kmodel import Model, ModelError, find_models, parse_model
    from maixfs.flash.layout import LAYOUTS, Layout, LayoutError, Region, find_layout, load_layout
    from maixfs.flash.records import Finding, Found, Overlap

__all__ = [
    "LAYOUTS",
    "Banner",
    "BootChoice",
    "BootConfig",
    "BootEntry",
    "BootReport",
    "BootVerdict",
    "EntryVerdict",
    "Finding",
    "Firmware",
    "FirmwareError",
    "FlashImage",
    "Found",
    "Kboot",
    "KbootError",
    "KfpkgError",
    "Layout",
    "LayoutError",
    "Model",
    "ModelError",
    "Overlap",
    "Package",
    "Part",
    "Region",
    "check_boot_area",
    "find_layout",
    "find_models",
    "load_layout",
    "make_kfpkg",
    "parse_model",
    "read_firmware",
    "read_kboot",
    "read_kfpkg",
    "unwrap",
    "verify",
    "wrap",
    "write_kfpkg",
]

__getattr__ = lazy_names(
    __name__,
    {
        "banner": ("Banner",),
        "bootarea": ("BootVerdict", "check_boot_area"),
        "bootconfig": ("BootConfig", "BootEntry", "KbootError"),
        "bootreport": ("BootReport",),
        "errors": ("FirmwareError",),
        "firmware": ("Firmware", "read_firmware", "unwrap", "verify", "wrap"),
        "image": ("FlashImage",),
        "kboot": ("BootChoice", "EntryVerdict", "Kboot", "read_kboot"),
        "kfpkg": (
            "KfpkgError",
            "Package",
            "Part",
            "make_kfpkg",
            "read_kfpkg",
            "write_kfpkg",
        ),
        "kmodel": ("Model", "ModelError", "find_models", "parse_model"),
        "layout": (
            "LAYOUTS",
            "Layout",
            "LayoutError",
            "Region",
            "find_layout",
            "load_layout",
        ),
        "records": ("Finding", "Found", "Overlap"),
    },
)
