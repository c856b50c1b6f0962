"""The mount table and the calls of ``uos``: each finds the mount of a path and asks its driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, overload

from maixfs.vfs.driver import S_IFDIR, ImportStat, NativeDriver, import_stat
from maixfs.vfs.errors import Errno, VfsError
from maixfs.vfs.files import StreamFile, c_string, same_kind
from maixfs.vfs.profile import Profile, profile_of

# The mount table


class Place(Enum):
    """Where a path leads when it leads to no mounted driver."""

    ROOT = "the virtual root"
    NOWHERE = "no mount"


class Mount:
    """One entry: a driver and its mount point as given (leading ``/`` included).

    Entries are linked as MicroPython links them, so that a listing of ``/`` in progress sees
    mounts come and go as it does there.
    """

    __slots__ = ("driver", "name", "next")

    def __init__(self, name: str, driver: Any) -> None:
        self.name = name
        self.driver = driver
        self.next: Mount | None = None

    @property
    def is_root(self) -> bool:
        """True for a volume on ``/``: MicroPython takes any name of one byte for that."""
        return len(self.name) == 1 and self.name.isascii()

    @property
    def label(self) -> str:
        """The name in the listing of ``/``: without its first letter, whatever that is."""
        return self.name[1:]

    def tail(self, path: str) -> str | None:
        """Return what this driver gets for ``path`` (no leading ``/``), ``None`` if not its own.

        Only the name itself, followed by ``/`` or nothing, matches: ``..`` is not resolved.
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
        """Return the mount on ``/``, if there is one."""
        return next((mount for mount in self if mount.is_root), None)

    def look_up(self, path: str) -> tuple[Mount | Place, str]:
        """Return the mount of ``path`` and the path inside it (meaningless at a ``Place``)."""
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
        # v1.11 answers a relative name that matches no mount with the current volume, which is
        # the virtual root here: listdir("nope") lists "/".
        if absolute or not self.profile.relative_misses_are_root:
            return Place.NOWHERE, path
        return Place.ROOT, path

    def is_free(self, mount: Mount) -> bool:
        """Return True if ``mount``'s name leads to nothing, or only to a volume on ``/``."""
        # A look-up compares whole path components from the left: "/a/below" collides with "/a".
        holder, _ = self.look_up(mount.name)
        return isinstance(holder, Place) or (holder.is_root and not mount.is_root)

    def insert(self, mount: Mount) -> None:
        """Put ``mount`` at the end, but before the one on ``/``."""
        # A look-up takes the first match, and "/" matches every path: it has to stay last.
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
        """Put ``mount`` in the place of the one with the same name, or at the very end.

        As MaixPy links it, nothing follows it: the mounts after the old one are lost, and a new
        one comes even after ``/``. Return the names of the lost ones.
        """
        before: Mount | None = None
        old = self.first
        while old is not None and old.name != mount.name:
            before, old = old, old.next
        if before is None:
            self.first = mount
        else:
            before.next = mount
        lost = []
        after = None if old is None else old.next
        while after is not None:
            lost.append(after.name)
            after = after.next
        return lost

    def remove(self, mount: Mount) -> None:
        """Take ``mount`` out; ``/`` becomes the current volume if it was this one."""
        if self.first is mount:
            self.first = mount.next
        for other in self:
            if other.next is mount:
                other.next = mount.next
        if self.current is mount:
            self.current = Place.ROOT


# The calls


