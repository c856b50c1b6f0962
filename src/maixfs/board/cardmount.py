"""/sd: the card in the slot, mounted at power-on and by ``machine.SDCard.remount``."""

from __future__ import annotations

from typing import NamedTuple

from maixfs.board.cardslot import CardPort, CardSlot
from maixfs.board.console import Reporter
from maixfs.board.power import Power
from maixfs.board.volume import SD, CardVolume
from maixfs.fat import FatCore, FatError
from maixfs.fat.probe import find_volume
from maixfs.host.interrupts import held
from maixfs.sd.errors import SectorError
from maixfs.sd.slot import SlotDevice
from maixfs.vfs import Vfs, VfsError, VfsFat

PARTITIONS = range(1, 5)
"""The slots of a partition table; a card without one is not looked at."""

MOUNT_TRIES = 4
"""How often the firmware goes through the partitions until it gives up."""

FORGETS_QUIRK = (
    "mounting the card on {0} took {1} out of the mount table: the firmware forgets each mount"
    " that came after the old {0}"
)

MOUNTS_ALL_QUIRK = (
    "the card has more than one partition for the board, and all are mounted; the firmware as it"
    " is released stops after /sd (mount_all = false in board.toml does so, too)"
)


class Mounting(NamedTuple):
    """What the card is mounted with: the slot and the driver in RAM, the table, the class.

    ``fat`` makes the volumes. Without ``mount_all`` only the first partition that mounts is.
    """

    slot: CardSlot
    port: CardPort
    vfs: Vfs
    power: Power
    report: Reporter
    fat: type[VfsFat]
    mount_all: bool


class CardMounter:
    """Mounts the card of a board that is on; ``volumes`` are those that it mounted last."""

    def __init__(self, parts: Mounting) -> None:
        self._parts = parts
        self.volumes: list[CardVolume] = []

    def mount(self) -> None:
        """Start the card in the slot and mount its partitions; tell the user what fails.

        Where no partition mounts the mount table stays as it was. The firmware does this on its
        second core, beside ``_boot.py`` or the program; here it is done when this returns.
        """
        with held(self._parts.power):
            device = self._start()
            if device is None:
                return
            for _ in range(MOUNT_TRIES):
                if self._mount_partitions(device):
                    return
                self._parts.report.trouble("PYB: can't mount SD card\n")
            self._parts.report.remark(f"the card in the slot is not mounted: {_why_not(device)}")

    def _start(self) -> SlotDevice | None:
        """Return the card, started; ``None`` where there is none, or one that does not start."""
        try:
            return self._parts.port.init()
        except SectorError as error:
            if self._parts.slot.card is not None:
                self._parts.report.remark(f"the card in the slot does not start: {_told(error)}")
            return None

    def _mount_partitions(self, device: SlotDevice) -> bool:
        """Mount each good partition; tell whether there was one."""
        volumes: list[CardVolume] = []
        for part in PARTITIONS:
            volume = self._volume(device, part)
            if volume is None:
                continue
            self._attach(volume, f"{SD}{part}" if volumes else SD)
            volumes.append(volume)
            if not self._parts.mount_all:
                break
        if volumes:
            self._parts.vfs.enter(SD)
            self.volumes = volumes
        if len(volumes) > 1:
            self._parts.report.quirk("card-mounts-all", MOUNTS_ALL_QUIRK)
        return bool(volumes)

    def _volume(self, device: SlotDevice, part: int) -> CardVolume | None:
        try:
            fat = self._parts.fat(device, part=part)
        except VfsError:
            return None
        if not fat.has_filesystem:
            return None
        return CardVolume(fat, device, self._parts.power)

    def _attach(self, volume: CardVolume, name: str) -> None:
        for forgotten in self._parts.vfs.replace(volume, name):
            sentence = FORGETS_QUIRK.format(name, forgotten)
            self._parts.report.quirk(f"card-forgets {forgotten}", sentence)


def _why_not(device: SlotDevice) -> str:
    """Return why no partition of a card mounts, and the mend."""
    try:
        start = find_volume(device)
        if start:
            FatCore(device, start)
        find_volume(device, 1)
    except (FatError, SectorError) as error:
        return _told(error) + _doctor(device)
    return f"none of its partitions holds FAT{_doctor(device)}"


def _doctor(device: SlotDevice) -> str:
    """Return where the user learns more, if others can read the card."""
    path = getattr(device.card.medium, "path", None)
    return "" if path is None else f"; maixfs sd doctor {path} says more"


def _told(error: FatError | SectorError) -> str:
    return f"{error} ({error.hint})" if error.hint else str(error)
