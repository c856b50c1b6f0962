"""Firmware images: the container that the K210's ROM loads from its flash (docs/SPEC.md, 25).

A flasher puts flags, length and a SHA-256 around a program, optionally encrypted with AES-128.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from maixfs.errors import ImageError
from maixfs.nor import Buffer
from maixfs.record import Record, field
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import CBC

FLAG_AES = 0x01
"""The payload is encrypted with AES-128-CBC."""
FLAG_DIO = 0x02
"""Written for dual I/O mode of the flash; newer flashers set it by default."""
_FLAGS_KNOWN = FLAG_AES | FLAG_DIO
MAX_PAYLOAD = 0x600000
"""Bytes; the ROM loads the payload into the chip's 6 MiB of general memory."""
LOAD_ADDRESS = 0x80000000
"""Where the ROM loads the payload and starts it."""
SHA_SIZE = 32
AES_BLOCK = 16
KEY_SIZE = 16
_SECTOR = 0x1000
FRAME = 0x10000
"""Pieces in which some flashers send a file, the last one filled with zeros."""
_BLANK = (0x00, 0xFF)


class FirmwareHeader(Record):
    """In front of a payload; behind it comes the SHA-256 of header and payload."""

    flags: int = field("B", "bit 0: AES-128-CBC, bit 1: DIO; others 0")
    length: int = field("I", "bytes of the payload as stored")


WRAPPER_SIZE = FirmwareHeader.size + SHA_SIZE
"""Bytes that wrapping adds to a payload: header in front, hash behind."""


