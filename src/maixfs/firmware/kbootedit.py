"""Changes to a configuration sector of Kboot: an entry, and how Kboot starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.errors import UsageError
from maixfs.firmware import kboot
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.nor import Buffer

SECTORS = {"main": kboot.CONFIG_MAIN, "backup": kboot.CONFIG_BACKUP}
"""Addresses of the configurations."""


class ConfigChange(NamedTuple):
    """What to change; ``None`` and ``False`` leave a setting as it is."""

    number: int | None = None
    """The entry, 0 to 7."""
    address: int | None = None
    """Of its application; size and CRC are read from that."""
    name: str | None = None
    active: bool | None = None
    clear: bool = False
    """Remove the entry."""
    silent: bool = False
    """Print nothing at boot and read no pin."""
    boot_pin: int | None = None

    @property
    def has_entry(self) -> bool:
        """Whether a field of the entry changes."""
        return any(value is not None for value in (self.address, self.name, self.active))

    @property
    def has_flags(self) -> bool:
        """Whether it changes how Kboot starts."""
        return self.silent or self.boot_pin is not None

    def check(self) -> None:
        """Raise ``UsageError`` for a change without an entry, a contradiction or no change."""
        if self.number is None and (self.has_entry or self.clear):
            raise UsageError("the number of the entry is missing: 0 to 7")
        if self.clear and self.has_entry:
            raise UsageError("an entry cannot be removed and changed at once")
        if not (self.has_entry or self.clear or self.has_flags):
            raise UsageError("nothing to change")


def changed_config(image: Buffer, sector: bytes, change: ConfigChange) -> bytes:
    """Return a configuration sector with a change applied; ``image`` holds the applications.

    Raises ``UsageError`` as ``ConfigChange.check`` and for an entry that does not exist,
    ``KbootError`` and ``FirmwareError`` for what Kboot would refuse.
    """
    change.check()
    if change.number is not None and change.clear:
        sector = kboot.clear_entry(sector, change.number)
    elif change.number is not None and change.has_entry:
        sector = kboot.set_entry(sector, _entry(image, sector, change.number, change))
    if change.has_flags:
        sector = kboot.set_boot_flags(sector, silent=change.silent, pin=change.boot_pin)
    return sector


def _entry(image: Buffer, sector: bytes, number: int, change: ConfigChange) -> kboot.BootEntry:
    """Return the entry of an application, or the old entry changed."""
    old = kboot.read_config(sector).entries[number]
    name = change.name or (old.name if old.present else "firmware")
    if change.address is not None:
        active = True if change.active is None else change.active
        return kboot.entry_for(image, change.address, name, number=number, active=active)
    if not old.present:
        raise UsageError(
            f"there is no entry {number}", hint="a new entry needs the address of its application"
        )
    return kboot.make_entry(
        number,
        old.address,
        old.size,
        name,
        crc32=old.crc32,
        active=old.active if change.active is None else change.active,
        check_crc=old.check_crc,
        check_sha=old.check_sha,
        check_size=old.check_size,
    )
