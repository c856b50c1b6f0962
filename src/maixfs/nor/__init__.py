"""SPI NOR flash: the chip, the chip behind a SPI bus, and the flash drivers over it.

    chip = NorChip.open("flash.bin")      # or NorChip.in_memory()
    flash = make_driver("ideal", chip)    # or "literal", "maixpy"
    flash.erase(0xD00000, 0x20000)
    flash.program(0xD00000, b"...")

The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.nor.bus import SpiBus
    from maixfs.nor.chip import NorChip, NorEvent, Observer
    from maixfs.nor.clock import BusTime, DeviceClock, HostTime
    from maixfs.nor.device import Buffer, NorDevice
    from maixfs.nor.drivers import DRIVERS, IdealDriver, LiteralDriver, MaixpyDriver, make_driver
    from maixfs.nor.errors import NorError, NorImageError
    from maixfs.nor.overlay import OverlayFlash
    from maixfs.nor.parts import Part, find_part, identify
    from maixfs.nor.recorder import (
        SEQUENTIAL_TEARS,
        TEARS,
        Change,
        ChipRecorder,
        NorCut,
        NorOperation,
        NorRecorder,
        NorRecording,
        SnapshotFlash,
        Tear,
    )
    from maixfs.nor.spi_driver import SpiFlash
    from maixfs.nor.spi_slave import SpiFlashSlave
    from maixfs.nor.wear import WearCounts

__all__ = [
    "DRIVERS",
    "SEQUENTIAL_TEARS",
    "TEARS",
    "Buffer",
    "BusTime",
    "Change",
    "ChipRecorder",
    "DeviceClock",
    "HostTime",
    "IdealDriver",
    "LiteralDriver",
    "MaixpyDriver",
    "NorChip",
    "NorCut",
    "NorDevice",
    "NorError",
    "NorEvent",
    "NorImageError",
    "NorOperation",
    "NorRecorder",
    "NorRecording",
    "Observer",
    "OverlayFlash",
    "Part",
    "SnapshotFlash",
    "SpiBus",
    "SpiFlash",
    "SpiFlashSlave",
    "Tear",
    "WearCounts",
    "find_part",
    "identify",
    "make_driver",
]

__getattr__ = lazy_names(
    __name__,
    {
        "bus": ("SpiBus",),
        "chip": ("NorChip", "NorEvent", "Observer"),
        "clock": ("BusTime", "DeviceClock", "HostTime"),
        "device": ("Buffer", "NorDevice"),
        "drivers": ("DRIVERS", "IdealDriver", "LiteralDriver", "MaixpyDriver", "make_driver"),
        "errors": ("NorError", "NorImageError"),
        "overlay": ("OverlayFlash",),
        "parts": ("Part", "find_part", "identify"),
        "recorder": (
            "SEQUENTIAL_TEARS",
            "TEARS",
            "Change",
            "ChipRecorder",
            "NorCut",
            "NorOperation",
            "NorRecorder",
            "NorRecording",
            "SnapshotFlash",
            "Tear",
        ),
        "spi_driver": ("SpiFlash",),
        "spi_slave": ("SpiFlashSlave",),
        "wear": ("WearCounts",),
    },
)
