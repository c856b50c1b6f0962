"""Device time: what each operation would have taken on the board, in whole nanoseconds.

Two things take time: the bus, at the SPI clock, and the chip, which is busy after a program or
an erase. Time that the processor spends between two operations is not known here; whoever knows
it (a script that sleeps) adds it with ``advance``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from maixfs.nor.parts import Part, Times, default_part

SECOND = 1_000_000_000
MICROSECOND = 1_000
FIRMWARE_CPU_HZ = 400_000_000
READ_PIECE = 0x10000
"""The firmware reads in transfers of at most 64 KiB."""

# Clock cycles of the firmware's commands (quad modes; instruction and, where it says so,
# address on one line): 0xEB = 8 + (24 + 8 mode bits) / 4 lines + 4 wait cycles, 0x32 = 8 + 24,
# an erase = 8 + 24, write enable = 8, a look at BUSY = 8 + 8. A data byte takes 2 on four lines.
READ_CYCLES = 20
PROGRAM_CYCLES = 32
ERASE_CYCLES = 32
ENABLE_CYCLES = 8
POLL_CYCLES = 16
QUAD_BYTE_CYCLES = 2


def firmware_bus_hz(cpu_hz: int = FIRMWARE_CPU_HZ) -> int:
    """Return the SPI clock that the firmware sets at a processor clock (25 MHz at 400 MHz)."""
    return cpu_hz // 400 * 25


class DeviceClock:
    """Time of one chip on its bus.

    ``now`` and ``busy_until`` are nanoseconds since power-on; ``counts`` says how many there
    were of each kind (``read``, ``program``, ``erase``, ``poll``, ``status``, ``dropped``) and
    how many bytes crossed the bus (``bytes``).
    """

    def __init__(
        self,
        part: Part | None = None,
        *,
        bus_hz: int = FIRMWARE_CPU_HZ // 400 * 25,
        profile: str = "typical",
    ) -> None:
        self.part = part or default_part()
        self.bus_hz = bus_hz
        self.times: Times = self.part.times(profile)
        self.now = 0
        self.busy_until = 0
        self.counts: Counter[str] = Counter()

    @property
    def busy(self) -> bool:
        """Whether the chip still works on the last program or erase."""
        return self.now < self.busy_until

    def advance(self, nanoseconds: int) -> None:
        """Let time pass without anything on the bus."""
        self.now += nanoseconds

    def spend(self, cycles: int) -> None:
        """Let ``cycles`` of the SPI clock pass."""
        self.now += cycles * SECOND // self.bus_hz

    def start(self, microseconds: int) -> None:
        """Make the chip busy for so long from now on."""
        self.busy_until = self.now + microseconds * MICROSECOND

    def wait(self) -> None:
        """Ask the chip for BUSY over the bus until it has done; at least once."""
        poll = POLL_CYCLES * SECOND // self.bus_hz
        polls = max(1, -(-(self.busy_until - self.now) // poll))
        self.now += polls * poll
        self.counts["poll"] += polls

    def charge_read(self, length: int) -> None:
        """Spend what the firmware's quad reads of ``length`` bytes take on the bus."""
        transfers = max(1, -(-length // READ_PIECE))
        self.counts["read"] += transfers
        self.counts["bytes"] += length
        self.spend(transfers * READ_CYCLES + length * QUAD_BYTE_CYCLES)

    def charge_program(self, length: int) -> None:
        """Spend what a write enable and one quad page program take on the bus."""
        self.counts["bytes"] += length
        self.spend(ENABLE_CYCLES + PROGRAM_CYCLES + length * QUAD_BYTE_CYCLES)

    def charge_erase(self) -> None:
        """Spend what a write enable and one erase command take on the bus."""
        self.spend(ENABLE_CYCLES + ERASE_CYCLES)

    def waste_erases(self, commands: int) -> int:
        """Charge the bus for erase commands until the chip is idle, ``commands`` at most.

        Returns how many of them the busy chip ignored: as many single ``charge_erase`` as the
        time of the erase under way has room for.
        """
        each = (ENABLE_CYCLES + ERASE_CYCLES) * SECOND // self.bus_hz
        ignored = min(commands, max(0, -(-(self.busy_until - self.now) // each)))
        self.now += ignored * each
        self.counts["dropped"] += ignored
        return ignored

    def report(self) -> Mapping[str, int]:
        """Return the counts and the time in nanoseconds (``now``)."""
        return {**self.counts, "now": self.now}
