"""Volume labels: eleven bytes of code page 437, in upper case."""

from __future__ import annotations

from maixfs.fat.codepage import oem_to_unicode, unicode_to_oem, upcase
from maixfs.fat.errors import FResult, fat_error

NO_LABEL = b"NO NAME    "
"""What stands in the boot sector of a volume without a label."""
LABEL_LENGTH = 11
_FORBIDDEN = frozenset(b'+.,;=[]/\\"*:<>?|\x7f') | frozenset(range(0x20))


def label_bytes(label: str | bytes) -> bytes:
    """Return ``label`` as it lies on a card: padded, in upper case; spaces alone for none.

    Raises ``FatError`` (``INVALID_NAME``) for more than 11 characters, for one that code page
    437 does not have or a label cannot hold, and for a space in front. Letters beyond ASCII are
    right on FAT, but fsck.fat 4.2 takes them for control characters.
    """
    text = oem_to_unicode(label) if isinstance(label, bytes) else label
    text = text.rstrip(" ")
    oem = unicode_to_oem(upcase(text))
    if oem is None:
        raise _no_label(text, "has a character that code page 437 does not have")
    if len(oem) > LABEL_LENGTH:
        raise _no_label(text, f"has {len(oem)} characters, and a label has {LABEL_LENGTH} at most")
    if oem[:1] == b" ":
        raise _no_label(text, "begins with a space")
    bad = next((byte for byte in oem if byte in _FORBIDDEN), None)
    if bad is not None:
        raise _no_label(text, f"{chr(bad)!r} cannot be in a label")
    return oem.ljust(LABEL_LENGTH)


def label_text(label: bytes) -> str:
    """Return the label that eleven bytes of a card are, without its padding."""
    return "" if label == NO_LABEL else oem_to_unicode(label.rstrip(b" \0"))


def _no_label(label: str, what: str) -> Exception:
    return fat_error(FResult.INVALID_NAME, f"label {label!r}", what)
