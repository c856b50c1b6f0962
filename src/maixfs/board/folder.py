"""The folder of a board: create it, open its chip, check the firmware on its flash."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.board.cardslot import make_card
from maixfs.board.console import Reporter
from maixfs.errors import Command, UsageError
from maixfs.host.drafts import clear_drafts, write_file
from maixfs.host.files import is_protected, make_folder, read_start
from maixfs.image.boardconfig import (
    CARD_NAME,
    CONFIG_NAME,
    DRAFT_NAME,
    FLASH_NAME,
    WEAR_NAME,
    BoardConfig,
)
from maixfs.image.boardlock import LOCK_NAME, BoardBusyError, BoardError, BoardLock, as_board_error
from maixfs.nor.chip import MAX_SIZE, NorChip

if TYPE_CHECKING:
    from maixfs.spiffs import Geometry

# The folder

_BLANK = (0xFF, 0x00)


def create_folder(
    folder: Path, config: BoardConfig, dump: bytes, card_size: int | None = None
) -> None:
    """Write a new board: a flash with ``dump``, and a card of ``card_size`` bytes.

    The flash is blank behind the dump. Raises ``BoardError`` if there is a board already or the
    host refuses a file; files that were written by then are removed. A board that a killed
    process left incomplete is replaced.
    """
    _refuse(folder)
    is_new = not folder.exists()
    with as_board_error():
        make_folder(folder)
    try:
        with BoardLock(folder):
            _make(folder, config, dump, card_size)
    except BoardBusyError:
        raise  # the folder and its lock are those of the process that was first
    except BaseException:
        if is_new and not (folder / CONFIG_NAME).exists():
            with suppress(OSError):
                _remove(folder / LOCK_NAME)
                folder.rmdir()
        raise


def _make(folder: Path, config: BoardConfig, dump: bytes, card_size: int | None) -> None:
    incomplete = _refuse(folder)
    flash, wear, final = (folder / name for name in (FLASH_NAME, WEAR_NAME, CONFIG_NAME))
    card = folder / CARD_NAME
    own = [] if card_size is None else [card]  # other files in the folder stay
    if own and card.exists() and not incomplete:
        raise _taken(card)
    clear_drafts(folder)
    try:
        config.save_draft(folder)  # marks the board as incomplete until config.save
        if incomplete:
            _remove(flash, wear, *own)
        NorChip.create(flash, config.flash_size, config.chip_part, dump, wear_path=wear).close()
        if card_size is not None:
            make_card(card, card_size)
        config.save(folder)
    except BaseException:
        _remove(final, flash, wear, folder / DRAFT_NAME, *own)
        raise


def _refuse(folder: Path) -> bool:
    """Raise ``BoardError`` if there is a board; return True if there is an incomplete one."""
    final = folder / CONFIG_NAME
    incomplete = (folder / DRAFT_NAME).exists() and not final.exists()
    for path in (final, folder / FLASH_NAME):
        if path.exists() and not incomplete:
            raise _taken(path)
    return incomplete


def _taken(path: Path) -> BoardError:
    return BoardError(f"{path} exists already", hint="choose another folder, or remove it first")


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def read_dump(path: Path) -> bytes:
    """Return the bytes of a flash dump; raises ``BoardError``, also if no chip is that large."""
    with as_board_error():
        dump = read_start(path, MAX_SIZE + 1)
    if len(dump) > MAX_SIZE:
        raise BoardError(
            f"{path} has more than {MAX_SIZE >> 20} MiB", hint="no flash chip is larger"
        )
    return dump


# The geometry of a new board

_SURE = 0.9
"""Least confidence in a detected geometry; below it, MaixPy's is the better guess."""


def choose_geometry(
    folder: str, *, dump: str | None, part: str | None, flash_size: int | None
) -> Geometry:
    """Return the geometry for a new board in ``folder``: that of the dump, or MaixPy's.

    Raises ``UsageError`` for a dump that is a bare file system, and for a chip that is too small
    for MaixPy's geometry.
    """
    from maixfs.spiffs import PRESETS

    geometry = _geometry_in(dump, folder) if dump else None
    if geometry is None:
        geometry = PRESETS["maixpy"]
        _refuse_small(folder, geometry, part, flash_size)
    return geometry


