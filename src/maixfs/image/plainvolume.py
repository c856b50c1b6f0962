"""A file system of ``image.formats`` as a volume of an image; it is only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from maixfs.errors import MaixfsError
from maixfs.filesystem import Entry, FileSystem
from maixfs.image.entries import Progress, Written
from maixfs.image.media import Medium, read_only
from maixfs.image.names import component, parse
from maixfs.image.volume import Entries, ImageEntry, Volume
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from maixfs.host.compressed import ImageBytes
    from maixfs.image.content import Content
    from maixfs.image.formats import Format, Read
    from maixfs.image.names import Mount


class PlainRoom(NamedTuple):
    """Room in a file system that is only read, in bytes."""

    total: int
    used: int
    deleted: int = 0
    free: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return it all by name."""
        return self._asdict()


class PlainMedium(Medium):
    """The bytes of a file, unpacked where it is compressed; never written, of any size."""

    def __init__(self, file: Path, content: ImageBytes) -> None:
        super().__init__(file, writable=False)
        self._content = content
        self.size = len(content)

    @property
    def content(self) -> memoryview:
        """All bytes."""
        return self._content.view

    def read(self, address: int, length: int) -> bytes:
        """Return bytes of the file, fewer where it ends."""
        return bytes(self._content.view[address : address + length])

    def write(self, address: int, data: bytes | bytearray | memoryview) -> int:
        """Raise ``ReadOnlyError``."""
        raise read_only(self.file)

    @property
    def changed(self) -> bool:
        """Return False."""
        return False

    @property
    def overlay(self) -> NoReturn:
        """Raise ``ReadOnlyError``."""
        raise read_only(self.file)

    def save(self, progress: Progress | None) -> list[Written]:
        """Return an empty list."""
        return []

    def close(self) -> None:
        """Release the file."""
        if not self.closed:
            self.abandon()
            self.closed = True
            self._content.close()


def window(medium: Medium, start: int, size: int) -> Read:
    """Return what reads ``size`` bytes of a medium from ``start`` on, and none behind them."""

    def read(offset: int, length: int) -> bytes:
        return medium.read(start + offset, max(0, min(length, size - offset)))

    return read


class PlainVolume(Volume):
    """Any ``FileSystem`` in ``size`` bytes of a medium from ``start`` on; units are bytes."""

    unit_size = 1
    format = ""

    def __init__(
        self, host: object, medium: Medium, mount: Mount, kind: Format, start: int, size: int
    ) -> None:
        super().__init__(host, medium, mount)
        self.format = kind.name
        self._kind = kind
        self._read = window(medium, start, size)
        self._size = size

    def _mount(self) -> FileSystem[Any]:
        return self._kind.opened(self._read, self._size)

    def _part(self, entry: Entry[Any]) -> str:
        return component(entry.name.encode("utf-8", "surrogateescape"))

    def _number(self, entry: Entry[Any]) -> int:
        # These formats have no number that is stable for an entry: its place in the folder is.
        return [*self.fs.scandir(entry.path.rpartition("/")[0])].index(entry)

    def _units(self, entry: Entry[Any]) -> int:
        return entry.size

    def modified(self, entry: ImageEntry) -> datetime | None:
        """Return the time of the last write, in UTC, without its zone."""
        seconds = entry.inner.modified
        return (
            None if seconds is None else datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
        )

    def file_fault(self, entry: ImageEntry) -> str | None:
        """Return why a file cannot be read to its end."""
        try:
            self.fs.read_bytes(entry.inner)
        except MaixfsError as error:
            return str(error)
        return None

    def room(self) -> PlainRoom:
        """Return what files take."""
        stat = self.fs.statvfs()
        return PlainRoom(
            stat.f_blocks * stat.f_frsize, (stat.f_blocks - stat.f_bfree) * stat.f_frsize
        )

    def facts(self, entry: ImageEntry) -> dict[str, Any]:
        """Return nothing: all is in the listing."""
        return {}

    def inner_path(self, path: str) -> str:
        """Return the path in the file system."""
        parts = self.mount.inside(path, self.canonical(self.mount.absolute(path)))
        return "/" + "/".join(parse(part).decode("utf-8", "surrogateescape") for part in parts)

    def place_of(self, path: str) -> str:
        """Raise ``ReadOnlyError``, as every change does."""
        raise read_only(self.host)

    def check_fits(self, sizes: Mapping[str, int]) -> None:
        """Raise ``ReadOnlyError``."""
        raise read_only(self.host)

    def write(self, path: str, content: Content, meta: bytes | None) -> Written:
        """Raise ``ReadOnlyError``."""
        raise read_only(self.host)

    def remove(self, entries: Entries, *, force: bool = False) -> None:
        """Raise ``ReadOnlyError``."""
        raise read_only(self.host)

    def rename(self, moves: Sequence[tuple[ImageEntry, str]], *, replace: bool) -> None:
        """Raise ``ReadOnlyError``."""
        raise read_only(self.host)

    def mkdir(self, path: str, *, parents: bool) -> bool:
        """Raise ``ReadOnlyError``."""
        raise read_only(self.host)

    def gc(self) -> int:
        """Raise ``ReadOnlyError``."""
        raise read_only(self.host)
