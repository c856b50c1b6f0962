"""``machine``: reset, the chip's number, the card; pins and buses are no part of this board."""

from __future__ import annotations

from types import ModuleType

from maixfs.board.modules.kit import make_module, public
from maixfs.board.signals import Power

HARD_RESET = 0
"""``sysctl_get_reset_status``: the pin or power-on."""

SOFT_RESET = 1
"""``sysctl_get_reset_status``: the processor reset itself, as ``machine.reset`` has it do."""


class Machine:
    """What the module holds; ``cause`` is why the board started this time.

    ``power`` is cut by ``reset``.
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
        """Start the board again: what lies in RAM alone is lost, open files too."""
        self._power.cut()

    def reset_cause(self) -> int:
        """Return why the board started: one of the constants."""
        return self._cause

    def unique_id(self) -> bytes:
        """Return the chip's number, 32 bytes."""
        return self._unique_id


def machine(unique_id: bytes, cause: int, power: Power, sdcard: type) -> ModuleType:
    """Return the module; ``sdcard`` is its ``SDCard``."""
    members = {**public(Machine(unique_id, cause, power)), "SDCard": sdcard}
    return make_module("machine", members)