def _geometry_in(dump: str, folder: str) -> Geometry | None:
    """Return the geometry of the file system in a dump, ``None`` if it is uncertain."""
    from maixfs.image.entries import Kind
    from maixfs.image.errors import AmbiguousError, NoFileSystemError
    from maixfs.image.opening import open_mounted

    try:
        with open_mounted(Path(dump)) as image:
            if image.kind is Kind.SPIFFS_IMAGE:
                raise UsageError(
                    f"{dump} is a single file system, not the dump of a flash",
                    hint="make a board and copy the files to it",
                    fix=(
                        Command("new", (folder,)),
                        Command("cp", ("-r", f"{dump}:", f"{folder}:")),
                    ),
                )
            detection = image.spiffs.detection
            # The geometry of a small or damaged area can be a guess. A board with a wrong one
            # formats /flash when it starts, MaixPy's geometry is right for nearly all boards.
            if detection is not None and detection.confidence <= _SURE:
                return None
            return image.spiffs.geometry
    except (AmbiguousError, NoFileSystemError):
        return None


def _refuse_small(
    folder: str, geometry: Geometry, part: str | None, flash_size: int | None
) -> None:
    """Raise ``UsageError`` if MaixPy's file system does not fit into the chip."""
    from maixfs.nor import find_part

    size = flash_size or (find_part(part).size if part else None)
    end = geometry.base + geometry.size
    if size is not None and size < end:
        base = max(0, size - geometry.size)
        raise UsageError(
            f"MaixPy's file system ends at {end:#x}, beyond a flash of {size:#x} bytes",
            hint=f"choose another base for it, such as {base:#x}",
            fix=(Command("new", (folder, "--geometry", f"maixpy,base={base:#x}")),),
        )


def open_chip(folder: Path, config: BoardConfig, *, read_only: bool = False) -> NorChip:
    """Open the flash of a board as a chip.

    Raises ``BoardError`` for a ``flash.bin`` that is missing, write-protected or not of the size
    of the chip, for a ``wear.bin`` of another chip, and for a full disk.
    """
    path = folder / FLASH_NAME
    if not read_only and is_protected(path):
        raise BoardError(
            f"{path} is write-protected", hint="a board writes its flash when it starts"
        )
    with as_board_error():
        return NorChip.open(
            path,
            read_only=read_only,
            part=config.chip_part,
            size=config.flash_size,
            wear_path=folder / WEAR_NAME,
        )


def keep_area(folder: Path, area: bytes) -> Path | None:
    """Write a copy of a flash area that is about to be formatted; return its path.

    Blank areas are not copied. The name is a hash of the contents, so that equal areas have one
    copy. Raises ``BoardError`` if the host refuses: then the area must not be formatted.
    """
    if area.count(area[0]) == len(area) and area[0] in _BLANK:
        return None
    from hashlib import sha256

    path = folder / f"spiffs-{sha256(area).hexdigest()[:12]}.bin"
    if path.exists():  # the name is the hash: these contents were saved before
        return path
    clear_drafts(folder)
    hint = "the board needs space there for a copy of /flash before it formats it"
    with as_board_error(hint):
        write_file(path, (area,))
    return path


# The firmware on the flash

NO_FIRMWARE = "no firmware is on the flash: the board runs the one that maixfs brings"
_MOST = 0xC00000
"""Bytes from the start of the flash that firmware, Kboot and its applications may take."""


def check_firmware(chip: NorChip, config: BoardConfig, report: Reporter) -> None:
    """Raise ``BoardError`` if the flash holds firmware that the chip would not start.

    Blank flash is not an error. The board always runs the firmware that maixfs brings; the one
    on the flash only has to be intact.
    """
    if config.ignore_firmware:
        return
    # A view of the mapped file: reading 12 MiB at every start would take longer than the start.
    window = chip.window()
    size = min(_MOST, chip.size)
    image = memoryview(chip.peek(0, size)) if window is None else window[:size]
    if _is_empty(image):
        report.boot(f"maixfs: {NO_FIRMWARE}\n")
        return
    reason = _fault(image)
    if reason:
        raise BoardError(
            f"the board does not start: {reason}",
            hint="write intact firmware, or set boot.ignore_firmware in board.toml",
        )


def _is_empty(image: memoryview) -> bool:
    # Zeros count as blank too: a new image file on a host often holds zeros.
    head = bytes(image[:16])
    return head.count(head[0]) == len(head) and head[0] in (0x00, 0xFF)


def _fault(image: memoryview) -> str:
    """Return why the firmware does not start, an empty text if it does."""
    from maixfs.firmware import check_boot_area, read_kboot

    verdict = check_boot_area(image)
    if not verdict.ok:
        return verdict.reason
    kboot = read_kboot(image)
    if kboot is not None and kboot.choice.source == "halt":
        return f"{kboot.version} finds no application: {kboot.choice.reason}"
    return ""
