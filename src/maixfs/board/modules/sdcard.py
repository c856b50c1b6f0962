"""``machine.SDCard``: a type that nobody makes an object of; what it has belongs to the slot."""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import Any, NoReturn

from maixfs.board.cardport import CardPort
from maixfs.sd.device import SECTOR
from maixfs.vfs import OnQuirk
from maixfs.vfs.blockdev import Ioctl

REMOUNT_QUIRK = (
    "machine.SDCard.remount() returns at once on a board, and its other core mounts the card a"
    " moment later: wait until 'sd' is in uos.listdir('/')"
)
IOCTL_QUIRK = (
    "machine.SDCard.ioctl(op, arg) is a TypeError on a board, whose function wants something in"
    " the place of self: machine.SDCard.ioctl(None, op, arg)"
)


class _SDCard:
    """The type; ``sdcard_type`` gives it its functions."""

    def __new__(cls, *_args: object, **_options: object) -> NoReturn:
        raise TypeError("cannot create 'SDCard' instances")


def sdcard_type(port: CardPort, mount: Callable[[], object], on_quirk: OnQuirk) -> type:
    """Return ``machine.SDCard``; ``mount`` mounts the card that is in the slot."""

    def remount() -> None:
        """Mount the card in the slot on /sd; where there is none nothing changes."""
        on_quirk("sdcard-remount", REMOUNT_QUIRK)
        mount()

    def ioctl(*args: Any) -> int:
        """Answer by the numbers of MicroPython's block protocol, -1 where the driver refuses."""
        if len(args) == 2:
            on_quirk("sdcard-ioctl", IOCTL_QUIRK)
        elif len(args) != 3:
            raise TypeError(f"function takes 3 positional arguments but {len(args)} were given")
        return _answer(port, index(args[-2]))

    members = {"ioctl": staticmethod(ioctl), "remount": staticmethod(remount)}
    made = type("SDCard", (_SDCard,), members)
    made.__module__ = "builtins"
    return made


def _answer(port: CardPort, operation: int) -> int:
    if operation == Ioctl.INIT:
        return 0 if port.power_on() else -1
    if operation == Ioctl.DEINIT:
        port.power_off()
    values: dict[int, int] = {
        Ioctl.DEINIT: 0,
        Ioctl.SYNC: 0,  # each sector is on the card once it was written
        Ioctl.BLOCK_COUNT: port.sectors,
        Ioctl.BLOCK_SIZE: SECTOR,
    }
    return values.get(operation, -1)
