"""The folder of a board: create it, open its chip, check the firmware on its flash."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from maixfs.board.cardslot import make_card
from maixfs.board.console import Reporter
from maixfs.host.drafts import clear_drafts, write_file
from maixfs.host.files import is_protected, make_folder, read_start
from maixfs.image.boardconfig import CONFIG_NAME, DRAFT_NAME, FLASH_NAME, WEAR_NAME, BoardConfig
from maixfs.image.boarderrors import BoardError, as_board_error
from maixfs.image.boardlock import LOCK_NAME, BoardLock
from maixfs.image.sdconfig import CARD_NAME
from maixfs.nor.chip import MAX_SIZE, NorChip

# The folder

_BLANK = (0xFF, 0x00)


def create_folder(
    folder: Path, config: BoardConfig, dump: bytes, card_size: int | None = None
) -> None:
    """Write a new board: ``dump`` first, blank flash after it, a card of ``card_size`` bytes.

    Raises ``BoardError`` where one is there already or the host refuses; what had been written
    by then is removed again. What a killed process left half made is made anew.
    """
    _refuse(folder)
    is_new = not folder.exists()
    with as_board_error():
        make_folder(folder)
    try:
        with BoardLock(folder):
            _make(folder, config, dump, card_size)
    except BaseException:
        if is_new:
            with suppress(OSError):
                _remove(folder / LOCK_NAME)
                folder.rmdir()
        raise


def _make(folder: Path, config: BoardConfig, dump: bytes, card_size: int | None) -> None:
    half_made = _refuse(folder)
    flash, wear, final = (folder / name for name in (FLASH_NAME, WEAR_NAME, CONFIG_NAME))
    card = folder / CARD_NAME
    own = [] if card_size is None else [card]  # what is there without our doing stays
    if own and card.exists() and not half_made:
        raise _taken(card)
    clear_drafts(folder)
    try:
        config.save_draft(folder)  # from here on it is half made
        if half_made:
            _remove(flash, wear, *own)
        NorChip.create(flash, config.flash_size, config.chip_part, dump, wear_path=wear).close()
        if card_size is not None:
            make_card(card, card_size)
        config.save(folder)
    except BaseException:
        _remove(final, flash, wear, folder / DRAFT_NAME, *own)
        raise


def _refuse(folder: Path) -> bool:
    """Raise ``BoardError`` where a board is; tell whether there is one that is half made."""
    final = folder / CONFIG_NAME
    half_made = (folder / DRAFT_NAME).exists() and not final.exists()
    for path in (final, folder / FLASH_NAME):
        if path.exists() and not half_made:
            raise _taken(path)
    return half_made


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


def open_chip(folder: Path, config: BoardConfig, *, read_only: bool = False) -> NorChip:
    """Open a board's flash as its chip.

    Raises ``BoardError`` for a ``flash.bin`` that is missing, write-protected or not of the
    chip's size, and for wear counts that are not this chip's.
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
    """Write a copy of a flash area that is about to be formatted; return where it is.

    Blank areas are not kept. The name comes from the contents, so that one area is kept once.
    Raises ``BoardError`` where the host refuses: then nothing may be formatted.
    """
    if area.count(area[0]) == len(area) and area[0] in _BLANK:
        return None
    from hashlib import sha256

    path = folder / f"spiffs-{sha256(area).hexdigest()[:12]}.bin"
    if path.exists():
        return path
    clear_drafts(folder)
    hint = "the old contents of /flash are to be kept there before they are formatted"
    with as_board_error(hint):
        write_file(path, (area,))
    return path


# The firmware on the flash

OWN = "no firmware is on the flash: the board runs the one that maixfs brings"
_MOST = 0xC00000
"""Bytes from the start of the flash that firmware, Kboot and its applications may take."""


def check_firmware(chip: NorChip, config: BoardConfig, report: Reporter) -> None:
    """Raise ``BoardError`` for firmware that the chip would not start.

    None at all is no error: an empty board runs maixfs's own. Whatever firmware there is, it is
    that one which runs; what lies on the flash only has to be whole.
    """
    if config.ignore_firmware:
        return
    window = chip.window()
    size = min(_MOST, chip.size)
    image = memoryview(chip.peek(0, size)) if window is None else window[:size]
    if _is_empty(image):
        report.boot(f"maixfs: {OWN}\n")
        return
    reason = _fault(image)
    if reason:
        raise BoardError(
            f"the board does not start: {reason}",
            hint="write good firmware, or start it all the same with --ignore-firmware",
        )


def _is_empty(image: memoryview) -> bool:
    head = bytes(image[:16])
    return head.count(head[0]) == len(head) and head[0] in (0x00, 0xFF)


def _fault(image: memoryview) -> str:
    """Return why nothing starts; empty where something does."""
    from maixfs.firmware.bootarea import check_boot_area
    from maixfs.firmware.kboot import read_kboot

    verdict = check_boot_area(image)
    if not verdict.ok:
        return verdict.reason
    kboot = read_kboot(image)
    if kboot is not None and kboot.choice.source == "halt":
        return f"{kboot.version} finds no application: {kboot.choice.reason}"
    return ""
