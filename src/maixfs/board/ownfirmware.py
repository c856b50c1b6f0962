"""What lies where a board's firmware should be, and whether the board starts from it."""

from __future__ import annotations

from maixfs.board.report import Reporter
from maixfs.image.boardconfig import BoardConfig
from maixfs.image.boarderrors import BoardError
from maixfs.nor.chip import NorChip

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
    from maixfs.firmware import check_boot_area, read_kboot

    verdict = check_boot_area(image)
    if not verdict.ok:
        return verdict.reason
    kboot = read_kboot(image)
    if kboot is not None and kboot.choice.source == "halt":
        return f"{kboot.version} finds no application: {kboot.choice.reason}"
    return ""
