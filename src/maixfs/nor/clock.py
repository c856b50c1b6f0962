"""Time: of a simulated chip, in whole nanoseconds, and of the host.

Two things take device time: the bus, at the SPI clock, and the chip, which is busy after a
program or an erase. Time that the processor spends between two operations is not known here; a
caller that knows it (a script that sleeps) adds it with ``advance``.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from maixfs.nor.bus import SHAPES, Op
from maixfs.nor.errors import invalid
from maixfs.nor.parts import Part, Times, default_part

SECOND = 1_000_000_000
MICROSECOND = 1_000
FIRMWARE_CPU_HZ = 400_000_000
READ_PIECE = 0x10000
"""The firmware reads in transfers of at most 64 KiB."""

# SPI clocks of the commands that the firmware sends (quad modes). A poll of BUSY is the command
# and one byte of answer.
READ_CYCLES = SHAPES[Op.FAST_READ_QUAD_IO].cycles(0)
PROGRAM_CYCLES = SHAPES[Op.QUAD_PAGE_PROGRAM].cycles(0)
ERASE_CYCLES = SHAPES[Op.ERASE_SECTOR].cycles(0)
ENABLE_CYCLES = SHAPES[Op.WRITE_ENABLE].cycles(0)
POLL_CYCLES = SHAPES[Op.READ_STATUS1].cycles(1)
QUAD_BYTE_CYCLES = 2


def firmware_bus_hz(cpu_hz: int = FIRMWARE_CPU_HZ) -> int:
    """Return the SPI clock that the firmware sets at a processor clock (25 MHz at 400 MHz)."""
    # In the firmware's integer arithmetic and order: 403 MHz give 25,187,500 Hz.
    return cpu_hz // 400 * 25


class DeviceClock:
    """Time of one chip on its bus.

    ``now`` and ``busy_until`` are nanoseconds since power-on. ``counts`` has the number of each
    kind of operation (``read``, ``program``, ``erase``, ``poll``, ``status``, ``dropped``) and
    of the bytes that crossed the bus (``bytes``). Raises ``NorError`` (EINVAL) for a bus clock
    of 0 or less and an unknown ``profile``.
    """

    def __init__(
        self,
        part: Part | None = None,
        *,
        bus_hz: int = FIRMWARE_CPU_HZ // 400 * 25,
        profile: str = "typical",
    ) -> None:
        if bus_hz <= 0:
            raise invalid(f"a SPI bus cannot run at {bus_hz} Hz")
        self.part = part or default_part()
        self.bus_hz = bus_hz
        self.times: Times = self.part.times(profile)
        self.now = 0
        self.busy_until = 0
        self.counts: Counter[str] = Counter()

    @property
    def busy(self) -> bool:
        """True while the chip works on the last program or erase."""
        return self.now < self.busy_until

    def advance(self, nanoseconds: int) -> None:
        """Let time pass without a transfer on the bus."""
        self.now += nanoseconds

    def spend(self, cycles: int) -> None:
        """Let ``cycles`` of the SPI clock pass."""
        # Whole nanoseconds, rounded down per frame: floats would add up differently by order.
        self.now += cycles * SECOND // self.bus_hz

    def start(self, microseconds: int) -> None:
        """Make the chip busy for ``microseconds`` from now on."""
        self.busy_until = self.now + microseconds * MICROSECOND

    def wait(self) -> None:
        """Poll BUSY over the bus until the chip is idle; at least once."""
        # Computed, not polled in a loop: a 45 ms erase is 70,000 polls at 25 MHz. The result is
        # the end of the poll that first sees the chip idle.
        poll = POLL_CYCLES * SECOND // self.bus_hz
        polls = max(1, -(-(self.busy_until - self.now) // poll))
        self.now += polls * poll
        self.counts["poll"] += polls

    def charge_read(self, length: int) -> None:
        """Spend the bus time of the firmware's quad reads of ``length`` bytes."""
        # A read of nothing is still a frame with command and address.
        transfers = max(1, -(-length // READ_PIECE))
        self.counts["read"] += transfers
        self.counts["bytes"] += length
        self.spend(transfers * READ_CYCLES + length * QUAD_BYTE_CYCLES)

    def charge_program(self, length: int) -> None:
        """Spend the bus time of a write enable and one quad page program."""
        self.counts["bytes"] += length
        self.spend(ENABLE_CYCLES + PROGRAM_CYCLES + length * QUAD_BYTE_CYCLES)

    def charge_erase(self) -> None:
        """Spend the bus time of a write enable and one erase command."""
        self.spend(ENABLE_CYCLES + ERASE_CYCLES)

    def charge_ignored_erases(self, commands: int) -> int:
        """Charge the bus for erase commands until the chip is idle, at most ``commands``.

        Returns how many commands the busy chip ignored. The result is that of calling
        ``charge_erase`` while the chip is busy, without the loop.
        """
        each = (ENABLE_CYCLES + ERASE_CYCLES) * SECOND // self.bus_hz
        ignored = min(commands, max(0, -(-(self.busy_until - self.now) // each)))
        self.now += ignored * each
        self.counts["dropped"] += ignored
        return ignored

    def report(self) -> Mapping[str, int]:
        """Return the counts and the time in nanoseconds (``now``)."""
        return {**self.counts, "now": self.now}


@runtime_checkable
class BusTime(Protocol):
    """The time by which a driver waits: the host's, or that of a simulated chip."""

    def now(self) -> int:
        """Return nanoseconds since a fixed moment."""

    def sleep(self, nanoseconds: int) -> None:
        """Let at least ``nanoseconds`` pass."""


class HostTime:
    """The time of the host."""

    def now(self) -> int:
        """Return nanoseconds of the host's monotonic clock."""
        return time.monotonic_ns()

    def sleep(self, nanoseconds: int) -> None:
        """Let at least ``nanoseconds`` pass."""
        time.sleep(nanoseconds / SECOND)
