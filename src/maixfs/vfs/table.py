"""The mount table: which path belongs to which driver."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

from maixfs.vfs.profile import Profile


class Place(Enum):
    """Where a path leads when it leads to no mounted driver."""

    ROOT = "the virtual root"
    NOWHERE = "no mount"


class Mount:
    """One entry: a driver and the name it is mounted under, as given (leading ``/`` and all).

    Entries are linked as MicroPython links them, so that a listing of ``/`` which is under way
    sees mounts come and go as it does there.
    """

    __slots__ = ("driver", "name", "next")

    def __init__(self, name: str, driver: Any) -> None:
        self.name = name
        self.driver = driver
        self.next: Mount | None = None

    @property
    def is_root(self) -> bool:
        """True for a volume on ``/`` (in fact on any name of one byte)."""
        return len(self.name) == 1 and self.name.isascii()

    @property
    def label(self) -> str:
        """What the listing of ``/`` shows: the name without its first letter, whatever it is."""
        return self.name[1:]

    def tail(self, path: str) -> str | None:
        """Return what this driver gets for ``path`` (no leading ``/``), ``None`` if not its own.

        Only the name itself, followed by ``/`` or nothing, counts: ``..`` is not resolved.
        """
        if not path.startswith(self.label):
            return None
        rest = path[len(self.label) :]
        if rest and not rest.startswith("/"):
            return None
        return rest or "/"


class MountTable:
    """Mounts in order, the one on ``/`` always last, and the current volume."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.first: Mount | None = None
        self.current: Mount | Place = Place.ROOT

    def __iter__(self) -> Iterator[Mount]:
        mount = self.first
        while mount is not None:
            yield mount
            mount = mount.next

    def root_mount(self) -> Mount | None:
        """Return the mount on ``/`` if there is one."""
        return next((mount for mount in self if mount.is_root), None)

    def look_up(self, path: str) -> tuple[Mount | Place, str]:
        """Return whose ``path`` is, and the path inside of it (meaningless at a ``Place``)."""
        absolute = path.startswith("/")
        if not absolute and self.current is not Place.ROOT:
            return self.current, path
        below = path[1:] if absolute else path
        if not below:
            return Place.ROOT, path
        for mount in self:
            if mount.is_root:
                return mount, path
            tail = mount.tail(below)
            if tail is not None:
                return mount, tail
        if absolute or not self.profile.relative_misses_are_root:
            return Place.NOWHERE, path
        return Place.ROOT, path

    def is_free(self, mount: Mount) -> bool:
        """Tell whether ``mount``'s name can be used: nothing there, or only a volume on ``/``."""
        holder, _ = self.look_up(mount.name)
        return isinstance(holder, Place) or (holder.is_root and not mount.is_root)

    def insert(self, mount: Mount) -> None:
        """Put ``mount`` at the end, but before the one on ``/``."""
        before: Mount | None = None
        after = self.first
        while after is not None and not after.is_root:
            before, after = after, after.next
        mount.next = after
        if before is None:
            self.first = mount
        else:
            before.next = mount

    def replace(self, mount: Mount) -> list[str]:
        """Put ``mount`` in the place of the one of its very name, or at the end, behind ``/`` too.

        It becomes the last one: return the names of those that came after the old one.
        """
        before: Mount | None = None
        old = self.first
        while old is not None and old.name != mount.name:
            before, old = old, old.next
        if before is None:
            self.first = mount
        else:
            before.next = mount
        forgotten = []
        after = None if old is None else old.next
        while after is not None:
            forgotten.append(after.name)
            after = after.next
        return forgotten

    def remove(self, mount: Mount) -> None:
        """Take ``mount`` out; the current volume becomes ``/`` if it was this one."""
        if self.first is mount:
            self.first = mount.next
        for other in self:
            if other.next is mount:
                other.next = mount.next
        if self.current is mount:
            self.current = Place.ROOT
