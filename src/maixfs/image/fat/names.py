r"""Names and times of FAT as paths show them.

A name is Unicode. What does not print, and halves of surrogate pairs that stand alone, is shown
as the bytes of its UTF-8, ``\xNN`` each, as everywhere in targets.
"""

from __future__ import annotations

from datetime import datetime

from maixfs.errors import UsageError
from maixfs.fat.entries import pack_time, unpack_time
from maixfs.image.names import Parts, parse, show


def shown(name: str) -> str:
    """Return a FAT name as a part of a path."""
    return name if name.isprintable() else show(name.encode("utf-8", "surrogatepass"))


def meant(part: str) -> str:
    """Return the FAT name that a part of a path means; raises ``UsageError`` for no text."""
    if "\\" not in part:
        return part
    try:
        return parse(part).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise UsageError(
            f"{part}: a name on a card is text, and these bytes are no UTF-8",
            hint="give the copy another name",
        ) from None


def path_of(parts: Parts) -> str:
    """Return the path of parts as the driver takes it."""
    return "/" + "/".join(map(meant, parts))


def to_datetime(date: int, time: int) -> datetime | None:
    """Return a date and a time word as a time; ``None`` for what is none, such as all zeros."""
    try:
        return datetime(*unpack_time(date, time))
    except ValueError:
        return None


def from_datetime(moment: datetime) -> tuple[int, int]:
    """Return a time as a date and a time word; what FAT cannot say is held at its ends."""
    year, month, day, hour, minute, second, *_ = moment.timetuple()
    return pack_time(year, month, day, hour, minute, second)
