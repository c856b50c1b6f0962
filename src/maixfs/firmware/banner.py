"""What a firmware's payload says about itself: how it begins, what it prints when it starts."""

from __future__ import annotations

import re
from typing import NamedTuple

_MARK = b"\xef\xbe\xad\xde"
_MARK_OFFSETS = (2, 4)
"""Behind the first jump: the standalone SDK's start code has the mark at 2, FreeRTOS' at 4."""
_COMPRESSED_JUMP = b"\x21"
_JUMP = 0x6F
"""Low byte of a ``jal``, with which start codes without the mark begin (Kboot's)."""
# Two expressions, each with a literal start: one with alternatives takes ten times as long.
_LINES = (
    re.compile(rb"MicroPython [ -~]{1,100}[Kk]endryte-[Kk]210"),
    re.compile(rb"Kboot_v[0-9.]{1,15}"),
)
_BUILT = re.compile(rb"[ -~]{1,60} on 20[0-9]{2}-[0-9]{2}-[0-9]{2}(?=\0)")
_BUILT_SIGN = b" on 20"
_MOST_SIGNS = 64
_PRODUCTS = (
    (b"krux/", "Krux"),
    (b"FreeRTOS by LoBo v", "MicroPython by LoBo"),
    (b"CanMV", "CanMV"),
    (b"[MaixPy]", "MaixPy"),
    (b"[MAIXPY]", "MaixPy"),
    (b"Kboot_v", "Kboot"),
)
_VERSION = re.compile(r"v?\d+\.\d+(?:\.\d+)?(?:-[\w.-]+)?")


class Banner(NamedTuple):
    """What was found in a payload; empty texts where nothing was."""

    product: str
    """``MaixPy``, ``Krux``, ``MicroPython by LoBo``, ``CanMV``, ``Kboot``."""
    text: str
    """The line that the firmware prints, or the version with its day."""

    @property
    def version(self) -> str:
        """The version alone, as ``v0.6.3-2-gd8901fd22``."""
        found = _VERSION.search(self.text)
        return found.group() if found else ""

    def __str__(self) -> str:
        if not self.product or self.product.split()[0] in self.text:
            return self.text or self.product
        return f"{self.product}, {self.text}" if self.text else self.product


def has_start_mark(payload: bytes) -> bool:
    """Tell whether bytes begin with an SDK's start code: a jump, and DEADBEEF behind it."""
    return payload[:1] == _COMPRESSED_JUMP and any(
        payload.startswith(_MARK, offset) for offset in _MARK_OFFSETS
    )


def begins_like_payload(payload: bytes) -> bool:
    """Tell whether bytes begin with a jump, as programs for the K210 do."""
    plain_jump = len(payload) > 1 and payload[0] == _JUMP and not payload[1] & 0x0F
    return plain_jump or has_start_mark(payload)


def read_banner(payload: bytes) -> Banner:
    """Look for the version in a payload that is not encrypted."""
    product = next((name for sign, name in _PRODUCTS if sign in payload), "")
    found = next(filter(None, (line.search(payload) for line in _LINES)), None)
    text = found.group() if found else _built(payload)
    return Banner(product, text.decode("ascii"))


def _built(payload: bytes) -> bytes:
    """Return a version with its day, as ``uos.uname`` has it; a banner may be left out."""
    at = -1
    for _ in range(_MOST_SIGNS):
        at = payload.find(_BUILT_SIGN, at + 1)
        if at < 0:
            break
        start = max(payload.rfind(b"\0", 0, at) + 1, at - 60)
        found = _BUILT.match(payload, start)
        if found:
            return found.group()
    return b""