class FirmwareError(ImageError):
    """There is no firmware image, or the ROM would not start it.

    ``kind`` says why: ``blank``, ``zero``, ``cut``, ``flags``, ``length``, ``header`` (a payload
    without one), ``hash``, ``key``.
    """

    def __init__(self, message: str, *, kind: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


# Product and version, found in the payload

_START_MARK = b"\xef\xbe\xad\xde"
_MARK_OFFSETS = (2, 4)
"""Behind the first jump: the standalone SDK's start code has the mark at 2, FreeRTOS' at 4."""
_COMPRESSED_JUMP = b"\x21"
_JUMP = 0x6F
"""Low byte of a ``jal``, with which start codes without the mark begin (Kboot's)."""
# The signs are found by bytes.find, which takes a tenth of the time of a search by expression.
_LINES = (
    (b"MicroPython ", rb"MicroPython [ -~]{1,100}[Kk]endryte-[Kk]210"),
    (b"Kboot_v", rb"Kboot_v[0-9.]{1,15}"),
)
_BUILT = rb"[ -~]{1,60} on 20[0-9]{2}-[0-9]{2}-[0-9]{2}(?=\0)"
_BUILT_SIGN = b" on 20"
_MAX_SIGNS = 64
_PRODUCTS = (
    (b"krux/", "Krux"),
    (b"FreeRTOS by LoBo v", "MicroPython by LoBo"),
    (b"CanMV", "CanMV"),
    (b"[MaixPy]", "MaixPy"),
    (b"[MAIXPY]", "MaixPy"),
    (b"Kboot_v", "Kboot"),
)
_VERSION = r"v?\d+\.\d+(?:\.\d+)?(?:-[\w.-]+)?"


class Banner(NamedTuple):
    """Product and version of a payload; texts are empty if nothing was found."""

    product: str
    """``MaixPy``, ``Krux``, ``MicroPython by LoBo``, ``CanMV``, ``Kboot``."""
    text: str
    """The line that the firmware prints, or the version with its date."""

    @property
    def version(self) -> str:
        """The version alone, as ``v0.6.3-2-gd8901fd22``."""
        match = re.search(_VERSION, self.text)
        return match.group() if match else ""

    def __str__(self) -> str:
        if not self.product or self.product.split()[0] in self.text:
            return self.text or self.product
        return f"{self.product}, {self.text}" if self.text else self.product


def has_start_mark(payload: bytes) -> bool:
    """Return True if bytes begin with an SDK's start code: a jump, and DEADBEEF behind it."""
    return payload[:1] == _COMPRESSED_JUMP and any(
        payload.startswith(_START_MARK, offset) for offset in _MARK_OFFSETS
    )


def begins_like_payload(payload: bytes) -> bool:
    """Return True if bytes begin with a jump, as programs for the K210 do."""
    plain_jump = len(payload) > 1 and payload[0] == _JUMP and not payload[1] & 0x0F
    return plain_jump or has_start_mark(payload)


def read_banner(payload: bytes) -> Banner:
    """Search a payload that is not encrypted for its product and version."""
    product = next((name for sign, name in _PRODUCTS if sign in payload), "")
    text = next(_lines(payload), b"") or _built(payload)
    return Banner(product, text.decode("ascii"))


def _lines(payload: bytes) -> Iterator[bytes]:
    """Yield what the firmware prints when it starts."""
    for sign, line in _LINES:
        at = payload.find(sign)
        while at >= 0:
            match = re.compile(line).match(payload, at)
            if match:
                yield match.group()
            at = payload.find(sign, at + 1)


def _built(payload: bytes) -> bytes:
    """Return a version with its date, as ``uos.uname`` has it."""
    at = -1
    for _ in range(_MAX_SIGNS):
        at = payload.find(_BUILT_SIGN, at + 1)
        if at < 0:
            break
        start = max(payload.rfind(b"\0", 0, at) + 1, at - 60)
        match = re.compile(_BUILT).match(payload, start)
        if match:
            return match.group()
    return b""


# Encryption


def parse_key(text: str) -> bytes:
    """Return the AES key that 32 hex digits stand for; raises ``FirmwareError``."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        raise FirmwareError("a key is 32 hex digits", kind="key") from None
    return _checked_key(key)


def encrypt(payload: bytes, key: bytes) -> bytes:
    """Return the payload, padded with zeros to whole blocks, encrypted."""
    worker = _cipher(key).encryptor()
    return worker.update(payload.ljust(-(-len(payload) // AES_BLOCK) * AES_BLOCK, b"\0"))


def decrypt(payload: bytes, key: bytes) -> bytes:
    """Return a payload decrypted; raises ``FirmwareError`` unless it is whole blocks."""
    if len(payload) % AES_BLOCK:
        raise FirmwareError(
            f"an encrypted payload of {len(payload):#x} bytes is not whole blocks of {AES_BLOCK}",
            kind="length",
        )
    return _cipher(key).decryptor().update(payload)


def _cipher(key: bytes) -> Cipher[CBC]:
    """Return AES-128-CBC as the K210's ROM uses it: an initial vector of zeros, no padding."""
    _checked_key(key)
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    except ImportError as error:
        raise FirmwareError(
            "encrypted firmware needs the package cryptography, which is not installed",
            kind="key",
            hint="pip install 'maixfs[aes]'",
        ) from error
    return Cipher(algorithms.AES(key), modes.CBC(bytes(AES_BLOCK)))


def _checked_key(key: bytes) -> bytes:
    if len(key) != KEY_SIZE:
        raise FirmwareError(f"a key has 16 bytes (32 hex digits), not {len(key)}", kind="key")
    return key


# Reading and writing


class Firmware(NamedTuple):
    """A firmware image in a chip or a file; sizes in bytes."""

    address: int
    flags: int
    length: int
    """Of the payload as stored."""
    total: int
    """Header, payload and hash; only the payload if it has no header."""
    wrapped: bool
    """Whether it has header and hash; the ROM starts nothing else."""
    sha256: bytes
    """As stored; empty without header."""
    sha_ok: bool
    payload_ok: bool
    """Whether the payload begins as programs for the K210 do; unknown (false) with AES."""
    banner: Banner
    padding: int
    """Zeros behind the image that the flasher added, up to 4 KiB or 64 KiB."""

    @property
    def aes(self) -> bool:
        """Whether the payload is encrypted."""
        return self.wrapped and bool(self.flags & FLAG_AES)

    @property
    def dio(self) -> bool:
        """Whether the DIO flag is set."""
        return self.wrapped and bool(self.flags & FLAG_DIO)

    @property
    def end(self) -> int:
        """One past the last byte of image and padding."""
        return self.address + self.total + self.padding

    @property
    def payload_address(self) -> int:
        """Address of the payload's first byte."""
        return self.address + (FirmwareHeader.size if self.wrapped else 0)


def read_firmware(image: Buffer, address: int = 0) -> Firmware:
    """Read the firmware image at ``address``; its hash may be wrong (``sha_ok``).

    A payload without header is recognised by its first bytes; it ends where erased or zero
    sectors begin. Raises ``FirmwareError`` if there is neither.
    """
    view = memoryview(image).cast("B")
    head = _head(view, address)
    flags, length = FirmwareHeader.unpack(head)
    # A bare payload reads as flags 0x21 and a length of 2.9 GB, so it is recognised first.
    if has_start_mark(head):
        return _bare(view, address)
    where = f"no firmware at {address:#x}: "
    if flags & ~_FLAGS_KNOWN:
        raise FirmwareError(f"{where}flags {flags:#04x}, only 0 to 3 are known", kind="flags")
    if not 0 < length <= MAX_PAYLOAD:
        raise FirmwareError(
            f"{where}length {length:#x} is not from 1 to {MAX_PAYLOAD:#x}", kind="length"
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
    if len(head) < FirmwareHeader.size:
        raise FirmwareError(f"no firmware at {address:#x}: the image ends there", kind="cut")
    return head


def _wrapped(view: memoryview, address: int, flags: int, length: int) -> Firmware:
    start = address + FirmwareHeader.size
    end = start + length
    stored = bytes(view[end : end + SHA_SIZE])
    # Nothing can be read from an encrypted payload: no start code, no banner.
    payload = b"" if flags & FLAG_AES else bytes(view[start:end])
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
    """Return where a payload without header ends: before the first 64 KiB that are blank."""
    end = min(len(view), address + MAX_PAYLOAD)
    # Nothing marks the end. Programs have blank sectors inside, so only 64 KiB of them end one.
    last = address
    for sector in range(address, end, _SECTOR):
        piece = bytes(view[sector : sector + _SECTOR])
        if piece[0] not in _BLANK or piece.count(piece[0]) < len(piece):
            last = sector
        elif sector - last >= FRAME:
            break
    return min(end, last + _SECTOR)


def _padding(view: memoryview, address: int, total: int) -> int:
    """Return how many zeros a flasher added, up to the end of a frame or a sector."""
    # Kendryte's kflash.py pads to 64 KiB, Sipeed's to 4 KiB, kflash from PyPI not at all.
    for unit in (FRAME, _SECTOR):
        rest = bytes(view[address + total : address + total + -total % unit])
        if rest and len(rest) == -total % unit and not rest.strip(b"\0"):
            return len(rest)
    return 0


def verify(image: Buffer, address: int = 0) -> Firmware:
    """Return the image at ``address``; raises ``FirmwareError`` where header or hash is wrong."""
    return _checked(read_firmware(image, address))


def _checked(firmware: Firmware) -> Firmware:
    address = firmware.address
    if not firmware.wrapped:
        raise FirmwareError(
            f"the program at {address:#x} has no header, so the chip would not start it",
            kind="header",
            hint="wrap it: header and hash go around it",
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
    if not 0 < len(data) <= MAX_PAYLOAD:
        raise FirmwareError(
            f"a payload of {len(data):#x} bytes is not from 1 to {MAX_PAYLOAD:#x}",
            kind="length",
        )
    flags = FLAG_DIO if dio else 0
    if key is not None:
        flags |= FLAG_AES
        data = encrypt(data, key)
    # Length and hash are those of the ciphertext, so they can be checked without the key.
    framed = FirmwareHeader(flags, len(data)).pack() + data
    return framed + hashlib.sha256(framed).digest()


def unwrap(
    image: Buffer, *, key: bytes | None = None, address: int = 0, force: bool = False
) -> bytes:
    """Return the payload of the image at ``address``, decrypted.

    A decrypted payload keeps the zeros that padded its last 16 bytes. Raises ``FirmwareError``
    as ``verify`` does, and for a missing or wrong key; with ``force`` neither the hash nor the
    decrypted program is checked.
    """
    firmware = read_firmware(image, address) if force else verify(image, address)
    start = firmware.payload_address
    payload = bytes(memoryview(image).cast("B")[start : start + firmware.length])
    if not firmware.aes:
        return payload
    if key is None:
        raise FirmwareError(
            f"the firmware at {address:#x} is encrypted: its key is needed", kind="key"
        )
    plain = decrypt(payload, key)
    if not force and not begins_like_payload(plain):
        raise FirmwareError("the key is wrong: no program comes out with it", kind="key")
    return plain


class BootVerdict(NamedTuple):
    """Whether a board starts from its flash, and why not."""

    ok: bool
    reason: str
    """A sentence."""
    kind: str
    """``ok``, ``encrypted``, or the kind of a ``FirmwareError``."""
    firmware: Firmware | None


def check_boot_area(image: Buffer, known: Firmware | None = None) -> BootVerdict:
    """Return whether the ROM starts the firmware at address 0; raises nothing.

    ``known`` is the firmware there, if ``read_firmware`` returned it before. What the ROM checks
    is not documented; a wrong hash is assumed to stop it. Encrypted firmware counts as good,
    because only the chip that holds the key can check it.
    """
    try:
        firmware = _checked(known or read_firmware(image))
    except FirmwareError as error:
        reason = f"{error}; the chip waits for a flasher (ISP) instead"
        return BootVerdict(False, reason, error.kind, None)
    if firmware.aes:
        reason = "the firmware is encrypted: it starts on a chip that has its key"
        return BootVerdict(True, reason, "encrypted", firmware)
    name = str(firmware.banner) or "the firmware"
    return BootVerdict(True, f"{name} starts, {firmware.length:#x} bytes", "ok", firmware)
