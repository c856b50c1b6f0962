"""What a card is made of: sectors and what holds them, SPI mode, the partition table.

    card = RamSectors(128 << 21)             # 128 GiB; costs what is written to it
    card = FileSectors.open("card.img")      # read-only unless asked
    bus = SpiSdSlave(SdCard(card))           # the card in SPI mode, byte for byte
    sectors = SpiSdCard(bus)                 # or FirmwareSdCard(bus), or on a real adapter

The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.sd.bus import BusTime, HostTime, SdBus, SkippingBus
    from maixfs.sd.card import CardKind, SdCard
    from maixfs.sd.clock import SLOWEST, TYPICAL, SdClock, SdTiming, TimeBase
    from maixfs.sd.device import SECTOR, Buffer, SectorDevice
    from maixfs.sd.errors import CardImageError, SdError, SectorError
    from maixfs.sd.faults import ALWAYS, Faults
    from maixfs.sd.firmware import FirmwareSdCard
    from maixfs.sd.gpt import Gpt, GptPartition, read_gpt
    from maixfs.sd.mbr import Mbr, read_mbr
    from maixfs.sd.mbr_plan import make_mbr, plan_partitions
    from maixfs.sd.media import FileSectors, Medium, RamSectors, SectorWindow, zero_sectors
    from maixfs.sd.observe import SectorObserver
    from maixfs.sd.partition import Partition, partition_type
    from maixfs.sd.registers import Cid, Csd, parse_cid, parse_csd
    from maixfs.sd.slot import SdSlot, SlotDevice
    from maixfs.sd.spi_driver import SpiSdCard
    from maixfs.sd.spi_slave import SpiSdSlave
    from maixfs.sd.timed import TimedSectors

_NAMES: dict[str, tuple[str, ...]] = {
    "bus": ("BusTime", "HostTime", "SdBus", "SkippingBus"),
    "card": ("CardKind", "SdCard"),
    "clock": ("SLOWEST", "TYPICAL", "SdClock", "SdTiming", "TimeBase"),
    "device": ("SECTOR", "Buffer", "SectorDevice"),
    "errors": ("CardImageError", "SdError", "SectorError"),
    "faults": ("ALWAYS", "Faults"),
    "firmware": ("FirmwareSdCard",),
    "gpt": ("Gpt", "GptPartition", "read_gpt"),
    "mbr": ("Mbr", "read_mbr"),
    "mbr_plan": ("make_mbr", "plan_partitions"),
    "media": ("FileSectors", "Medium", "RamSectors", "SectorWindow", "zero_sectors"),
    "observe": ("SectorObserver",),
    "partition": ("Partition", "partition_type"),
    "registers": ("Cid", "Csd", "parse_cid", "parse_csd"),
    "slot": ("SdSlot", "SlotDevice"),
    "spi_driver": ("SpiSdCard",),
    "spi_slave": ("SpiSdSlave",),
    "timed": ("TimedSectors",),
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
    "Cid",
    "Csd",
    "Faults",
    "FileSectors",
    "FirmwareSdCard",
    "Gpt",
    "GptPartition",
    "HostTime",
    "Mbr",
    "Medium",
    "Partition",
    "RamSectors",
    "SdBus",
    "SdCard",
    "SdClock",
    "SdError",
    "SdSlot",
    "SdTiming",
    "SectorDevice",
    "SectorError",
    "SectorObserver",
    "SectorWindow",
    "SkippingBus",
    "SlotDevice",
    "SpiSdCard",
    "SpiSdSlave",
    "TimeBase",
    "TimedSectors",
    "make_mbr",
    "parse_cid",
    "parse_csd",
    "partition_type",
    "plan_partitions",
    "read_gpt",
    "read_mbr",
    "zero_sectors",
]

__getattr__ = lazy_names(__name__, _NAMES)
