"""AES-128-CBC as the K210's ROM has it: no padding scheme, an initial vector of zeros.

The cipher is that of the package ``cryptography``, which only this needs (``maixfs[aes]``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.firmware.errors import FirmwareError
from maixfs.firmware.ondisk import AES_BLOCK

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import CBC

KEY_SIZE = 16


def parse_key(text: str) -> bytes:
    """Return the key that 32 hex digits give; raises ``FirmwareError``."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        raise FirmwareError("a key is 32 hex digits", kind="key") from None
    return _checked(key)


def encrypt(payload: bytes, key: bytes) -> bytes:
    """Return the payload, filled with zeros to whole blocks, encrypted."""
    worker = _cipher(key).encryptor()
    return worker.update(payload.ljust(-(-len(payload) // AES_BLOCK) * AES_BLOCK, b"\0"))


def decrypt(payload: bytes, key: bytes) -> bytes:
    """Return a payload decrypted; raises ``FirmwareError`` for one that is not whole blocks."""
    if len(payload) % AES_BLOCK:
        raise FirmwareError(
            f"an encrypted payload of {len(payload):#x} bytes is not whole blocks of 16",
            kind="length",
        )
    return _cipher(key).decryptor().update(payload)


def _cipher(key: bytes) -> Cipher[CBC]:
    _checked(key)
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    except ImportError as error:
        raise FirmwareError(
            "encrypted firmware needs the package cryptography, which is not installed",
            kind="key",
            hint="pip install 'maixfs[aes]'",
        ) from error
    return Cipher(algorithms.AES(key), modes.CBC(bytes(AES_BLOCK)))


def _checked(key: bytes) -> bytes:
    if len(key) != KEY_SIZE:
        raise FirmwareError(f"a key has 16 bytes (32 hex digits), not {len(key)}", kind="key")
    return key
