"""The flash chips of K210 boards, as data (``parts.toml``): ids, sizes, times, sources.

A new chip is one entry in that file; no code changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from maixfs.nor.errors import invalid


@dataclass(frozen=True, slots=True)
class Times:
    """Busy times of a chip, in microseconds.

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

    ``jedec`` are the 3 bytes of the answer to command 0x9F, ``device`` the 2 of command 0x90.
    ``size`` is in bytes, ``voltage`` in volts, ``max_hz`` the fastest SPI clock, ``endurance``
    in erases per sector. ``times_source`` and ``ids_source`` name the sources of the numbers;
    ``times_are_own`` is False if the times are those of another chip.
    """

    name: str
    aliases: tuple[str, ...]
    jedec: bytes
    device: bytes
    size: int
    voltage: str
    typical: Times
    maximum: Times
    max_hz: int
    endurance: int
    times_source: str
    ids_source: str
    times_are_own: bool

    def times(self, profile: str) -> Times:
        """Return the times of ``profile``, ``typical`` or ``maximum``.

        Raises ``NorError`` (EINVAL) for another name.
        """
        if profile == "typical":
            return self.typical
        if profile == "maximum":
            return self.maximum
        raise invalid(f"no times called {profile!r}", hint="use typical or maximum")

    def resized(self, size: int) -> Part:
        """Return this part with ``size`` bytes.

        Its chip erase time is in proportion to the size.
        """
        if size == self.size:
            return self
        # The capacity byte of both ids is a logarithm, so an odd size is rounded up to the next
        # power of two. Command 0x90 gives it less one, as W25Q chips do.
        capacity = (size - 1).bit_length()
        return replace(
            self,
            name=f"{self.name} ({size // 1024} KiB)",
            aliases=(),
            jedec=self.jedec[:2] + bytes([capacity]),
            device=self.device[:1] + bytes([capacity - 1]),
            size=size,
            typical=_scaled(self.typical, size, self.size),
            maximum=_scaled(self.maximum, size, self.size),
        )


def _scaled(times: Times, size: int, old_size: int) -> Times:
    return replace(times, chip=max(times.sector, times.chip * size // old_size))


@cache
def parts() -> tuple[Part, ...]:
    """Return all known parts, in the order of the table."""
    table = _table()
    return tuple(_part(row, table) for row in table["part"])


@cache
def _table() -> dict[str, Any]:
    import tomllib  # not at the top: most commands never ask for a part

    return tomllib.loads(Path(__file__).with_name("parts.toml").read_text(encoding="utf-8"))


def _part(row: dict[str, Any], table: dict[str, Any]) -> Part:
    # A part has only the times that a source gives; [stand_in] fills the others one by one.
    stand_in, source = table["stand_in"], table["source"]
    return Part(
        name=row["name"],
        aliases=tuple(row.get("aliases", ())),
        jedec=bytes.fromhex(row["jedec"]),
        device=bytes.fromhex(row["device"]),
        size=row["size"],
        voltage=row["voltage"],
        typical=Times(**{**stand_in["typical"], **row.get("typical", {})}),
        maximum=Times(**{**stand_in["maximum"], **row.get("maximum", {})}),
        max_hz=row.get("max_hz", stand_in["max_hz"]),
        endurance=row.get("endurance", stand_in["endurance"]),
        times_source=source[row.get("times", stand_in["source"])],
        ids_source=f"{source[row['ids']]}; {source['convention']}",
        times_are_own="times" in row,
    )


def default_part() -> Part:
    """Return the part of a board that names no other."""
    name: str = _table()["default"]
    return find_part(name)


def part_for(size: int) -> Part:
    """Return the usual part for a chip of ``size`` bytes.

    The default part if it has that size, else the first of the table that has it, else the
    default part with its size changed.
    """
    # The default first, although others in the table have its size: most boards carry it.
    default = default_part()
    if default.size == size:
        return default
    return next((part for part in parts() if part.size == size), default.resized(size))


def find_part(name: str) -> Part:
    """Return the part with a name or alias, in any case; raises ``NorError`` (EINVAL)."""
    wanted = name.lower()
    for part in parts():
        if wanted == part.name.lower() or wanted in (alias.lower() for alias in part.aliases):
            return part
    known = ", ".join(part.name for part in parts())
    raise invalid(f"no flash chip called {name!r} is known", hint=f"known are {known}")


def identify(jedec: bytes) -> Part | None:
    """Return the part with the 3-byte JEDEC id of command 0x9F, or ``None``."""
    return next((part for part in parts() if part.jedec == jedec), None)
