"""The chips that K210 boards carry, as data: ids, sizes, times, each with its source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from maixfs.nor.errors import NorError

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Times:
    """How long a chip is busy, in microseconds.

    ``page`` is a page program, ``status`` a write of the status registers, the others erases.
    """

    page: int
    sector: int
    block32: int
    block64: int
    chip: int
    status: int


@dataclass(frozen=True, slots=True)
class Part:
    """A type of flash chip.

    ``jedec`` are the 3 bytes that command 0x9F gives, ``device`` the 2 of command 0x90.
    ``size`` is in bytes, ``max_hz`` the fastest SPI clock, ``endurance`` in erases per sector.
    ``sources`` maps a field to where its value comes from; what is not in it comes from the
    table's stand-in values.
    """

    name: str
    jedec: bytes
    device: bytes
    size: int
    voltage: str
    typical: Times
    maximum: Times
    max_hz: int
    endurance: int
    sources: dict[str, str]

    def times(self, profile: str) -> Times:
        """Return the times of ``profile``: ``typical`` or ``maximum``; raises ``NorError``."""
        if profile == "typical":
            return self.typical
        if profile == "maximum":
            return self.maximum
        raise NorError(f"no times called {profile!r}", hint="say typical or maximum")

    def resized(self, size: int) -> Part:
        """Return a part of the same make with ``size`` bytes (its ids say so, as ids do)."""
        if size == self.size:
            return self
        capacity = max(size - 1, 0).bit_length()
        return replace(
            self,
            name=f"{self.name} cut to {size // 1024} KiB",
            jedec=self.jedec[:2] + bytes([capacity]),
            device=self.device[:1] + bytes([max(capacity - 1, 0)]),
            size=size,
            typical=_chip_time(self.typical, self.size, size),
            maximum=_chip_time(self.maximum, self.size, size),
        )


def _chip_time(times: Times, old: int, new: int) -> Times:
    """Return ``times`` with the chip erase in proportion to the size."""
    return replace(times, chip=max(times.sector, times.chip * new // old))


@cache
def parts() -> tuple[Part, ...]:
    """Return all known parts."""
    table = _table()
    return tuple(_part(row, table["stand_in"]) for row in table["part"])


@cache
def _table() -> dict[str, Any]:
    import tomllib
    from importlib import resources

    text = resources.files(__package__).joinpath("parts.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _part(row: dict[str, Any], stand_in: dict[str, Any]) -> Part:
    return Part(
        name=row["name"],
        jedec=bytes.fromhex(row["jedec"]),
        device=bytes.fromhex(row["device"]),
        size=row["size"],
        voltage=row["voltage"],
        typical=Times(**{**stand_in["typical"], **row.get("typical", {})}),
        maximum=Times(**{**stand_in["maximum"], **row.get("maximum", {})}),
        max_hz=row.get("max_hz", stand_in["max_hz"]),
        endurance=row.get("endurance", stand_in["endurance"]),
        sources=row.get("sources", {}),
    )


@cache
def default_part() -> Part:
    """Return the part that a board has unless it says otherwise."""
    return find_part(_table()["default"])


def find_part(name: str) -> Part:
    """Return the part called ``name`` (case does not matter); raises ``NorError``."""
    for part in parts():
        if part.name.lower() == name.lower():
            return part
    known = ", ".join(part.name for part in parts())
    raise NorError(f"no flash chip called {name!r} is known", hint=f"known are {known}")


def identify(jedec: bytes) -> Part | None:
    """Return the part with the 3-byte JEDEC id, or ``None``."""
    for part in parts():
        if part.jedec == jedec:
            return part
    return None
