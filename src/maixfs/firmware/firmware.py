"""Firmware images: what a flasher writes so that the chip's ROM starts it (docs/SPEC.md, 25)."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from maixfs.firmware import ondisk
from maixfs.firmware.banner import Banner, begins_like_payload, has_start_mark, read_banner
from maixfs.firmware.errors import FirmwareError
from maixfs.firmware.ondisk import FIRMWARE_HEADER, SHA_SIZE, WRAPPER_SIZE
from maixfs.nor import Buffer

SECTOR = 0x1000
FRAME = 0x10000
"""Pieces in which some flashers send a file, the last one filled with zeros."""
_BLANK = (0x00, 0xFF)


class Firmware(NamedTuple):
    """A firmware image in a chip or a file; sizes in bytes."""

    address: int
    flags: int
    length: int
    """Of the payload as stored."""
    total: int
    """Header, payload and hash; only the payload where there is no header."""
    wrapped: bool
    """Whether header and hash are there; without them no ROM starts it."""
    sha256: bytes
    """As stored; empty where there is none."""
    sha_ok: bool
    payload_ok: bool
    """Whether the payload begins as programs for the K210 do; unknown (false) with AES."""
    banner: Banner
    padding: int
    """Zeros behind the image that the flasher added, up to 4 KiB or 64 KiB."""

    @property
    def aes(self) -> bool:
        """Whether the payload is encrypted."""
        return self.wrapped and bool(self.flags & ondisk.FLAG_AES)

    @property
    def dio(self) -> bool:
        """Whether the DIO flag is set."""
        return self.wrapped and bool(self.flags & ondisk.FLAG_DIO)

    @property
    def end(self) -> int:
        """Address behind image and padding."""
        return self.address + self.total + self.padding

    @property
    def payload_address(self) -> int:
        """Address of the payload's first byte."""
        return self.address + (FIRMWARE_HEADER.size if self.wrapped else 0)


def read_firmware(image: Buffer, address: int = 0) -> Firmware:
    """Read the firmware image at ``address``; its hash may be wrong (``sha_ok``).

    A payload without header is recognised by its first bytes; it ends where erased or zero
    sectors begin. Raises ``FirmwareError`` where there is neither.
    """
    view = memoryview(image).cast("B")
    head = _head(view, address)
    flags, length = FIRMWARE_HEADER.unpack(head[: FIRMWARE_HEADER.size])
    if has_start_mark(head):
        return _bare(view, address)
    where = f"no firmware at {address:#x}: "
    if flags & ~ondisk.FLAGS_KNOWN:
        raise FirmwareError(f"{where}flags {flags:#04x}, only 0 to 3 are known", kind="flags")
    if not 0 < length <= ondisk.MOST_PAYLOAD:
        raise FirmwareError(
            f"{where}length {length:#x}, 1 to {ondisk.MOST_PAYLOAD:#x} can be", kind="length"
        )
    end = address + length + WRAPPER_SIZE
    if end > len(view):
        raise FirmwareError(
            f"the firmware at {address:#x} ends at {end:#x}, the image at {len(view):#x}",
            kind="cut",
            hint="read the flash again; a whole dump is as large as its chip",
        )
    return _wrapped(view, address, flags, length)


def _head(view: memoryview, address: int) -> bytes:
    head = bytes(view[address : address + 16]) if address >= 0 else b""
    for value, kind in ((0xFF, "blank"), (0x00, "zero")):
        if head and head.count(value) == len(head):
            text = f"nothing at {address:#x}: " + ("erased" if value else "zeros")
            raise FirmwareError(text, kind=kind)
    if len(head) < FIRMWARE_HEADER.size:
        raise FirmwareError(f"no firmware at {address:#x}: the image ends there", kind="cut")
    return head


def _wrapped(view: memoryview, address: int, flags: int, length: int) -> Firmware:
    start = address + FIRMWARE_HEADER.size
    end = start + length
    stored = bytes(view[end : end + SHA_SIZE])
    payload = b"" if flags & ondisk.FLAG_AES else bytes(view[start:end])
    return Firmware(
        address=address,
        flags=flags,
        length=length,
        total=length + WRAPPER_SIZE,
        wrapped=True,
        sha256=stored,
        sha_ok=hashlib.sha256(view[address:end]).digest() == stored,
        payload_ok=begins_like_payload(payload),
        banner=read_banner(payload),
        padding=_padding(view, address, length + WRAPPER_SIZE),
    )


