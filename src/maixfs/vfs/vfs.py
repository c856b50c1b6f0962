"""The calls of ``uos``: each finds the mount that a path belongs to and passes the rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from maixfs.vfs.errnos import Errno
from maixfs.vfs.errors import VfsError
from maixfs.vfs.files import StreamFile
from maixfs.vfs.imports import ImportStat, NativeDriver, import_stat
from maixfs.vfs.profile import profile_of
from maixfs.vfs.table import Mount, MountTable, Place
from maixfs.vfs.text import c_string, same_kind

S_IFDIR = 0x4000
"""The mode of a directory, MicroPython's on every port."""

S_IFREG = 0x8000
"""The mode of a file."""


class Vfs:
    """A board's mount table and the calls that go through it.

    ``profile`` is ``maixpy`` (v1.11, what the firmware has) or ``modern``. A driver is any object
    with the methods ``mount``, ``umount``, ``open``, ``ilistdir``, ``chdir``, ``getcwd``,
    ``mkdir``, ``rmdir``, ``remove``, ``rename``, ``stat`` and ``statvfs``; one that lacks a method
    raises ``AttributeError`` when it is called. Paths are ``str`` or ``bytes`` and end at a NUL;
    another type raises ``TypeError``. Everything else that fails raises ``VfsError``.
    ``block_driver`` makes the driver of a block device that is mounted as it is: a ``VfsFat``
    unless given.
    """

    def __init__(
        self, profile: str = "maixpy", *, block_driver: Callable[[Any], Any] | None = None
    ) -> None:
        self.profile = profile_of(profile)
        self._block_driver = block_driver or self._vfs_fat
        self._table = MountTable(self.profile)

    def mounts(self) -> list[tuple[str, Any]]:
        """Return what is mounted, in order: (name as given, driver)."""
        return [(mount.name, mount.driver) for mount in self._table]

    def mount(self, fs: Any, path: Any, /, *, readonly: Any = False, mkfs: Any = False) -> None:
        """Mount ``fs``, a driver or a block device, at ``path``.

        The driver's own ``mount`` runs first, and with it a ``mkfs``, even where the place then
        turns out to be taken (EPERM).
        """
        name = c_string(path)
        driver = fs if hasattr(fs, "mount") else self._block_driver(fs)
        mount = Mount(name, driver)
        driver.mount(readonly, mkfs)
        self._put(mount)

    def _vfs_fat(self, device: Any) -> Any:
        from maixfs.vfs.fat import VfsFat
        from maixfs.vfs.fat_options import FatOptions

        return VfsFat(device, options=FatOptions(self.profile.name))

    def attach(self, driver: Any, path: str) -> None:
        """Put a driver into the table without asking it, as the firmware's boot does."""
        self._put(Mount(path, driver))

    def replace(self, driver: Any, path: str) -> list[str]:
        """Put a driver in the place of the mount called ``path``, or at the very end, unasked.

        As MaixPy does it with a card: all mounts that came after the old one are forgotten.
        Return their names.
        """
        return self._table.replace(Mount(path, driver))

    def enter(self, path: str) -> None:
        """Make the mount called ``path`` the current volume, without asking its driver."""
        for mount in self._table:
            if mount.name == path:
                self._table.current = mount

    def open_native(self, path: str) -> Any:
        """Open a file for reading bytes where the firmware does so for itself.

        It looks only at its own file systems: ENOENT on a volume that a program wrote.
        """
        place, inside = self._table.look_up(c_string(path))
        if isinstance(place, Place) or not isinstance(place.driver, NativeDriver):
            raise VfsError(Errno.ENOENT)
        return place.driver.open(inside, "rb")  # type: ignore[attr-defined]

    def _put(self, mount: Mount) -> None:
        if not mount.name:
            # v1.11 reads past its table here and dies.
            raise VfsError(Errno.EINVAL)
        if not self._table.is_free(mount):
            raise VfsError(Errno.EPERM)
        self._table.insert(mount)

    def umount(self, path_or_fs: Any, /) -> None:
        """Unmount by the name given to ``mount``, letter by letter, or by the driver itself.

        EINVAL where nothing is mounted so. The entry goes even if the driver's ``umount`` fails.
        """
        for mount in self._table:
            named = isinstance(path_or_fs, str) and mount.name == path_or_fs
            if named or mount.driver is path_or_fs:
                self._table.remove(mount)
                mount.driver.umount()
                return
        raise VfsError(Errno.EINVAL)

    def open(self, file: Any, mode: Any = "r", buffering: int = -1, encoding: Any = None) -> Any:
        """Open a file; ``buffering`` and ``encoding`` are taken and ignored, as on the board."""
        del encoding
        if not isinstance(buffering, int):
            raise TypeError("can't convert to int")
        place, path = self._find(file)
        opened = _driver(place).open(path, mode)
        if isinstance(opened, StreamFile):
            opened._check_utf8 = self.profile.checks_utf8
        return opened

    def chdir(self, path: Any, /) -> None:
        """Change the current directory.

        As v1.11 has it, the current volume changes even where the volume then refuses; at a path
        that no mount has, the current directory is lost (``getcwd`` raises ENODEV).
        """
        place, inside = self._find(path)
        if self.profile.chdir_moves_first:
            self._table.current = place
        if place is not Place.ROOT:
            _driver(place).chdir(inside)
        elif (root := self._table.root_mount()) is not None:
            # Relative paths then begin at that volume's top again.
            root.driver.chdir("/")
        if not self.profile.chdir_moves_first:
            self._table.current = place

    def getcwd(self) -> Any:
        """Return the current directory: the mount's name and what the driver says after it."""
        current = self._table.current
        if current is Place.ROOT:
            return "/"
        inside = _driver(current).getcwd()
        if isinstance(current, Place) or current.is_root:
            return inside
        text = c_string(inside)
        return current.name if text == "/" else current.name + text

    def ilistdir(self, path: Any = "", /) -> Any:
        """Iterate over a directory: the driver's tuples, or 3-tuples for the mounts in ``/``."""
        place, inside = self._find(path)
        if place is Place.ROOT:
            return _list_root(self._table.first, path)
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
        if old_place is not new_place:
            raise VfsError(Errno.EPERM)
        return _driver(old_place).rename(old_inside, new_inside)

    def stat(self, path: Any, /) -> Any:
        """Return the driver's 10-tuple (mode, then size at 6, times at 7 to 9)."""
        place, inside = self._find(path)
        if place is Place.ROOT:
            return (S_IFDIR, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        return _driver(place).stat(inside)

    def statvfs(self, path: Any, /) -> Any:
        """Return the driver's 10-tuple; for a bare ``/`` zeros and the longest path."""
        place, inside = self._find(path)
        if place is not Place.ROOT:
            return _driver(place).statvfs(inside)
        root = self._table.root_mount()
        if root is None:
            return (0, 0, 0, 0, 0, 0, 0, 0, 0, self.profile.path_max)
        return root.driver.statvfs("/")

    def import_stat(self, path: str) -> ImportStat:
        """Tell what ``import`` finds at ``path``; it never raises for what is not there."""
        place, inside = self._table.look_up(c_string(path))
        if isinstance(place, Place):
            return ImportStat.NONE
        return import_stat(place.driver, inside)

    def collect(self) -> int:
        """Close dropped files on all mounts, as ``gc.collect()`` does on the board.

        Return how many there were. Without it they stay open, and what they hold is not written.
        """
        drivers = [mount.driver for mount in self._table]
        return sum(driver.collect() for driver in drivers if isinstance(driver, NativeDriver))

    def flash_format(self) -> bool | None:
        """Format what is mounted at ``/flash``: MaixPy's ``uos.flash_format``.

        Return what ``VfsSpiffs.flash_format`` does. ENODEV where nothing is mounted there; the
        firmware dies.
        """
        for mount in self._table:
            if mount.name == "/flash":
                formatted: bool | None = mount.driver.flash_format()
                return formatted
        raise VfsError(Errno.ENODEV)

    def _find(self, path: Any) -> tuple[Mount | Place, Any]:
        place, inside = self._table.look_up(c_string(path))
        return place, same_kind(path, inside)


def _driver(place: Mount | Place) -> Any:
    """Return the driver of a mount; ENODEV where there is none, EPERM for ``/`` itself."""
    if isinstance(place, Mount):
        return place.driver
    raise VfsError(Errno.EPERM if place is Place.ROOT else Errno.ENODEV)


def _list_root(mount: Mount | None, path: Any) -> Iterator[Any]:
    """Go through the mounts from ``mount`` on, then through the volume on ``/``."""
    while mount is not None:
        here, mount = mount, mount.next
        if here.is_root:
            yield from _steps(here.driver.ilistdir("/"))
            return
        yield (same_kind(path, here.label), S_IFDIR, 0)


def _steps(iterator: Any) -> Iterator[Any]:
    """Go through what a driver's ``ilistdir`` gave; ``TypeError`` if it is no iterator."""
    while True:
        try:
            entry = next(iterator)
        except StopIteration:
            return
        yield entry
