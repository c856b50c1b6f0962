"""``Maix``: raw flash, clocks and heap in ``/freq.conf``, and ``/flash/config.json``."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

from maixfs.board.console import Console
from maixfs.board.freqfile import FreqFile
from maixfs.board.memory import SystemMemory
from maixfs.board.modules import ujson
from maixfs.board.modules.kit import make_module, public
from maixfs.board.numbers import machine_int
from maixfs.board.printexc import ScriptFrame, format_exception
from maixfs.board.rawflash import RawFlash
from maixfs.board.signals import Power
from maixfs.firmware import FreqConf, freqconf
from maixfs.host.interrupts import held
from maixfs.vfs import Errno, PlainOSError, VfsError

CONFIG_PATH = "/flash/config.json"
MHZ = 1_000_000
_NEARLY_EQUAL = 20
"""Hz within which the firmware takes two clocks for the same."""


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
        """Return the heap size in ``/freq.conf``, or write it there for the next start."""
        with held():
            config = self._freq_file.load()
            if size is None:
                return config.gc_heap_size
            if not self._freq_file.save(config.replace(gc_heap_size=size & 0xFFFFFFFF)):
                raise VfsError(Errno.EIO)
        return None

    def heap_free(self) -> int:
        """Return the bytes of system memory that are left, an estimate."""
        return self._memory.free

    def flash_read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes of the chip from ``address``; past its end it starts again.

        Raises ``MemoryError`` for more than fits the heap.
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
        """Write new clocks and restart; 0 leaves one as it is.

        Raises ``OSError`` for a clock that the chip cannot have.
        """
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
        self._console.write("\r\nreboot now\r\n")
        self._power.cut()


class Config:
    """``Maix.config``: values of ``/flash/config.json``, read once where it can be."""

    def __init__(
        self, opener: Callable[..., Any], console: Console, is_script: ScriptFrame
    ) -> None:
        self._open = opener
        self._console = console
        self._is_script = is_script
        self._cache: Any = None

    def load(self) -> bool:
        """Read the file; what is wrong with it is printed, a missing one is no error."""
        try:
            stream = self._open(CONFIG_PATH, "rb")
        except PlainOSError:  # the board's: an error of the chip's host file passes
            return False
        try:
            self._cache = ujson.load(stream)
        except (PlainOSError, ValueError, RecursionError) as error:
            self._console.write(format_exception(error, self._is_script))
            return False
        finally:
            stream.close()
        return True

    def get_value(self, key: Any, default: Any) -> Any:
        """Return the value of ``key``, ``default`` where there is none."""
        if not isinstance(self._cache, dict) and not self.load():
            return default
        return self._cache.get(key, default) if isinstance(self._cache, dict) else default


def maix(utils: Utils, freq: Freq, config: Config) -> ModuleType:
    """Return the module."""
    members = {
        "config": SimpleNamespace(get_value=config.get_value, __init__=config.load),
        "freq": SimpleNamespace(**public(freq)),
        "utils": SimpleNamespace(**public(utils)),
    }
    return make_module("Maix", members)


def _same(one: int, other: int) -> bool:
    return abs(one - other) < _NEARLY_EQUAL
