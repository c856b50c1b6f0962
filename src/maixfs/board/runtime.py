"""The started firmware: everything that is in the RAM of a board from power-on to power-off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from maixfs.board import firmware
from maixfs.board.cardslot import CardPort, CardSlot
from maixfs.board.clocks import Clock, ModelLoad, PoweredClock, Rtc, StorageTime
from maixfs.board.console import Console, Reporter
from maixfs.board.exceptions import format_exception
from maixfs.board.firmware import FreqFile, RawFlash, SystemMemory
from maixfs.board.importer import WEAK_LINKS, Importer, ModuleFiles
from maixfs.board.modules.machine import Config
from maixfs.board.modules.system import Uos
from maixfs.board.namespace import Helper, make_namespace
from maixfs.board.power import Power
from maixfs.board.volume import FLASH, SD, FlashVolume, PoweredVolume, Say, mount_flash
from maixfs.firmware import FreqConf
from maixfs.host.interrupts import held
from maixfs.image.boardconfig import BoardConfig
from maixfs.nor.chip import NorChip
from maixfs.nor.clock import firmware_bus_hz
from maixfs.nor.device import NorDevice
from maixfs.tuples import NamedTuple
from maixfs.vfs import Area, Vfs, without_errno_attribute

if TYPE_CHECKING:
    from maixfs.board.cardmount import CardMounter
    from maixfs.board.kpu.loading import ModelStore
    from maixfs.board.modules.threads import Threads
    from maixfs.vfs import VfsFat

Factory = Callable[[], ModuleType]


class Hardware(NamedTuple):
    """The parts of a board that a restart does not change.

    ``keep_area`` is called before the flash is formatted; ``model_loads`` are the models that
    programs have loaded since the board was opened.
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
        """Return the time of flash and card since the board was opened."""
        flash = self.chip.clock
        return StorageTime(0 if flash is None else flash.now, self.slot.clock.now)


class Runtime:
    """The firmware after power-on: mounts, clocks and modules.

    ``cause`` is the value of ``machine.reset_cause()``. ``make_factories`` returns a factory for
    each built-in module, by name. Creating a runtime is power-on; dropping it is power-off: data
    that is not on flash yet is lost.
    """

    def __init__(
        self,
        hardware: Hardware,
        cause: int,
        make_factories: Callable[[Runtime, Importer], Mapping[str, Factory]],
    ) -> None:
        self.hardware = hardware
        self.cause = cause
        self.power = Power()
        self.console = hardware.console.under(self.power)
        self.clock = PoweredClock(hardware.clock, self.power)
        self.threads: Threads | None = None
        # The order is that of the firmware: freq.conf needs the flash, the heap needs freq.conf.
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
        self.open = self.vfs.open  # one bound method: a script may compare with "is"
        self.maix_config = Config(self.open, self.console, self.is_script)
        self.card_port = CardPort(hardware.slot)
        self.card: CardMounter | None = None
        self.uos = Uos(self.vfs, self.volume.flash_format, self.power.check)
        self.path = [""]
        self.namespace = make_namespace(self.console, self.open, self.power.check)
        self.importer = self._importer(make_factories)
        # The firmware mounts the card after its configuration and before _boot.py.
        self.maix_config.load()
        self.mount_card()
        choose_start_folder(self.vfs, self.path)

    def switch_off(self) -> None:
        """Cut the power: data in RAM is dropped, open files raise from now on."""
        with held():
            # Power first: a thread that wakes up between the two must not write any more.
            self.power.off()
            for volume in self._volumes():
                volume.abandon()

    def collect(self) -> None:
        """Close files and free models whose objects are gone."""
        for volume in self._volumes():
            volume.collect()  # also if a program has unmounted it
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
        """Mount the card in the slot, as the firmware does at its start."""
        if self.card is None:
            # FAT is imported for the first card only: most boards start without one.
            if self.hardware.slot.card is None:
                return
            self.card = self._card_mounter()
        self.card.mount()

    def _volumes(self) -> list[PoweredVolume]:
        """Return the volumes that the firmware itself mounted."""
        return [self.volume, *(self.card.volumes if self.card else ())]

    @cached_property
    def fat(self) -> type[VfsFat]:
        """``uos.VfsFat``: its volumes use the calendar and the settings of this board."""
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
        """Return the driver for a block device of a program."""
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
        self.freq_file = FreqFile(lambda: self.volume.fs, self.power, default, report.trouble)
        self.freq = _fitting_heap(self.freq_file.load(), report.trouble)
        if self.hardware.chip.clock is not None:
            self.hardware.chip.clock.bus_hz = firmware_bus_hz(self.freq.freq_cpu)
        _log_clocks(self.freq, config, report.boot)

    def is_script(self, frame: FrameType) -> bool:
        """Return True if ``frame`` runs code of a script, not of the host."""
        return frame.f_builtins is self.namespace

    def script_errors(self) -> AbstractContextManager[None]:
        """Return a context in which errors have the board's attributes, for one thread."""
        hidden = not self.vfs.profile.has_errno_attribute
        return without_errno_attribute() if hidden else nullcontext()

    def print_exception(self, error: BaseException) -> None:
        """Print an exception on the console, as the board does."""
        self.console.write(format_exception(error, self.is_script))

    def read_source(self, path: str) -> bytes:
        """Return a file's bytes; as in the firmware's lexer, reading takes a descriptor."""
        with self.vfs.open(path, "rb") as file:
            return bytes(file.read())

    def _importer(
        self, make_factories: Callable[[Runtime, Importer], Mapping[str, Factory]]
    ) -> Importer:
        files = ModuleFiles(self.vfs.import_stat, self.read_source)
        factories: dict[str, Factory] = {}
        importer = Importer(files, self.path, factories, WEAK_LINKS, self.namespace)
        # A factory may refer to the importer (sys.modules), so they are added to it afterwards.
        factories.update(make_factories(self, importer))
        self.namespace |= {
            "__import__": importer,
            "help": Helper(self.console, importer.names()),
        }
        return importer


def choose_start_folder(vfs: Vfs, path: list[str]) -> None:
    """Set current directory and ``sys.path`` as ``_boot.py`` does: the card, else /flash."""
    path[:] = ["", "."]
    if SD.removeprefix("/") in vfs.listdir("/"):
        vfs.chdir(SD)
        path.append(SD)
    else:
        vfs.chdir(FLASH)
    path.append(FLASH)


def _fitting_heap(config: FreqConf, say: Say) -> FreqConf:
    """Return ``config``; a heap that the memory cannot hold is replaced by the default."""
    size = config.gc_heap_size
    if size <= firmware.RAM_SIZE - firmware.FIRMWARE_RAM:
        return config
    say(f"GC heap size {size} is too large, reset GC heap size\r\n")
    say("GC size 128k\r\n")
    return config.replace(gc_heap_size=firmware.GC_HEAP_FALLBACK)


def _log_clocks(freq: FreqConf, config: BoardConfig, say: Say) -> None:
    """Print the clocks and the flash chip, as the firmware does."""
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
