"""The virtual board: a folder that is powered on, runs programs and keeps its flash and card."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TextIO, overload

from maixfs.board.boot import RunResult, Started, finish_boot, read_script, run_programs
from maixfs.board.cardslot import CardSlot, keep_ejected, keep_inserted, no_card, slot_of_new
from maixfs.board.clocks import Clock, HostClock, SteppedClock, StorageClock, StorageTime
from maixfs.board.console import Console, Reporter
from maixfs.board.folder import check_firmware, create_folder, keep_area, open_chip, read_dump
from maixfs.board.modules.machine import HARD_RESET, SOFT_RESET
from maixfs.board.modules.system import Uos
from maixfs.board.moduletable import module_factories
from maixfs.board.power import BoardCrashError, BoardReset
from maixfs.board.runtime import Hardware, Runtime
from maixfs.host.interrupts import held
from maixfs.image.boardconfig import CONFIG_NAME, BoardConfig, usual_part
from maixfs.image.boarderrors import BoardError
from maixfs.image.boardlock import BoardLock
from maixfs.nor.chip import NorChip
from maixfs.nor.clock import DeviceClock
from maixfs.nor.drivers import make_driver
from maixfs.nor.parts import default_part, find_part
from maixfs.spiffs import PRESETS, Geometry, SpiffsCore
from maixfs.vfs import Vfs

if TYPE_CHECKING:
    from maixfs.sd.card import SdCard
    from maixfs.sd.device import SectorDevice

# Power-on

PathLike = str | os.PathLike[str]

_LOOK = 1e-6
"""Seconds that each reading of the clock adds, so that a loop that polls it ends."""


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
    """Power on the board in ``folder`` and do what the firmware does before boot.py.

    /flash is mounted. If that fails, it is formatted, after its old contents were saved to a
    file in the folder. No program runs. ``driver`` (``maixpy``, ``literal``, ``ideal``) replaces
    the configured one. Scripts print to ``stdout`` and read ``stdin``; ``stderr``, ``boot_log``
    and ``explain`` are those of ``Reporter``. ``clock`` is the host's by default; with a
    ``SteppedClock`` a script's ``sleep`` does not wait.

    ``timed`` attaches a clock to the flash chip. ``utime`` then counts the time that storage
    takes on a board and the seconds that the script sleeps (without waiting), but no processor
    time. With ``ignore_firmware`` damaged firmware on the flash is not an error.

    Raises ``BoardConfigError`` for a wrong ``board.toml``, ``BoardBusyError`` if another process
    uses the board or its card, ``BoardError`` for a folder that is not a board, a wrong
    ``flash.bin``, a full disk, firmware that does not start or a card that cannot be used, and
    ``NorError`` for an unknown driver.
    """
    place = Path(folder)
    config = BoardConfig.load(place)
    report = Reporter(stderr, boot_log, explain=explain)
    resources = ExitStack()
    try:
        # The lock first: a second process must not map a flash that this one writes.
        resources.enter_context(BoardLock(place))
        chip = resources.enter_context(open_chip(place, config))
        # A board whose ROM refuses its firmware never reaches the card or the file system.
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
    """Attach a clock to the chip, and let programs see the time of chip and card."""
    hardware.chip.clock = DeviceClock(hardware.chip.part)
    stepped = clock or SteppedClock(step=_LOOK)
    return hardware._replace(clock=StorageClock(stepped, hardware.storage_time))


def _slot(place: Path, config: BoardConfig, report: Reporter) -> CardSlot:
    """Return the slot of a board, with the configured card inserted."""
    slot = CardSlot(lambda error: report.remark(f"the card fails: {error}"))
    card = config.sd.path(place)
    if card is not None:
        slot.insert_image(card, config.sd)
    return slot


def _keep(place: Path, config: BoardConfig, chip: NorChip, report: Reporter) -> None:
    """Save a copy of an area that is about to be formatted."""
    geometry = config.geometry
    copy = keep_area(place, chip.peek(geometry.base, geometry.size))
    if copy is not None:
        report.remark(f"the old contents of /flash are kept in {copy}")


# The board

_Options = ParamSpec("_Options")

MAX_RESETS = 10
"""Restarts that are allowed in one run of a script, and during one start of the board."""


class _Open(Generic[_Options]):
    """``Board.open(folder)`` powers a board on; ``board.open(path)`` opens a file on it."""

    def __init__(self, power_on: Callable[_Options, Board]) -> None:
        self._power_on = power_on

    @overload
    def __get__(self, board: None, owner: type[Board]) -> Callable[_Options, Board]: ...
    @overload
    def __get__(self, board: Board, owner: type[Board]) -> Callable[..., Any]: ...
    def __get__(self, board: Board | None, owner: type[Board]) -> Callable[..., Any]:
        return self._power_on if board is None else board.vfs.open


class Board:
    """A board that is powered on: created by ``Board.open``, powered off at the end of ``with``.

    ``board.uos`` is the module that scripts import, ``board.open`` their ``open``. ``board.run``
    restarts the board and runs a program. Power-off is abrupt, as on a real board: data that a
    program has not closed or flushed is lost.

    This is not a sandbox: a script runs in this process, with the rights of its user.
    """

    open = _Open(power_on)

    def __init__(self, folder: Path, hardware: Hardware, resources: ExitStack) -> None:
        self.folder = folder
        self._hardware = hardware
        self._resources = resources
        self._used = False
        self._runtime: Runtime | None = None
        self._power_on(HARD_RESET)

    @staticmethod
    def create(
        folder: PathLike,
        *,
        part: str | None = None,
        flash_size: int | None = None,
        driver: str = "maixpy",
        from_dump: PathLike | None = None,
        geometry: Geometry = PRESETS["maixpy"],
        sd: int | PathLike | None = None,
    ) -> BoardConfig:
        """Create a board in ``folder`` and return its configuration; it is not powered on.

        Its flash holds the file ``from_dump``; the rest is blank. ``flash_size`` (bytes) is by
        default the size of the dump, else that of the part; without ``part`` a chip of that size
        is chosen. ``sd`` is the card in its slot: a size in bytes creates a card with one FAT32
        partition in the folder of the board; a path names an image or block device, which stays
        where it is. Raises ``BoardError``, also if there is a board already, and ``NorError``
        for an unknown part.
        """
        dump = read_dump(Path(from_dump)) if from_dump is not None else b""
        size = flash_size or len(dump) or (find_part(part) if part else default_part()).size
        config = BoardConfig(
            part=part or usual_part(size),
            flash_size=size,
            driver=driver,
            geometry=geometry,
            unique_id=os.urandom(32),
            sd=slot_of_new(Path(folder), sd),
        )
        # Everything was validated by now: an impossible board leaves no folder.
        create_folder(Path(folder), config, dump, sd if isinstance(sd, int) else None)
        return config

    @staticmethod
    def exists(folder: PathLike) -> bool:
        """Return True if ``folder`` holds a board."""
        return (Path(folder) / CONFIG_NAME).is_file()

    @property
    def config(self) -> BoardConfig:
        """The contents of ``board.toml``."""
        return self._hardware.config

    @property
    def chip(self) -> NorChip:
        """The flash chip: its contents, wear counts and observers."""
        return self._hardware.chip

    @property
    def runtime(self) -> Runtime:
        """The running firmware; raises ``BoardError`` if the board is powered off."""
        if self._runtime is None:
            raise BoardError(f"{self.folder} is powered off")
        return self._runtime

    @property
    def vfs(self) -> Vfs:
        """The mount table."""
        return self.runtime.vfs

    @property
    def uos(self) -> Uos:
        """The module that scripts import as ``uos``."""
        return self.runtime.uos

    @property
    def spiffs(self) -> SpiffsCore:
        """The SPIFFS driver of /flash, below the VFS."""
        return self.runtime.volume.fs

    @property
    def sd(self) -> CardSlot:
        """The card slot: ``sd.card`` is the inserted card, ``sd.clock`` its device time."""
        return self._hardware.slot

    @property
    def storage_time(self) -> StorageTime:
        """The time of all reads and writes on a real board, since the board was opened."""
        return self._hardware.storage_time()

    def insert_sd(
        self, card: PathLike | SdCard | SectorDevice, *, read_only: bool = False
    ) -> None:
        """Insert a card; the firmware mounts it at ``machine.SDCard.remount()`` or a restart.

        A path names an image or block device, which stays in the slot after power-off; with
        ``read_only`` the card refuses writes. A card object leaves the slot at power-off. Raises
        ``BoardError`` if ``card`` is not a card or the slot is occupied, ``BoardBusyError`` if
        another board uses the image.
        """
        if self.runtime.hardware.slot.card is not None:
            raise BoardError(
                f"a card is in the slot of {self.folder} already", hint="eject it first"
            )
        if not isinstance(card, str | os.PathLike):
            self.sd.insert_card(card)
            return
        place = Path(card)
        self.sd.insert_image(place, replace(self.config.sd, read_only=read_only))
        self._keep(keep_inserted(self.config, self.folder, place, read_only=read_only))

    def eject_sd(self) -> None:
        """Remove the card; raises ``BoardError`` if the slot is empty.

        Files on it give EIO until a card is mounted again; inserting the card is not enough.
        """
        if self.runtime.hardware.slot.card is None:
            raise no_card(self.folder)
        # Wait for a write of another thread: a card is not removed inside a sector.
        with held():
            self.sd.eject()
        if self.config.sd.image is not None:
            self._keep(keep_ejected(self.config, self.folder))

    @property
    def started(self) -> Started:
        """The outcome of the last start."""
        return self._started

    def run(self, script: Path | str | None = None, *, max_resets: int = MAX_RESETS) -> RunResult:
        """Start the board and run boot.py, then ``script`` instead of main.py.

        ``script`` is a file of the host or source code (see ``read_script``); by default main.py
        runs. Output goes to the console, an uncaught exception too, as MicroPython prints it. A
        board that has run a program is reset first. Raises ``BoardError`` for a script that
        cannot be read or that restarts the board more than ``max_resets`` times, ``NorError`` if
        a file of the host fails.
        """
        source = None if script is None else read_script(script)
        if self._used:
            self.reset()
        self._used = True
        before, loads = self.storage_time, len(self._hardware.model_loads)
        # A reset leaves the program through an exception and starts it again from boot.py.
        for resets in range(max_resets + 1):
            try:
                result = self._run_once(source)
            except BoardReset:
                self._power_on(SOFT_RESET)
            else:
                return result._replace(
                    resets=resets,
                    storage_time=self.storage_time.since(before),
                    model_loads=tuple(self._hardware.model_loads[loads:]),
                )
        raise BoardError(
            f"the program restarted the board {max_resets + 1} times and was stopped",
            hint="a reset runs boot.py and main.py again: reset only under a condition",
        )

    def reset(self) -> None:
        """Press the reset button: everything that is only in RAM is lost."""
        self._power_on(HARD_RESET)

    def power_off(self) -> None:
        """Cut the power; raises ``NorError`` if a file of the host fails.

        A second call does nothing.
        """
        self._switch_off()
        self._resources.close()

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.power_off()

    def _keep(self, config: BoardConfig) -> None:
        self._hardware = self._hardware._replace(config=config)

    def _run_once(self, source: bytes | None) -> RunResult:
        if self._started is not Started.READY:
            self._hardware.report.remark(f"the board is {self._started.value}; nothing was run")
            return RunResult(1)
        try:
            result = run_programs(self.runtime, source)
            self.runtime.power.check()  # a script may have caught the reset: raise it again
        except BoardCrashError as error:
            self._hardware.report.remark(str(error))
            return RunResult(1, error)
        return result

    def _switch_off(self) -> None:
        # The runtime is dropped, never closed: closing would write what a power cut loses.
        if self._runtime is not None:
            self._runtime.switch_off()
            self._runtime = None

    def _power_on(self, cause: int) -> None:
        for _ in range(MAX_RESETS):
            self._switch_off()
            self.chip.wait()  # the processor starts more slowly than any erase ends
            self._runtime = Runtime(self._hardware, cause, module_factories)
            try:
                self._started = finish_boot(self._runtime)
            except BoardReset:
                cause = SOFT_RESET  # _boot.py copied a cover file of the card to the flash
            else:
                return
        self._switch_off()
        raise BoardError(
            f"the board restarted itself {MAX_RESETS} times and was stopped",
            hint="remove the cover files from its card: they do not fit its flash",
        )
