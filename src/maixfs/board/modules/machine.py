"""``machine`` and ``Maix``: reset, card, raw flash, clocks and settings."""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

from maixfs.board.cardslot import CardPort
from maixfs.board.console import Console
from maixfs.board.exceptions import ScriptFrame, format_exception
from maixfs.board.firmware import FreqFile, RawFlash, SystemMemory
from maixfs.board.modules import formats
from maixfs.board.modules.kit import machine_int, make_module, public
from maixfs.board.power import Power
from maixfs.firmware import FreqConf, freqconf
from maixfs.host.interrupts import held
from maixfs.sd.device import SECTOR
from maixfs.vfs import Errno, OnQuirk, PlainOSError, VfsError

# machine

HARD_RESET = 0
"""``sysctl_get_reset_status`` after power-on or a reset by the pin."""

SOFT_RESET = 1
"""``sysctl_get_reset_status`` after the processor reset itself, as in ``machine.reset``."""


class Machine:
    """The functions of ``machine``; ``cause`` is the reason of the last start.

    ``reset`` cuts ``power``. Pins and buses are not modelled.
    """

    PWRON_RESET = HARD_RESET
    HARD_RESET = HARD_RESET
    WDT_RESET = 2
    WDT1_RESET = 3
    SOFT_RESET = SOFT_RESET

    def __init__(self, unique_id: bytes, cause: int, power: Power) -> None:
        self._unique_id = unique_id
        self._cause = cause
        self._power = power

    def reset(self) -> None:
        """Restart the board: everything in RAM is lost, data of open files too."""
        self._power.cut()

    def reset_cause(self) -> int:
        """Return the reason of the last start: one of the constants."""
        return self._cause

    def unique_id(self) -> bytes:
        """Return the serial number of the chip, 32 bytes."""
        return self._unique_id


def umachine(unique_id: bytes, cause: int, power: Power, sdcard: type) -> ModuleType:
    """Return the module; ``sdcard`` is its ``SDCard``."""
    members = {**public(Machine(unique_id, cause, power)), "SDCard": sdcard}
    return make_module("machine", members)


# machine.SDCard

REMOUNT_QUIRK = (
    "machine.SDCard.remount() returns at once on a board, and its other core mounts the card a"
    " moment later: wait until 'sd' is in uos.listdir('/')"
)
IOCTL_QUIRK = (
    "machine.SDCard.ioctl(op, arg) is a TypeError on a board, whose function expects something in"
    " the place of self: machine.SDCard.ioctl(None, op, arg)"
)


class _SDCard:
    """Base of ``machine.SDCard``, a type without instances."""

    def __new__(cls, *_args: object, **_options: object) -> NoReturn:
        raise TypeError("cannot create 'SDCard' instances")


def sdcard_type(port: CardPort, mount: Callable[[], object], on_quirk: OnQuirk) -> type:
    """Return ``machine.SDCard``; ``mount`` mounts the card in the slot."""

    def remount() -> None:
        """Mount the card in the slot on /sd; do nothing if the slot is empty."""
        on_quirk("sdcard-remount", REMOUNT_QUIRK)
        mount()

    def ioctl(*args: Any) -> int:
        """Return the answer to an operation of MicroPython's block protocol, -1 for an error."""
        if len(args) == 2:
            on_quirk("sdcard-ioctl", IOCTL_QUIRK)
        elif len(args) != 3:
            raise TypeError(f"function takes 3 positional arguments but {len(args)} were given")
        return _answer(port, index(args[-2]))

    members = {"ioctl": staticmethod(ioctl), "remount": staticmethod(remount)}
    kind = type("SDCard", (_SDCard,), members)
    kind.__module__ = "builtins"
    return kind


def _answer(port: CardPort, operation: int) -> int:
    from maixfs.vfs.blockdev import Ioctl

    if operation == Ioctl.INIT:
        return 0 if port.power_on() else -1
    if operation == Ioctl.DEINIT:
        port.power_off()
    values: dict[int, int] = {
        Ioctl.DEINIT: 0,
        Ioctl.SYNC: 0,  # a written sector is on the card at once
        Ioctl.BLOCK_COUNT: port.sectors,
        Ioctl.BLOCK_SIZE: SECTOR,
    }
    return values.get(operation, -1)


# Maix

CONFIG_PATH = "/flash/config.json"
MHZ = 1_000_000
_NEARLY_EQUAL = 20
"""Difference in Hz below which the firmware takes two clocks as equal."""


