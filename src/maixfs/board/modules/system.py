"""``uos``, ``sys``, ``utime``, ``gc`` and ``micropython``: the system that a script runs on."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from datetime import datetime
from operator import index
from types import ModuleType
from typing import Any, NoReturn

from maixfs.board import firmware
from maixfs.board.clocks import Clock, DateTuple, Rtc, date_of, seconds_of
from maixfs.board.console import Console, InputStream, OutputStream
from maixfs.board.exceptions import ScriptFrame, format_exception
from maixfs.board.modules.kit import AttrTuple, attr_tuple, make_module, public
from maixfs.board.modules.plain import Yasmarang
from maixfs.board.modules.streams import send
from maixfs.vfs import Vfs

# uos

_UNAME = {
    "sysname": firmware.PLATFORM,
    "nodename": firmware.PLATFORM,
    "release": ".".join(map(str, firmware.VERSION)),
    "version": firmware.BUILD,
    "machine": firmware.MACHINE,
}


class Uos:
    """The functions of ``uos``; paths, results and errors are those of ``Vfs``.

    ``reformat`` is the firmware's ``flash_format``. ``check`` raises after power-off; ``reformat``
    and the calls of ``Vfs`` check the power themselves.
    """

    def __init__(
        self, vfs: Vfs, reformat: Callable[[], bool | None], check: Callable[[], object]
    ) -> None:
        self._random = Yasmarang()
        self._check = check
        self.flash_format = reformat
        self.chdir = vfs.chdir
        self.getcwd = vfs.getcwd
        self.ilistdir = vfs.ilistdir
        self.listdir = vfs.listdir
        self.mkdir = vfs.mkdir
        self.mount = vfs.mount
        self.remove = vfs.remove
        self.rename = vfs.rename
        self.rmdir = vfs.rmdir
        self.stat = vfs.stat
        self.statvfs = vfs.statvfs
        self.umount = vfs.umount

    def sync(self) -> None:
        """Do nothing, as the firmware does: data of open files stays in RAM."""
        self._check()

    def uname(self) -> AttrTuple:
        """Return the names and versions of firmware and board."""
        self._check()
        return attr_tuple(_UNAME)

    def urandom(self, count: int) -> bytes:
        """Return ``count`` pseudo-random bytes, the same after every reset as on the board.

        Raises ``MemoryError`` for more bytes than the board has memory.
        """
        self._check()
        if not 0 <= index(count) <= firmware.RAM_SIZE:
            raise MemoryError(f"memory allocation failed, allocating {count % (1 << 64)} bytes")
        # One step of the generator for each byte, as in the firmware.
        return bytes(self._random.next() & 0xFF for _ in range(count))


def uos_module(uos: Uos, **more: Any) -> ModuleType:
    """Return the module; ``more`` are further members."""
    return make_module("uos", {**public(uos), **more})


# sys


def leave(status: object = None) -> NoReturn:
    """End the script (``sys.exit``)."""
    raise SystemExit(status) if status is not None else SystemExit


def usys(
    console: Console, path: list[str], loaded: dict[str, ModuleType], is_script: ScriptFrame
) -> ModuleType:
    """Return ``sys``; ``path`` and ``loaded`` (``sys.modules``) belong to the importer."""
    stdout = OutputStream(console)

    def print_exception(error: BaseException, stream: Any = stdout) -> None:
        """Print an exception with its traceback to ``stream``."""
        send(stream, format_exception(error, is_script))

    members = {
        "argv": [],
        "byteorder": "little",
        "exit": leave,
        "implementation": attr_tuple({"name": "micropython", "version": firmware.VERSION}),
        "maxsize": (1 << 63) - 1,
        "modules": loaded,
        "path": path,
        "platform": firmware.PLATFORM,
        "print_exception": print_exception,
        "stderr": stdout,
        "stdin": InputStream(console),
        "stdout": stdout,
        "version": ".".join(map(str, firmware.PYTHON_VERSION)),
        "version_info": firmware.PYTHON_VERSION,
    }
    return make_module("sys", members)


# utime

TICKS_PERIOD = 1 << 62
"""Number of ticks at which they wrap: the small integers of a 64-bit MicroPython."""


class UTime:
    """The functions of ``utime``, with the time of ``clock``.

    Milliseconds, microseconds and ticks are integers; another type raises ``TypeError``.
    """

    def __init__(self, clock: Clock, rtc: Rtc, cpu_hz: int) -> None:
        self._clock = clock
        self._rtc = rtc
        self._cpu_hz = cpu_hz
        self._start = clock.now()

    def sleep(self, seconds: float) -> None:
        """Sleep; negative values do not sleep."""
        if not isinstance(seconds, int | float):
            raise TypeError(f"can't convert {type(seconds).__name__} to float")
        self._wait(seconds)

    def sleep_ms(self, milliseconds: int) -> None:
        """Sleep, in milliseconds."""
        self._wait(index(milliseconds) / 1_000)

    def sleep_us(self, microseconds: int) -> None:
        """Sleep, in microseconds."""
        self._wait(index(microseconds) / 1_000_000)

    def ticks_ms(self) -> int:
        """Return milliseconds since power-on."""
        return self._ticks(1_000)

    def ticks_us(self) -> int:
        """Return microseconds since power-on."""
        return self._ticks(1_000_000)

    def ticks_cpu(self) -> int:
        """Return cycles of the processor since power-on."""
        return self._ticks(self._cpu_hz)

    def ticks(self) -> int:
        """Return milliseconds since power-on, under the name that OpenMV scripts use."""
        return self.ticks_ms()

    def ticks_add(self, ticks: int, delta: int) -> int:
        """Return ``ticks`` plus ``delta``, wrapped."""
        return (index(ticks) + index(delta)) % TICKS_PERIOD

    def ticks_diff(self, end: int, start: int) -> int:
        """Return the ticks from ``start`` to ``end``, negative if ``end`` is earlier."""
        half = TICKS_PERIOD // 2
        return (index(end) - index(start) + half) % TICKS_PERIOD - half

    def time(self) -> int:
        """Return seconds since 2000 by the board's calendar."""
        return self._rtc.seconds

    def localtime(self, seconds: int | None = None) -> DateTuple:
        """Return the 8 fields of a date: of ``seconds``, by default of now."""
        return self._rtc.now() if seconds is None else date_of(seconds)

    def mktime(self, date: Sequence[int]) -> int:
        """Return the seconds since 2000 of a date of 8 or 9 fields."""
        if not 8 <= len(date) <= 9:
            raise TypeError(f"mktime needs a tuple of length 8 or 9 ({len(date)} given)")
        return seconds_of(date)

    def set_time(self, date: Sequence[int]) -> bool:
        """Set the calendar to year, month, day, hour, minute, second; return False if wrong."""
        try:
            year, month, day, hour, minute, second = date[:6]
            self._rtc.set(datetime(year, month, day, hour, minute, second))
        except ValueError:
            return False
        return True

    def clock(self) -> FrameClock:
        """Return a counter of frames per second."""
        return FrameClock(self)

    def _ticks(self, per_second: int) -> int:
        return int((self._clock.now() - self._start) * per_second) % TICKS_PERIOD

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._clock.sleep(seconds)


