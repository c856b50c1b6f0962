"""/sd: the card in the slot, mounted at power-on and by ``machine.SDCard.remount``."""

from __future__ import annotations

from maixfs.board.cardslot import CardPort, CardSlot
from maixfs.board.console import Reporter
from maixfs.board.power import Power
from maixfs.board.volume import SD, CardVolume
from maixfs.fat import FatCore, FatError
from maixfs.fat.probe import find_volume
from maixfs.host.interrupts import held
from maixfs.sd.errors import SectorError
from maixfs.sd.slot import SlotDevice
from maixfs.tuples import NamedTuple
from maixfs.vfs import Vfs, VfsError, VfsFat

PARTITIONS = range(1, 5)
"""Slots of a partition table; the firmware does not mount a card without one."""

MOUNT_TRIES = 4
"""Passes over the partitions before the firmware gives up."""

FORGETS_QUIRK = (
    "mounting the card on {0} took {1} out of the mount table: the firmware forgets each mount"
    " that came after the old {0}"
)

MOUNTS_ALL_QUIRK = (
    "the card has more than one partition for the board, and all are mounted; the firmware as it"
    " is released stops after /sd (mount_all = false in board.toml does so, too)"
)


class Mounting(NamedTuple):
    """The parts that mounting takes: slot, driver state, mount table, power, report, class.

    ``fat`` is the class of the volumes. Without ``mount_all`` only the first partition that
    mounts is mounted.
    """

    slot: CardSlot
    port: CardPort
    vfs: Vfs
    power: Power
    report: Reporter
    fat: type[VfsFat]
    mount_all: bool


class CardMounter:
    """Mounts the card of a powered board; ``volumes`` are the results of the last mount."""

    def __init__(self, parts: Mounting) -> None:
        self._parts = parts
        self.volumes: list[CardVolume] = []

    def mount(self) -> None:
        """Initialise the card and mount its partitions; report failures to the user.

        If no partition mounts, the mount table does not change. The firmware does this on its
        second core, in parallel to ``_boot.py`` or the program; here it ends with this call.
        """
        with held(self._parts.power):
            device = self._start()
            if device is None:
                return
            # The tries change nothing here, but each prints a line, as the firmware does.
            for _ in range(MOUNT_TRIES):
                if self._mount_partitions(device):
                    return
                self._parts.report.trouble("PYB: can't mount SD card\n")
            self._parts.report.remark(f"the card in the slot is not mounted: {_why_not(device)}")

    def _start(self) -> SlotDevice | None:
        """Return the initialised card; ``None`` if there is no card or it does not start."""
        try:
            return self._parts.port.init()
        except SectorError as error:
            if self._parts.slot.card is not None:
                self._parts.report.remark(
                    f"the card in the slot does not start: {_with_hint(error)}"
                )
            return None

    def _mount_partitions(self, device: SlotDevice) -> bool:
        """Mount each partition that holds FAT; return True if there was one."""
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
            # The firmware sets the current volume without calling its chdir.
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
        # The constructor does not fail without a file system, as in MicroPython.
        if not fat.has_filesystem:
            return None
        return CardVolume(fat, device, self._parts.power)

    def _attach(self, volume: CardVolume, name: str) -> None:
        for forgotten in self._parts.vfs.replace(volume, name):
            sentence = FORGETS_QUIRK.format(name, forgotten)
            self._parts.report.quirk(f"card-forgets {forgotten}", sentence)


def _why_not(device: SlotDevice) -> str:
    """Return why no partition of a card mounts, and how to fix it."""
    try:
        # Mounting any volume of the card names its fault; else slot 1 names the missing table.
        start = find_volume(device)
        if start:
            FatCore(device, start)
        find_volume(device, 1)
    except (FatError, SectorError) as error:
        return _with_hint(error) + _card_file(device)
    return f"none of its partitions holds FAT{_card_file(device)}"


def _card_file(device: SlotDevice) -> str:
    """Return the path of the card on the host in parentheses, if it has one."""
    path = getattr(device.card.medium, "path", None)
    return "" if path is None else f" ({path})"


def _with_hint(error: FatError | SectorError) -> str:
    return f"{error} ({error.hint})" if error.hint else str(error)