class Utils:
    """``Maix.utils``; the firmware has no ``flash_write``."""

    def __init__(
        self, flash: RawFlash, freq_file: FreqFile, heap_size: int, memory: SystemMemory
    ) -> None:
        self._flash = flash
        self._freq_file = freq_file
        self._heap_size = heap_size
        self._memory = memory

    def gc_heap_size(self, size: int | None = None) -> int | None:
        """Return the heap size in ``/freq.conf``, or write a new one for the next start."""
        with held():
            config = self._freq_file.load()
            if size is None:
                return config.gc_heap_size
            if not self._freq_file.save(config.replace(gc_heap_size=size & 0xFFFFFFFF)):
                raise VfsError(Errno.EIO)
        return None

    def heap_free(self) -> int:
        """Return an estimate of the free system memory in bytes."""
        return self._memory.free

    def flash_read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes of the chip; addresses wrap at its end.

        Raises ``MemoryError`` for more bytes than the heap has.
        """
        size, number = machine_int(length), machine_int(address)
        if not 0 <= size <= self._heap_size:
            raise MemoryError(f"memory allocation failed, allocating {size % (1 << 64)} bytes")
        return self._flash.read(number, size)


class Freq:
    """``Maix.freq``: clocks in MHz; a change is written to flash and restarts the board."""

    def __init__(
        self, console: Console, freq_file: FreqFile, running: FreqConf, power: Power
    ) -> None:
        self._power = power
        self._console = console
        self._freq_file = freq_file
        self._running = running

    def get(self) -> tuple[int, int]:
        """Return the clocks of the processor and the KPU."""
        return self.get_cpu(), self.get_kpu()

    def get_cpu(self) -> int:
        """Return the processor's clock."""
        return self._running.freq_cpu // MHZ

    def get_kpu(self) -> int:
        """Return the KPU's clock."""
        return self._running.freq_kpu // MHZ

    def set(self, cpu: int = 0, pll1: int = 0, kpu_div: int = 0) -> None:
        """Write new clocks to ``/freq.conf`` and restart; 0 keeps the old value.

        Raises ``OSError`` for a clock out of range.
        """
        # The values on flash count, which another call may have changed since the start.
        old = self._freq_file.load()
        new = old.replace(
            freq_cpu=cpu * MHZ or old.freq_cpu,
            freq_pll1=pll1 * MHZ or old.freq_pll1,
            kpu_div=kpu_div & 0xFF or old.kpu_div,
        )
        if not freqconf.KPU_MIN <= new.freq_kpu <= freqconf.KPU_MAX:
            raise PlainOSError("Unsupported KPU frequency!")
        if not freqconf.CPU_MIN <= new.freq_cpu <= freqconf.CPU_MAX:
            raise PlainOSError("Unsupported CPU frequency!")
        if _same(new.freq_cpu, self._running.freq_cpu) and _same(
            new.freq_kpu, self._running.freq_kpu
        ):
            self._console.write("No change\r\n")
            return
        if not self._freq_file.save(new):
            self._console.write("save config fail")
        # Also if saving failed: the firmware restarts with the old clocks.
        self._console.write("\r\nreboot now\r\n")
        self._power.cut()


class Config:
    """``Maix.config``: the values of ``/flash/config.json``, which is read once."""

    def __init__(
        self, opener: Callable[..., Any], console: Console, is_script: ScriptFrame
    ) -> None:
        self._open = opener
        self._console = console
        self._is_script = is_script
        self._cache: Any = None

    def load(self) -> bool:
        """Read the file and return True if it is valid; print its errors unless it is missing."""
        try:
            stream = self._open(CONFIG_PATH, "rb")
        except PlainOSError:  # an error that the board sees; one of the host's file passes
            return False
        try:
            self._cache = formats.load(stream)
        except (PlainOSError, ValueError, RecursionError) as error:
            self._console.write(format_exception(error, self._is_script))
            return False
        finally:
            stream.close()
        return True

    def get_value(self, key: Any, default: Any) -> Any:
        """Return the value of ``key``, or ``default``."""
        if not isinstance(self._cache, dict) and not self.load():
            return default
        return self._cache.get(key, default) if isinstance(self._cache, dict) else default


def umaix(utils: Utils, freq: Freq, config: Config) -> ModuleType:
    """Return the module."""
    members = {
        "config": SimpleNamespace(get_value=config.get_value, __init__=config.load),
        "freq": SimpleNamespace(**public(freq)),
        "utils": SimpleNamespace(**public(utils)),
    }
    return make_module("Maix", members)


def _same(clock: int, other: int) -> bool:
    return abs(clock - other) < _NEARLY_EQUAL
