"""How sizes, addresses, shares and names are written for a person."""

from __future__ import annotations


def size_text(size: int) -> str:
    """Return a size in bytes as ``512 B``, ``1.5 KiB``, ``3.0 MiB``."""
    if abs(size) < 1024:
        return f"{size} B"
    amount, unit = size / 1024, "KiB"
    for larger in ("MiB", "GiB"):
        if abs(amount) >= 1023.95:
            amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}"


def unit_text(size: int) -> str:
    """Return a size that is exact in some unit in that: ``3 MiB``, ``128 KiB``, ``256 bytes``."""
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if size and size % unit == 0:
            return f"{size // unit} {name}"
    return count_text(size, "byte")


def hex_text(address: int) -> str:
    """Return an address as ``0xD00000``."""
    return f"0x{address:06X}"


def count_text(count: int, one: str, many: str | None = None) -> str:
    """Return ``1 file``, ``5 files``."""
    return f"{count} {one}" if count == 1 else f"{count} {many or one + 's'}"


def percent_text(part: int, whole: int) -> str:
    """Return a share as ``41 %``; what is there but rounds to nothing is ``<1 %``."""
    if whole <= 0 or part <= 0:
        return "0 %"
    share = part * 100 // whole
    return f"{share} %" if share else "<1 %"


def printable(text: str) -> str:
    r"""Return ``text`` with all that a terminal would obey or cannot show as escapes.

    Bytes that are no UTF-8 (surrogate escapes) and ASCII controls become ``\xNN``, other
    characters that do not print ``\uNNNN``.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(ord(char)) for char in text)


def _escaped(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def as_escapes(error: UnicodeError) -> tuple[str, int]:
    """Handle what a stream cannot encode: the bytes of UTF-8 as ``\\xNN``.

    So a path can be given back as it was shown. For ``codecs.register_error``.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    raw = error.object[error.start : error.end].encode("utf-8", "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in raw), error.end


def cell_width(text: str) -> int:
    """Return the columns that ``text`` takes on a terminal."""
    if all(letter < "\u0300" or "\u2500" <= letter <= "\u259f" for letter in text):
        return len(text)  # Latin letters, and what trees and bars are drawn with
    from rich.cells import cell_len

    return cell_len(text)
