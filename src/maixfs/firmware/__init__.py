"""Firmware images and what starts them: header, hash and AES, Kboot, ``/freq.conf``.

    from maixfs.firmware import unwrap, verify, wrap

    image = wrap(program)                 # what a flasher writes to address 0
    print(verify(flash).banner.version)   # raises FirmwareError if the ROM would not start it

Reading accepts any bytes and says in ``FirmwareError.kind`` what is wrong; writing produces only
images that start. The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.firmware.container import (
        Banner,
        BootVerdict,
        Firmware,
        FirmwareError,
        FirmwareHeader,
        begins_like_payload,
        check_boot_area,
        has_start_mark,
        parse_key,
        read_firmware,
        unwrap,
        verify,
        wrap,
    )
    from maixfs.firmware.freqconf import FreqConf, FreqReport
    from maixfs.firmware.kboot import (
        BootChoice,
        BootConfig,
        BootEntry,
        EntryVerdict,
        Kboot,
        KbootError,
        clear_entry,
        entry_for,
        make_config,
        make_entry,
        read_config,
        read_kboot,
        set_boot_flags,
        set_entry,
    )

__all__ = [
    "Banner",
    "BootChoice",
    "BootConfig",
    "BootEntry",
    "BootVerdict",
    "EntryVerdict",
    "Firmware",
    "FirmwareError",
    "FirmwareHeader",
    "FreqConf",
    "FreqReport",
    "Kboot",
    "KbootError",
    "begins_like_payload",
    "check_boot_area",
    "clear_entry",
    "entry_for",
    "has_start_mark",
    "make_config",
    "make_entry",
    "parse_key",
    "read_config",
    "read_firmware",
    "read_kboot",
    "set_boot_flags",
    "set_entry",
    "unwrap",
    "verify",
    "wrap",
]

__getattr__ = lazy_names(
    __name__,
    {
        "container": (
            "Banner",
            "BootVerdict",
            "Firmware",
            "FirmwareError",
            "FirmwareHeader",
            "begins_like_payload",
            "check_boot_area",
            "has_start_mark",
            "parse_key",
            "read_firmware",
            "unwrap",
            "verify",
            "wrap",
        ),
        "freqconf": ("FreqConf", "FreqReport"),
        "kboot": (
            "BootChoice",
            "BootConfig",
            "BootEntry",
            "EntryVerdict",
            "Kboot",
            "KbootError",
            "clear_entry",
            "entry_for",
            "make_config",
            "make_entry",
            "read_config",
            "read_kboot",
            "set_boot_flags",
            "set_entry",
        ),
    },
)