class Vfs:
    """A board's mount table and the calls that go through it.

    ``profile`` is ``maixpy`` (v1.11, the firmware's) or ``modern``. A driver is any object with
    the methods ``mount``, ``umount``, ``open``, ``ilistdir``, ``chdir``, ``getcwd``, ``mkdir``,
    ``rmdir``, ``remove``, ``rename``, ``stat`` and ``statvfs``; a missing method raises
    ``AttributeError`` when it is called. Paths are ``str`` or ``bytes`` and end at a NUL;
    another type raises ``TypeError``. Every other failure raises ``VfsError``; what a program's
    own driver or block device raises passes through.

    ``block_driver`` makes the driver of a block device that is mounted as it is: a ``VfsFat``
    unless given. ``check`` is called at the start of each call that ``uos`` has; what it raises
    passes through (a board raises there after its power went off).
    """

    def __init__(
        self,
        profile: str = "maixpy",
        *,
        block_driver: Callable[[Any], Any] | None = None,
        check: Callable[[], object] = lambda: None,
    ) -> None:
        self.profile = profile_of(profile)
        self._block_driver = block_driver or self._vfs_fat
        self._check = check
        self._table = MountTable(self.profile)

    # What a board does with the table

    def mounts(self) -> list[tuple[str, Any]]:
        """Return the mounts in order: (name as given, driver)."""
        return [(mount.name, mount.driver) for mount in self._table]

    def attach(self, driver: Any, path: str) -> None:
        """Put a driver into the table without calling it, as the firmware's boot does."""
        self._put(Mount(path, driver))

    def replace(self, driver: Any, path: str) -> list[str]:
        """Put a driver in the place of the mount called ``path``, or at the end; do not call it.

        As MaixPy does with a card, all mounts that came after the old one are lost. Return their
        names.
        """
        return self._table.replace(Mount(path, driver))

    def enter(self, path: str) -> None:
        """Make the mount called ``path`` the current volume, without calling its driver."""
        for mount in self._table:
            if mount.name == path:
                self._table.current = mount

    def open_native(self, path: str) -> Any:
        """Open a file for reading bytes where the firmware does so for itself.

        It only knows its own file systems: ENOENT on a volume that a program wrote.
        """
        place, inside = self._table.look_up(c_string(path))
        if isinstance(place, Place) or not isinstance(place.driver, NativeDriver):
            raise VfsError(Errno.ENOENT)
        return place.driver.open(inside, "rb")  # type: ignore[attr-defined]

    def import_stat(self, path: str) -> ImportStat:
        """Return what ``import`` finds at ``path``; a missing file is not an error."""
        place, inside = self._table.look_up(c_string(path))
        if isinstance(place, Place):
            return ImportStat.NONE
        return import_stat(place.driver, inside)

    def collect(self) -> int:
        """Close dropped files on all mounts, as ``gc.collect()`` does on the board.

        Return their number. Until then they stay open, and their buffers are not written.
        """
        drivers = [mount.driver for mount in self._table]
        return sum(driver.collect() for driver in drivers if isinstance(driver, NativeDriver))

    def _vfs_fat(self, device: Any) -> Any:
        from maixfs.vfs.fat import FatOptions, VfsFat

        return VfsFat(device, options=FatOptions(self.profile.name))

    def _put(self, mount: Mount) -> None:
        if not mount.name:
            # v1.11 reads past its table here and dies.
            raise VfsError(Errno.EINVAL)
        if not self._table.is_free(mount):
            raise VfsError(Errno.EPERM)
        self._table.insert(mount)

    # The calls of uos

    @overload
    def mount(self) -> list[tuple[Any, str]]: ...
    @overload
    def mount(self, fs: Any, path: Any, /, *, readonly: Any = ..., mkfs: Any = ...) -> None: ...
    def mount(
        self, *arguments: Any, readonly: Any = False, mkfs: Any = False
    ) -> list[tuple[Any, str]] | None:
        """Mount ``fs``, a driver or a block device, at ``path``.

        The driver's own ``mount`` runs first, and with it a ``mkfs``, even if the place then
        turns out to be in use (EPERM): v1.11 checks last. Current releases return the mounts as
        (driver, path) if there are no arguments; in v1.11 that is a ``TypeError``.
        """
        self._check()
        if not arguments and self.profile.mount_lists:
            return [(mount.driver, mount.name) for mount in self._table]
        if len(arguments) < 2:
            # Current releases crash with one argument: they do not count them any more.
            missing = 2 - len(arguments)
            raise TypeError(f"function missing {missing} required positional arguments")
        if len(arguments) > 2:
            raise TypeError("extra positional arguments given")
        fs, path = arguments
        name = c_string(path)
        # A driver is known by its "mount" method; everything else counts as a block device.
        driver = fs if hasattr(fs, "mount") else self._block_driver(fs)
        driver.mount(readonly, mkfs)
        self._put(Mount(name, driver))
        return None

    def umount(self, path_or_fs: Any, /) -> None:
        """Unmount by the exact name that was given to ``mount``, or by the driver itself.

        EINVAL if there is no such mount, whatever the type of the argument. The entry is removed
        even if the driver's ``umount`` then fails.
        """
        self._check()
        for mount in self._table:
            named = isinstance(path_or_fs, str) and mount.name == path_or_fs
            if named or mount.driver is path_or_fs:
                self._table.remove(mount)
                mount.driver.umount()
                return
        raise VfsError(Errno.EINVAL)

    def open(self, file: Any, mode: Any = "r", buffering: int = -1, encoding: Any = None) -> Any:
        """Open a file; ``buffering`` and ``encoding`` are ignored, as on the board."""
        del encoding
        # The only argument that v1.11 converts, and therefore checks, although it is not used.
        if not isinstance(buffering, int):
            raise TypeError("can't convert to int")
        place, path = self._find(file)
        opened = _driver(place).open(path, mode)
        if isinstance(opened, StreamFile):
            opened._check_utf8 = self.profile.checks_utf8
        return opened

    def chdir(self, path: Any, /) -> None:
        """Change the current directory.

        In v1.11 the current volume changes even if its driver then refuses; with a path that
        matches no mount the current directory is lost (``getcwd`` raises ENODEV).
        """
        place, inside = self._find(path)
        if self.profile.chdir_moves_first:
            self._table.current = place
        if place is not Place.ROOT:
            _driver(place).chdir(inside)
        elif (root := self._table.root_mount()) is not None:
            # Relative paths then start at the root of that volume again.
            root.driver.chdir("/")
        if not self.profile.chdir_moves_first:
            self._table.current = place

    def getcwd(self) -> Any:
        """Return the current directory: the mount's name and the driver's own path after it."""
        self._check()
        current = self._table.current
        if current is Place.ROOT:
            return "/"
        inside = _driver(current).getcwd()
        if isinstance(current, Place) or current.is_root:
            return inside  # a driver on "/" returns the whole path
        text = c_string(inside)
        return current.name if text == "/" else current.name + text

    def ilistdir(self, path: Any = "", /) -> Any:
        """Iterate over a directory: the driver's tuples, or 3-tuples for the mounts in ``/``."""
        place, inside = self._find(path)
        if place is Place.ROOT:
            return self._list_root(self._table.first, path)
        return _driver(place).ilistdir(inside)

    def listdir(self, path: Any = "", /) -> list[Any]:
        """Return the names in a directory, as ``ilistdir`` gives them; bytes for a bytes path."""
        return [entry[0] for entry in _steps(self.ilistdir(path))]

    def mkdir(self, path: Any, /) -> Any:
        """Make a directory; EEXIST for ``/`` and for a mount point."""
        place, inside = self._find(path)
        if place is Place.ROOT or (place is not Place.NOWHERE and c_string(inside) == "/"):
            raise VfsError(Errno.EEXIST)
        return _driver(place).mkdir(inside)

    def rmdir(self, path: Any, /) -> Any:
        """Remove a directory."""
        place, inside = self._find(path)
        return _driver(place).rmdir(inside)

    def remove(self, path: Any, /) -> Any:
        """Remove a file."""
        place, inside = self._find(path)
        return _driver(place).remove(inside)

    def rename(self, old: Any, new: Any, /) -> Any:
        """Rename within one mount; EPERM across two."""
        old_place, old_inside = self._find(old)
        new_place, new_inside = self._find(new)
        # The entries are compared, not the drivers: one driver mounted twice is two mounts.
        if old_place is not new_place:
            raise VfsError(Errno.EPERM)
        return _driver(old_place).rename(old_inside, new_inside)

    def stat(self, path: Any, /) -> Any:
        """Return the driver's 10-tuple (mode first, size at index 6, times at 7 to 9)."""
        place, inside = self._find(path)
        if place is Place.ROOT:
            return (S_IFDIR, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        return _driver(place).stat(inside)

    def statvfs(self, path: Any, /) -> Any:
        """Return the driver's 10-tuple; for a ``/`` without a volume, zeros and the path limit."""
        place, inside = self._find(path)
        if place is not Place.ROOT:
            return _driver(place).statvfs(inside)
        root = self._table.root_mount()
        if root is None:
            return (0, 0, 0, 0, 0, 0, 0, 0, 0, self.profile.path_max)
        return root.driver.statvfs("/")

    def _find(self, path: Any) -> tuple[Mount | Place, Any]:
        self._check()
        place, inside = self._table.look_up(c_string(path))
        return place, same_kind(path, inside)

    def _list_root(self, mount: Mount | None, path: Any) -> Iterator[Any]:
        """Yield the mounts from ``mount`` on, then the entries of the volume on ``/``."""
        while mount is not None:
            self._check()
            here, mount = mount, mount.next
            if here.is_root:
                yield from _steps(here.driver.ilistdir("/"))
                return
            yield (same_kind(path, here.label), S_IFDIR, 0)


def _driver(place: Mount | Place) -> Any:
    """Return the driver of a mount; EPERM for ``/`` itself, ENODEV for no mount."""
    if isinstance(place, Mount):
        return place.driver
    raise VfsError(Errno.EPERM if place is Place.ROOT else Errno.ENODEV)


def _steps(iterator: Any) -> Iterator[Any]:
    """Iterate over the result of a driver's ``ilistdir``; ``TypeError`` if it has no ``next``."""
    while True:
        try:
            entry = next(iterator)
        except StopIteration:
            return
        yield entry