class FrameClock:
    """``utime.clock()``: call ``tick`` at the start of a frame, ``fps`` or ``avg`` at its end."""

    def __init__(self, time: UTime) -> None:
        self._time = time
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self._start = self._ticks = self._frames = 0

    def tick(self) -> None:
        """Start a frame."""
        self._start = self._time.ticks_ms()

    def fps(self) -> float:
        """End a frame; return frames per second; the count restarts every two seconds."""
        average = self.avg()
        if self._ticks >= 2_000:
            self._ticks = self._frames = 0
        return 1_000 / average if average else float("inf")

    def avg(self) -> float:
        """End a frame; return the average milliseconds of a frame."""
        self._frames += 1
        self._ticks += self._time.ticks_ms() - self._start
        return self._ticks / self._frames


def utime(clock: Clock, rtc: Rtc, cpu_hz: int) -> ModuleType:
    """Return the module."""
    return make_module("utime", public(UTime(clock, rtc, cpu_hz)))


# gc and micropython


class Collector:
    """``gc``: the objects of a script are in the memory of the host, so the heap stays free.

    ``close_files`` closes the files whose objects are gone.
    """

    def __init__(self, heap_size: int, close_files: Callable[[], object]) -> None:
        self._heap_size = heap_size
        self._close_files = close_files
        self._enabled = True
        self._threshold = -1

    def collect(self) -> None:
        """Free unreachable objects; files among them are closed."""
        gc.collect()  # the host's: only then do weak references show which files are gone
        self._close_files()

    def enable(self) -> None:
        """Switch automatic collection on."""
        self._enabled = True

    def disable(self) -> None:
        """Switch automatic collection off; only ``isenabled`` shows it."""
        self._enabled = False

    def isenabled(self) -> bool:
        """Return True if automatic collection is on."""
        return self._enabled

    def mem_alloc(self) -> int:
        """Return the bytes in use: always 0, see the class."""
        return 0

    def mem_free(self) -> int:
        """Return the free bytes: the size of the heap in ``/freq.conf``."""
        return self._heap_size

    def threshold(self, amount: int | None = None) -> int | None:
        """Return or set the number of bytes whose allocation starts a collection."""
        if amount is None:
            return self._threshold
        self._threshold = amount
        return None


class Interpreter:
    """The functions of ``micropython``."""

    def __init__(self, console: Console, heap_size: int) -> None:
        self._console = console
        self._heap_size = heap_size
        self._level = 0

    def const(self, value: Any) -> Any:
        """Return ``value``: the function only marks it for the compiler."""
        return value

    def opt_level(self, level: int | None = None) -> int | None:
        """Return or set the optimisation level, which has no effect."""
        if level is None:
            return self._level
        self._level = level
        return None

    def mem_info(self, _verbose: object = None) -> None:
        """Print the state of the heap in the firmware's form."""
        size = self._heap_size
        self._console.write(f"stack: 0 out of 32768\nGC: total: {size}, used: 0, free: {size}\n")

    def heap_lock(self) -> None:
        """Do nothing: the host goes on allocating."""

    def heap_unlock(self) -> None:
        """Do nothing, as ``heap_lock``."""

    def alloc_emergency_exception_buf(self, _size: int) -> None:
        """Do nothing: the host has memory for exceptions."""


def ugc(heap_size: int, close_files: Callable[[], object]) -> ModuleType:
    """Return ``gc``."""
    return make_module("gc", public(Collector(heap_size, close_files)))


def umicropython(console: Console, heap_size: int) -> ModuleType:
    """Return ``micropython``."""
    return make_module("micropython", public(Interpreter(console, heap_size)))
