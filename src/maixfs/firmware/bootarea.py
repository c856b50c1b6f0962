"""What the chip's ROM makes of the start of its flash when the power comes."""

from __future__ import annotations

from typing import NamedTuple

from maixfs.firmware.errors import FirmwareError
from maixfs.firmware.firmware import Firmware, verify
from maixfs.nor import Buffer


class BootVerdict(NamedTuple):
    """Whether a board starts from its flash, and why not."""

    ok: bool
    reason: str
    """A sentence."""
    kind: str
    """``ok``, ``encrypted``, or the kind of a ``FirmwareError``."""
    firmware: Firmware | None


def check_boot_area(image: Buffer) -> BootVerdict:
    """Judge what lies at address 0; nothing is raised.

    What the ROM checks is not documented: a wrong hash is taken for what stops it. Encrypted
    firmware counts as good, because only the chip that has the key can tell.
    """
    try:
        firmware = verify(image)
    except FirmwareError as error:
        reason = f"{error}; the chip waits for a flasher (ISP) instead"
        return BootVerdict(False, reason, error.kind, None)
    if firmware.aes:
        reason = "the firmware is encrypted: it starts on a chip that has its key"
        return BootVerdict(True, reason, "encrypted", firmware)
    name = str(firmware.banner) or "the firmware"
    return BootVerdict(True, f"{name} starts, {firmware.length:#x} bytes", "ok", firmware)
