"""Powering a board on: its folder locked, its chip opened, its console connected."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from maixfs.board.cardslot import CardSlot
from maixfs.board.clock import Clock, HostClock, SteppedClock
from maixfs.board.console import Console
from maixfs.board.folder import keep_area, open_chip
from maixfs.board.ownfirmware import check_firmware
from maixfs.board.report import Reporter
from maixfs.board.runtime import Hardware
from maixfs.board.times import StorageClock
from maixfs.image.boardconfig import BoardConfig
from maixfs.image.boardlock import BoardLock
from maixfs.nor.chip import NorChip
from maixfs.nor.clock import DeviceClock
from maixfs.nor.drivers import make_driver

if TYPE_CHECKING:
    from maixfs.board.board import Board

PathLike = str | os.PathLike[str]

_LOOK = 1e-6
"""Seconds that pass at a look at the time where nothing else lets it pass."""


def power_on(
    folder: PathLike,
    *,
    driver: str | None = None,
    explain: bool = False,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
    stdin: TextIO | None = None,
    boot_log: TextIO | None = None,
    clock: Clock | None = None,
    timed: bool = False,
    ignore_firmware: bool = False,
) -> Board:
    """Power on the board in ``folder``: everything up to boot.py, as the firmware does it.

    /flash is mounted, and formatted where that fails; what was on it is then kept in a file of
    the folder. No program runs. ``driver`` (``maixpy``, ``literal``, ``ideal``) takes the place
    of the configured one. Scripts print to ``stdout`` and read ``stdin``; ``stderr``,
    ``boot_log`` and ``explain`` are those of ``Reporter``. ``clock`` is the host's unless
    given; with a ``SteppedClock`` nobody waits for a script's ``sleep``.

    ``timed`` puts a clock on the flash chip; ``utime`` then counts what storage would have taken
    on a board and the script's ``sleep``, for which nobody waits, but no time of the processor.
    With ``ignore_firmware`` the board starts also from firmware that its ROM would not start.

    Raises ``BoardConfigError`` for a wrong ``board.toml``, ``BoardBusyError`` where another
    process has the board or its card, ``BoardError`` for a folder that is no board, a wrong
    ``flash.bin``, firmware that does not start or a card that cannot be used, ``NorError`` for a
    driver that there is not.
    """
    from maixfs.board.board import Board

    place = Path(folder)
    config = BoardConfig.load(place)
    report = Reporter(stderr, boot_log, explain=explain)
    resources = ExitStack()
    try:
        resources.enter_context(BoardLock(place))
        chip = resources.enter_context(open_chip(place, config))
        if not ignore_firmware:
            check_firmware(chip, config, report)
        slot = resources.enter_context(closing(_slot(place, config, report)))
        hardware = Hardware(
            config=config,
            chip=chip,
            flash=make_driver(driver or config.driver, chip),
            slot=slot,
            console=Console(stdout, stdin),
            clock=clock or HostClock(),
            report=report,
            keep_area=lambda: _keep(place, config, chip, report),
            model_loads=[],
        )
        return Board(place, _timed(hardware, clock) if timed else hardware, resources)
    except BaseException:
        resources.close()
        raise


def _timed(hardware: Hardware, clock: Clock | None) -> Hardware:
    """Put a clock on the chip, and let programs see what it and the card's count."""
    hardware.chip.clock = DeviceClock(hardware.chip.part)
    stepped = clock or SteppedClock(step=_LOOK)
    return hardware._replace(clock=StorageClock(stepped, hardware.storage_time))


def _slot(place: Path, config: BoardConfig, report: Reporter) -> CardSlot:
    """Return the slot of a board with its card in it."""
    slot = CardSlot(lambda error: report.remark(f"the card fails: {error}"))
    card = config.sd.path(place)
    if card is not None:
        slot.insert_image(card, config.sd)
    return slot


def _keep(place: Path, config: BoardConfig, chip: NorChip, report: Reporter) -> None:
    """Keep a copy of an area that is about to be formatted."""
    geometry = config.geometry
    kept = keep_area(place, chip.peek(geometry.base, geometry.size))
    if kept is not None:
        report.remark(f"the old contents of /flash are kept in {kept}")
