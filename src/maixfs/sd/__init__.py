"""SD cards: media of sectors, the card in SPI mode and its drivers, partition tables.

    card = RamSectors(128 << 21)             # 128 GiB; takes memory only when written
    card = FileSectors.open("card.img")      # read-only by default
    bus = SpiSdSlave(SdCard(card))           # the card in SPI mode, byte for byte
    sectors = SpiSdCard(bus)                 # or FirmwareSdCard(bus), or over a real adapter

The names below are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.sd.bus import BusTime, HostTime, SdBus, SkippingBus
    from maixfs.sd.card import ALWAYS, CardKind, Cid, Csd, Faults, SdCard, parse_cid, parse_csd
    from maixfs.sd.clock import SLOWEST, TYPICAL, SdClock, SdTiming, TimeBase
    from maixfs.sd.device import SECTOR, Buffer, SectorDevice, SectorWindow, zero_sectors
    from maixfs.sd.errors import CardImageError, SdError, SectorError
    from maixfs.sd.firmware import FirmwareSdCard
    from maixfs.sd.mbr import Partition, make_mbr, partition_type, plan_partitions
    from maixfs.sd.media import FileSectors, Medium, RamSectors, SectorObserver
    from maixfs.sd.partitions import (
        CardPartition,
        Gpt,
        GptPartition,
        PartitionTable,
        read_partitions,
    )
    from maixfs.sd.recorder import (
        SectorCut,
        SectorOperation,
        SectorRecorder,
        SectorRecording,
        SnapshotSectors,
    )
    from maixfs.sd.slot import SdSlot, SlotDevice, TimedSectors
    from maixfs.sd.spi_driver import SpiSdCard
    from maixfs.sd.spi_slave import SpiSdSlave

_NAMES: dict[str, tuple[str, ...]] = {
    "bus": (
        "BusTime",
        "HostTime",
        "SdBus",
        "SkippingBus",
    ),
    "card": (
        "ALWAYS",
        "CardKind",
        "Cid",
        "Csd",
        "Faults",
        "SdCard",
        "parse_cid",
        "parse_csd",
    ),
    "clock": (
        "SLOWEST",
        "TYPICAL",
        "SdClock",
        "SdTiming",
        "TimeBase",
    ),
    "device": (
        "SECTOR",
        "Buffer",
        "SectorDevice",
        "SectorWindow",
        "zero_sectors",
    ),
    "errors": (
        "CardImageError",
        "SdError",
        "SectorError",
    ),
    "firmware": ("FirmwareSdCard",),
    "mbr": (
        "Partition",
        "make_mbr",
        "partition_type",
        "plan_partitions",
    ),
    "partitions": ("CardPartition", "Gpt", "GptPartition", "PartitionTable", "read_partitions"),
    "media": (
        "FileSectors",
        "Medium",
        "RamSectors",
        "SectorObserver",
    ),
    "recorder": (
        "SectorCut",
        "SectorOperation",
        "SectorRecorder",
        "SectorRecording",
        "SnapshotSectors",
    ),
    "slot": (
        "SdSlot",
        "SlotDevice",
        "TimedSectors",
    ),
    "spi_driver": ("SpiSdCard",),
    "spi_slave": ("SpiSdSlave",),
}

__all__ = [
    "ALWAYS",
    "SECTOR",
    "SLOWEST",
    "TYPICAL",
    "Buffer",
    "BusTime",
    "CardImageError",
    "CardKind",
    "CardPartition",
    "Cid",
    "Csd",
    "Faults",
    "FileSectors",
    "FirmwareSdCard",
    "Gpt",
    "GptPartition",
    "HostTime",
    "Medium",
    "Partition",
    "PartitionTable",
    "RamSectors",
    "SdBus",
    "SdCard",
    "SdClock",
    "SdError",
    "SdSlot",
    "SdTiming",
    "SectorCut",
    "SectorDevice",
    "SectorError",
    "SectorObserver",
    "SectorOperation",
    "SectorRecorder",
    "SectorRecording",
    "SectorWindow",
    "SkippingBus",
    "SlotDevice",
    "SnapshotSectors",
    "SpiSdCard",
    "SpiSdSlave",
    "TimeBase",
    "TimedSectors",
    "make_mbr",
    "parse_cid",
    "parse_csd",
    "partition_type",
    "plan_partitions",
    "read_partitions",
    "zero_sectors",
]

__getattr__ = lazy_names(__name__, _NAMES)