def _bare(view: memoryview, address: int) -> Firmware:
    end = _bare_end(view, address)
    payload = bytes(view[address:end])
    return Firmware(
        address=address,
        flags=0,
        length=len(payload),
        total=len(payload),
        wrapped=False,
        sha256=b"",
        sha_ok=False,
        payload_ok=True,
        banner=read_banner(payload),
        padding=0,
    )


def _bare_end(view: memoryview, address: int) -> int:
    """Return where a payload without header ends: at the sectors in front of a long blank run."""
    end = min(len(view), address + ondisk.MOST_PAYLOAD)
    last = address
    for sector in range(address, end, SECTOR):
        piece = bytes(view[sector : sector + SECTOR])
        if piece[0] not in _BLANK or piece.count(piece[0]) < len(piece):
            last = sector
        elif sector - last >= FRAME:
            break
    return min(end, last + SECTOR)


def _padding(view: memoryview, address: int, total: int) -> int:
    """Return how many zeros a flasher added: to a frame's end, else to a sector's, else none."""
    for unit in (FRAME, SECTOR):
        rest = bytes(view[address + total : address + total + -total % unit])
        if rest and len(rest) == -total % unit and not rest.strip(b"\0"):
            return len(rest)
    return 0


def verify(image: Buffer, address: int = 0) -> Firmware:
    """Return the image at ``address``; raises ``FirmwareError`` where header or hash is wrong."""
    firmware = read_firmware(image, address)
    if not firmware.wrapped:
        raise FirmwareError(
            f"the program at {address:#x} has no header, so the chip would not start it",
            kind="header",
            hint="maixfs firmware wrap puts header and hash around it",
        )
    if not firmware.sha_ok:
        raise FirmwareError(
            f"the firmware at {address:#x} is damaged: its SHA-256 is wrong", kind="hash"
        )
    return firmware


def wrap(payload: Buffer, *, dio: bool = False, key: bytes | None = None) -> bytes:
    """Return the image of a payload: header, payload, hash.

    With ``key`` (16 bytes) the payload is padded with zeros to 16 bytes and encrypted. Raises
    ``FirmwareError`` for a payload that is empty or too large and for a wrong key.
    """
    data = bytes(payload)
    if not 0 < len(data) <= ondisk.MOST_PAYLOAD:
        raise FirmwareError(
            f"a payload of {len(data):#x} bytes: 1 to {ondisk.MOST_PAYLOAD:#x} can be",
            kind="length",
        )
    flags = ondisk.FLAG_DIO if dio else 0
    if key is not None:
        from maixfs.firmware.aes import encrypt

        flags |= ondisk.FLAG_AES
        data = encrypt(data, key)
    framed = FIRMWARE_HEADER.pack(flags, len(data)) + data
    return framed + hashlib.sha256(framed).digest()


def unwrap(
    image: Buffer, *, key: bytes | None = None, address: int = 0, force: bool = False
) -> bytes:
    """Return the payload of the image at ``address``, decrypted.

    A decrypted payload keeps the zeros that filled its last 16 bytes. Raises ``FirmwareError``
    as ``verify`` does, for a missing key, and for one with which no program comes out; with
    ``force`` neither hash nor result is looked at.
    """
    firmware = read_firmware(image, address) if force else verify(image, address)
    start = firmware.payload_address
    payload = bytes(memoryview(image).cast("B")[start : start + firmware.length])
    if not firmware.aes:
        return payload
    if key is None:
        raise FirmwareError(f"the firmware at {address:#x} is encrypted: give its key", kind="key")
    from maixfs.firmware.aes import decrypt

    plain = decrypt(payload, key)
    if not force and not begins_like_payload(plain):
        raise FirmwareError("what comes out with this key is no program", kind="key")
    return plain
