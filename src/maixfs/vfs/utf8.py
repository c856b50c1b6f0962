"""Reading a number of characters from a stream of bytes without ever reading too far."""

from __future__ import annotations

from collections.abc import Callable


def character_length(first: int) -> int:
    """Return how many bytes MicroPython takes a character to have, going by its first byte.

    A byte that starts no character counts for five.
    """
    if first < 0x80:
        return 1
    if first & 0xE0 == 0xC0:
        return 2
    if first & 0xF0 == 0xE0:
        return 3
    return 4 if first & 0xF8 == 0xF0 else 5


def read_characters(fill: Callable[[int], bytes | bytearray], count: int) -> bytearray:
    """Return ``count`` characters as bytes; ``fill`` reads so many bytes, fewer only at the end.

    A character has at least one byte, so as many bytes as characters are missing can always be
    read; what they leave incomplete says how many more there must be.
    """
    text = bytearray()
    start = 0
    missing = count
    while missing:
        piece = fill(missing)
        text += piece
        if not piece:
            break
        while start < len(text):
            length = character_length(text[start])
            if start + length > len(text):
                missing = start + length - len(text) + count - 1
                break
            start += length
            count -= 1
            missing = count
    return text
