"""MicroPython strings are UTF-8 bytes that nobody checks; Python's are code points."""

from __future__ import annotations


def encode(text: str) -> bytes:
    """Return the bytes that MicroPython would hold for ``text``; bytes that ``decode`` kept as
    lone surrogates come back as they were."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def decode(raw: bytes | bytearray) -> str:
    """Return ``raw`` as text; a byte that is no UTF-8 becomes a lone surrogate."""
    return raw.decode("utf-8", "surrogateescape")


def c_string(value: object) -> str:
    """Return a path or mode argument as C code reads it: up to the first NUL.

    Takes ``str`` or ``bytes``; anything else raises ``TypeError``, as in MicroPython.
    """
    if isinstance(value, bytes):
        value = decode(value)
    if not isinstance(value, str):
        raise TypeError(f"can't convert '{type(value).__name__}' object to str implicitly")
    return value.partition("\0")[0]


def same_kind(path: object, text: str) -> str | bytes:
    """Return ``text`` in the type that ``path`` came in: bytes for bytes, else ``str``."""
    return encode(text) if isinstance(path, bytes) else text
