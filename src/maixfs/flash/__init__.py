"""What lies where in a board's flash: firmware, models, file systems; found, made, explained.

    from maixfs.flash import read_firmware

    print(read_firmware(dump).banner)

The names below are loaded when they are first used. Models are in ``maixfs.flash.kmodel``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.flash.banner import Banner
    from maixfs.flash.bootarea import BootVerdict, check_boot_area
    from maixfs.flash.bootconfig import BootConfig, BootEntry, KbootError
    from maixfs.flash.errors import FirmwareError
    from maixfs.flash.firmware import Firmware, read_firmware, unwrap, verify, wrap
    from maixfs.flash.kboot import BootChoice, EntryVerdict, Kboot, read_kboot
    from maixfs.flash.layout import LAYOUTS, Layout, LayoutError, Region, find_layout, load_layout

__all__ = [
    "LAYOUTS",
    "Banner",
    "BootChoice",
    "BootConfig",
    "BootEntry",
    "BootVerdict",
    "EntryVerdict",
    "Firmware",
    "FirmwareError",
    "Kboot",
    "KbootError",
    "Layout",
    "LayoutError",
    "Region",
    "check_boot_area",
    "find_layout",
    "load_layout",
    "read_firmware",
    "read_kboot",
    "unwrap",
    "verify",
    "wrap",
]

__getattr__ = lazy_names(
    __name__,
    {
        "banner": ("Banner",),
        "bootarea": ("BootVerdict", "check_boot_area"),
        "bootconfig": ("BootConfig", "BootEntry", "KbootError"),
        "errors": ("FirmwareError",),
        "firmware": ("Firmware", "read_firmware", "unwrap", "verify", "wrap"),
        "kboot": ("BootChoice", "EntryVerdict", "Kboot", "read_kboot"),
        "layout": (
            "LAYOUTS",
            "Layout",
            "LayoutError",
            "Region",
            "find_layout",
            "load_layout",
        ),
    },
)
