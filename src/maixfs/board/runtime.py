"""One time that the board is on: all that lies in its RAM, from power-on to power-off."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from maixfs.board import firmware
from maixfs.board.cardport import CardPort
from maixfs.board.cardslot import CardSlot
from maixfs.board.clock import Clock, PoweredClock
from maixfs.board.console import Console
from maixfs.board.freqfile import FreqFile
from maixfs.board.helper import Helper
from maixfs.board.importer import Found, Importer, ModuleFiles
from maixfs.board.memory import SystemMemory
from maixfs.board.modules.maix import Config
from maixfs.board.modules.table import WEAK_LINKS, module_factories
from maixfs.board.modules.uos import Uos
from maixfs.board.mounts import FLASH, SD
from maixfs.board.namespace import make_namespace
from maixfs.board.printexc import format_exception
from maixfs.board.rawflash import RawFlash
from maixfs.board.report import Reporter
from maixfs.board.rtc import Rtc
from maixfs.board.signals import Power
from maixfs.board.times import ModelLoad, StorageTime
from maixfs.board.volume import FlashVolume, PoweredVolume, Say, mount_flash
from maixfs.firmware import FreqConf
from maixfs.host.interrupts import held
from maixfs.image.boardconfig import BoardConfig
from maixfs.nor.chip import NorChip
from maixfs.nor.clock import firmware_bus_hz
from maixfs.nor.device import NorDevice
from maixfs.vfs import Area, ImportStat, Vfs, without_errno_attribute

if TYPE_CHECKING:
    from maixfs.board.cardmount import CardMounter
    from maixfs.board.kpu.store import ModelStore
    from maixfs.board.modules.threads import Threads
    from maixfs.vfs import VfsFat

_FOUND = {
    ImportStat.NONE: Found.NOTHING,
    ImportStat.DIRECTORY: Found.FOLDER,
    ImportStat.FILE: Found.FILE,
}


class Hardware(NamedTuple):
    """What is soldered on and plugged in; it outlives a restart.

    ``keep_area`` is called before the flash is formatted; ``model_loads`` are the models that
    programs loaded since the board was opened.
    """

    config: BoardConfig
    chip: NorChip
    flash: NorDevice
    slot: CardSlot
    console: Console
    clock: Clock
    report: Reporter
    keep_area: Callable[[], object]
    model_loads: list[ModelLoad]

    def storage_time(self) -> StorageTime:
        """Return what flash and card took since the board was opened."""
        flash = self.chip.clock
        return StorageTime(0 if flash is None else flash.now, self.slot.clock.now)


class Runtime:
    """The firmware, started: mounts, clocks, modules. ``cause`` is ``machine.reset_cause()``.

    Making one is power-on; dropping it is power-off, with whatever was not yet on flash.
    """

    def __init__(self, hardware: Hardware, cause: int) -> None:
        self.hardware = hardware
        self.cause = cause
        self.power = Power()
        self.console = hardware.console.under(self.power)
        self.clock = PoweredClock(hardware.clock, self.power)
        self.threads: Threads | None = None
        self._mount_flash()
        self._read_clocks()
        self.raw_flash = RawFlash(hardware.flash, hardware.chip, self.power)
        self.memory = SystemMemory(self.freq.gc_heap_size)
        self.models: ModelStore | None = None
        self.rtc = Rtc(self.clock)
        self.vfs = Vfs(
            hardware.config.profile, block_driver=self._fat_driver, check=self.power.check
        )
        self.vfs.attach(self.volume, FLASH)
        self.open = self.vfs.open  # one object: a script may compare
        self.maix_config = Config(self.open, self.console, self.is_script)
        self.card_port = CardPort(hardware.slot)
        self.card: CardMounter | None = None
        self.uos = Uos(self.vfs, self.volume.flash_format, self.power.check)
        self.path = [""]
        self.namespace = make_namespace(self.console, self.open, self.power.check)
        self.importer = self._importer()
        self.maix_config.load()
        self.mount_card()
        choose_start_folder(self.vfs, self.path)

    def switch_off(self) -> None:
        """End this time of being on: what is still open belongs to nothing any more."""
        with held():
            self.power.off()
            for volume in self._volumes():
                volume.abandon()

    def collect(self) -> None:
        """Let go of files and models that nobody reaches any more."""
        for volume in self._volumes():
            volume.collect()  # also where a program took it out of the mount table
        self.vfs.collect()
        if self.models is not None:
            self.console.write("kpu_net __del__\r\n" * self.models.collect())

    def _mount_flash(self) -> None:
        hardware, report = self.hardware, self.hardware.report
        area = Area(hardware.flash, hardware.config.geometry)
        fs = mount_flash(area, report.trouble, hardware.keep_area)
        self.volume = FlashVolume(
            fs,
            self.power,
            hardware.chip,
            report.quirk,
            on_message=self.console.print,
        )

    def mount_card(self) -> None:
        """Mount the card in the slot as the firmware's start does."""
        if self.card is None:
            if self.hardware.slot.card is None:
                return
            self.card = self._card_mounter()
        self.card.mount()

    def _volumes(self) -> list[PoweredVolume]:
        """Return the volumes that the firmware mounted."""
        return [self.volume, *(self.card.volumes if self.card else ())]

    @cached_property
    def fat(self) -> type[VfsFat]:
        """``uos.VfsFat``: what it makes has this board's time and dates."""
        from maixfs.vfs import FatOptions, fat_class

        config, report = self.hardware.config, self.hardware.report

        options = FatOptions(
            profile=config.profile,
            clock=self.rtc.fat_time,
            dates_late=config.sd.firmware_dates,
            on_quirk=report.quirk,
        )
        return fat_class(options)

    def _fat_driver(self, device: Any) -> VfsFat:
        """Return the driver for a program's block device."""
        return self.fat(device)

    def _card_mounter(self) -> CardMounter:
        from maixfs.board.cardmount import CardMounter, Mounting

        hardware = self.hardware
        return CardMounter(
            Mounting(
                slot=hardware.slot,
                port=self.card_port,
                vfs=self.vfs,
                power=self.power,
                report=hardware.report,
                fat=self.fat,
                mount_all=hardware.config.sd.mount_all,
            )
        )

    def _read_clocks(self) -> None:
        config, report = self.hardware.config, self.hardware.report
        default = FreqConf(freq_cpu=config.cpu_hz)
        self.freq_file = FreqFile(lambda: self.volume.fs, default, report.trouble)
        self.freq = _fitting_heap(self.freq_file.load(), report.trouble)
        if self.hardware.chip.clock is not None:
            self.hardware.chip.clock.bus_hz = firmware_bus_hz(self.freq.freq_cpu)
        _log_clocks(self.freq, config, report.boot)

    def is_script(self, frame: FrameType) -> bool:
        """Tell whether ``frame`` runs code of a script and not of the host."""
        return frame.f_builtins is self.namespace

    def script_errors(self) -> AbstractContextManager[None]:
        """Return a context in which errors have what they have on the board, for one thread."""
        hidden = not self.vfs.profile.has_errno_attribute
        return without_errno_attribute() if hidden else nullcontext()

    def print_exception(self, error: BaseException) -> None:
        """Print an exception on the console as the board does."""
        self.console.write(format_exception(error, self.is_script))

    def read_source(self, path: str) -> bytes:
        """Return a file's bytes as the firmware's lexer reads them: it takes a descriptor."""
        with self.vfs.open(path, "rb") as file:
            return bytes(file.read())

    def _importer(self) -> Importer:
        files = ModuleFiles(lambda path: _FOUND[self.vfs.import_stat(path)], self.read_source)
        factories: dict[str, Callable[[], ModuleType]] = {}
        importer = Importer(files, self.path, factories, WEAK_LINKS, self.namespace)
        factories.update(module_factories(self, importer))
        self.namespace |= {
            "__import__": importer,
            "help": Helper(self.console, importer.names()),
        }
        return importer


