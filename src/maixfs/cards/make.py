"""New cards: a partition table and FAT volumes in an image that appears whole."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

from maixfs.cards.newimage import CardError, new_image
from maixfs.errors import UsageError
from maixfs.fat.entries import Clock
from maixfs.fat.errors import FatError, FResult
from maixfs.fat.geometry import FatGeometry
from maixfs.fat.mkfs import format_volume
from maixfs.sd.device import SECTOR, SectorDevice, zero_sectors
from maixfs.sd.mbr import Partition, make_mbr, partition_type, plan_partitions
from maixfs.tuples import NamedTuple

FIXED_TIME = (0x21, 0)
"""Date and time of labels of reproducible cards: 1980-01-01."""
_SERIAL_STEP = 0x9E3779B1
"""Step between the serial numbers of the partitions of a card: a prime near 2^32 / phi."""
_FAT32_AT_LEAST = 34 << 20
"""Smallest volume in bytes that can be FAT32, with clusters of one sector."""

Layout = Literal["fatfs", "mkfs.fat"]


class PartitionRequest(NamedTuple):
    """The size and format of a partition of a new card."""

    size: str | int = "rest"
    """Bytes, ``512M``, ``25%`` or ``rest``."""
    fat_type: int | None = None
    """32, 16 or 12; ``None``: FAT32 if there is room for it."""
    label: str = ""
    cluster_size: int | None = None
    """Bytes; ``None``: as the layout has it."""


class NewPartition(NamedTuple):
    """A new partition."""

    number: int
    """Slot from 1; 0: the volume starts at sector 0, and there is no table."""
    type: int
    start: int
    sectors: int
    label: str
    volume: FatGeometry

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.sectors * SECTOR


class NewCard(NamedTuple):
    """A new card."""

    sectors: int
    partitions: tuple[NewPartition, ...]

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.sectors * SECTOR


def new_card(
    path: str | PathLike[str],
    size: int,
    partitions: Sequence[PartitionRequest] = (PartitionRequest(),),
    *,
    align: str = "1MiB",
    layout: Layout = "mkfs.fat",
    serial: int | None = None,
    superfloppy: bool = False,
    force: bool = False,
    clock: Clock | None = None,
) -> NewCard:
    """Make a sparse card image of ``size`` bytes; on an error there is no image.

    ``serial`` is the disk id, from which the volumes' serial numbers follow: with it the same
    call writes the same bytes. By default it is random. ``superfloppy`` makes one volume
    without a partition table, which no board mounts when it starts. Raises
    ``OccupiedError`` if the file exists (unless ``force``), ``DeviceError`` where the
    host refuses, ``UsageError``, ``CardError``, ``FatError``.
    """
    sectors, odd = divmod(size, SECTOR)
    if odd or sectors < 1:
        raise UsageError(f"a card has whole sectors of {SECTOR} bytes, not {size} bytes")
    with new_image(Path(path), sectors, force=force) as device:
        return write_card_layout(
            device, partitions, align=align, layout=layout, serial=serial,
            superfloppy=superfloppy, clock=clock,
        )  # fmt: skip


def write_card_layout(
    device: SectorDevice,
    partitions: Sequence[PartitionRequest] = (PartitionRequest(),),
    *,
    align: str = "1MiB",
    layout: Layout = "mkfs.fat",
    serial: int | None = None,
    superfloppy: bool = False,
    clock: Clock | None = None,
) -> NewCard:
    """Partition and format ``device``; everything that was on it is lost. See ``new_card``."""
    if clock is None and serial is not None:
        clock = _fixed_clock
    # Windows takes a disk offline if another one has the same id, so it is random by default.
    disk_id = secrets.randbits(32) if serial is None else serial
    maker = _Maker(device, layout, disk_id, clock)
    if superfloppy:
        if len(partitions) != 1:
            raise UsageError("a card without a partition table has one volume")
        return NewCard(device.sectors, (maker.make(0, partitions[0], 0, device.sectors),))
    sizes = [request.size for request in partitions]
    planned = plan_partitions(device.sectors, sizes, align=align)
    zero_sectors(device, 0, planned[0].start)  # tables of an earlier partitioning
    made = [
        maker.make(place.slot, request, place.start, place.sectors)
        for place, request in zip(planned, partitions, strict=True)
    ]
    slots = [Partition(one.number, one.type, one.start, one.sectors) for one in made]
    # The table comes last: a card whose making was cut short has none, and nothing mounts half a
    # volume.
    device.write(0, make_mbr(slots, disk_id=disk_id))
    device.sync()
    return NewCard(device.sectors, tuple(made))


class _Maker:
    """Formats the volumes of one card."""

    def __init__(
        self, device: SectorDevice, layout: Layout, serial: int, clock: Clock | None
    ) -> None:
        self._device = device
        self._layout = layout
        self._serial = serial
        self._clock = clock

    def make(
        self, number: int, request: PartitionRequest, start: int, sectors: int
    ) -> NewPartition:
        """Format one; raises ``CardError`` if the request cannot be met."""
        fat_type = request.fat_type or (32 if sectors * SECTOR >= _FAT32_AT_LEAST else None)
        try:
            volume = self._format(request, start, sectors, fat_type, number)
        except FatError as error:
            if error.result is not FResult.MKFS_ABORTED:
                raise
            # What was asked for is not replaced by something else; the type that was chosen here
            # is.
            if request.fat_type or request.cluster_size or fat_type is None:
                about = f"partition {number}" if number else "the volume"
                raise CardError(f"{about}: {error}", hint=error.hint) from error
            volume = self._format(request, start, sectors, None, number)
        kind = partition_type(volume.fat_type, start, sectors)
        label = volume.label if request.label else ""
        return NewPartition(number, kind, start, sectors, label, volume)

    def _format(
        self,
        request: PartitionRequest,
        start: int,
        sectors: int,
        fat_type: int | None,
        number: int,
    ) -> FatGeometry:
        return format_volume(
            self._device, start, sectors,
            fat_type=fat_type, cluster_size=request.cluster_size, layout=self._layout,
            label=request.label, serial=self._serial + number * _SERIAL_STEP & 0xFFFFFFFF,
            clock=self._clock,
        )  # fmt: skip


def _fixed_clock() -> tuple[int, int]:
    return FIXED_TIME