def choose_start_folder(vfs: Vfs, path: list[str]) -> None:
    """Set current directory and ``sys.path`` as ``_boot.py`` does: the SD card, else /flash."""
    path[:] = ["", "."]
    if SD.removeprefix("/") in vfs.listdir("/"):
        vfs.chdir(SD)
        path.append(SD)
    else:
        vfs.chdir(FLASH)
    path.append(FLASH)


def _fitting_heap(config: FreqConf, say: Say) -> FreqConf:
    """Return ``config`` with a heap that the memory holds."""
    size = config.gc_heap_size
    if size <= firmware.RAM_SIZE - firmware.FIRMWARE_RAM:
        return config
    say(f"GC heap size {size} is too large, reset GC heap size\r\n")
    say("GC size 128k\r\n")
    return config.replace(gc_heap_size=firmware.GC_HEAP_FALLBACK)


def _log_clocks(freq: FreqConf, config: BoardConfig, say: Say) -> None:
    """Print what the firmware prints about clocks and chip."""
    maker, device = config.chip_part.device
    lines: dict[str, Any] = {
        "Pll0:freq": freq.freq_cpu * 2,
        "Pll1:freq": freq.freq_pll1,
        "Pll2:freq": firmware.PLL2_HZ,
        "cpu:freq": freq.freq_cpu,
        "kpu:freq": freq.freq_kpu,
        "Flash": f"0x{maker:02x}:0x{device:02x}",
    }
    for name, value in lines.items():
        say(f"[MAIXPY] {name}:{value}\r\n")
