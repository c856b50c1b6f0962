"""An open file, as in FatFs: own position and size, errors that stay; and how it is opened."""

from __future__ import annotations

import errno
from functools import lru_cache
from operator import index
from typing import TYPE_CHECKING, Any, cast

from maixfs.fat.arguments import byte_view, writable_view
from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.node import FreedNode, Node
from maixfs.fat.ondisk import AFTER_NT, Attribute
from maixfs.fat.openflag import OpenFlag
from maixfs.sd.device import SECTOR

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from maixfs.fat.directory import Directory
    from maixfs.fat.entries import Item
    from maixfs.fat.entries import OpenFile as OpenEntry
    from maixfs.fat.names import NewName
    from maixfs.sd.device import Buffer

MAX_SIZE = 0xFFFFFFFF
"""Most bytes of a file: 4 GiB - 1."""
_LOW = SECTOR - 1
_LASTING = (FResult.DISK_ERR, FResult.INT_ERR)
# Plain numbers: arithmetic on IntFlag costs more than the rest of an open.
_READ = int(OpenFlag.READ)
_WRITE = int(OpenFlag.WRITE)
_CREATE_NEW = int(OpenFlag.CREATE_NEW)
_CREATE_ALWAYS = int(OpenFlag.CREATE_ALWAYS)
_CREATING = _CREATE_ALWAYS | int(OpenFlag.OPEN_ALWAYS) | _CREATE_NEW
_AT_END = int(OpenFlag.APPEND) & ~int(OpenFlag.OPEN_ALWAYS)
CHANGING = _CREATING | _WRITE | _AT_END
"""Flags of which each needs a volume that can be written."""
_DIRECTORY = int(Attribute.DIRECTORY)
_READ_ONLY = int(Attribute.READ_ONLY)
_ARCHIVE = int(Attribute.ARCHIVE)


class FatFile:
    """A file that ``FatCore.open`` opened.

    As in FatFs, each open file has its own size: a reader keeps the size of its opening, and of
    two writers the last one to close decides the size in the entry. All of them share the
    clusters and the sector in RAM, so that none writes to clusters that the file has lost.
    After ``DISK_ERR`` or ``INT_ERR``, reading, writing and seeking fail with the same error
    (FatFs's sticky error flag); ``sync`` and ``close`` still record the file.

    ``partial`` is the sector that was read or written in part last (FatFs's fp->sect), 0 at first.
    Raises ``INVALID_OBJECT`` after ``close`` and after the end of the mount, ``DENIED`` for an
    access that its flags do not allow.
    """

    __slots__ = (
        "_closed", "_error", "_flags", "_modified", "_nameless", "_position", "_size",
        "name", "node", "partial",
    )  # fmt: skip

    def __init__(self, node: Node, flags: int, size: int, name: str, *, modified: bool) -> None:
        self.name = name
        self.node = node
        self._flags = flags
        self._size = size
        self._position = 0
        self._modified = modified
        self._error: FResult | None = None
        self._closed = False
        self._nameless = False
        self.partial = 0
        node.take()
        node.volume.files[self] = None

    @property
    def closed(self) -> bool:
        """Whether the file was closed or its volume is no longer mounted."""
        return self._closed or not self.node.volume.mounted

    @property
    def size(self) -> int:
        """Bytes of the file, as seen by this open file."""
        return self._size

    @property
    def modified(self) -> bool:
        """Whether ``sync`` has something to record."""
        return self._modified

    def follow_size(self) -> None:
        """Take the size that other open files of the entry have given it, as a host does."""
        if self._size != self.node.high:
            self._size = self.node.high
            self._modified = self._modified or bool(self._flags & _WRITE)

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def _check(self, flag: int = 0) -> None:
        if self._closed or not self.node.volume.mounted:
            raise fat_error(FResult.INVALID_OBJECT, self.name)
        # As in FatFs: after a failure the place in the chain is not certain, and going on could
        # write to another file's cluster.
        if self._error is not None:
            raise fat_error(self._error, self.name)
        if flag and not self._flags & flag:
            what = "not opened for " + ("reading" if flag == _READ else "writing")
            raise fat_error(FResult.DENIED, self.name, what)

    def _failed(self, error: FatError) -> None:
        if error.result in _LASTING:
            self._error = error.result

    def read(self, count: int = -1) -> bytes:
        """Return up to ``count`` bytes, by default all up to the end of the file.

        Raises ``INT_ERR`` where the chain ends before the file does, ``DISK_ERR``.
        """
        node = self.node
        if (
            self._closed
            or self._error is not None
            or not self._flags & _READ
            or not node.volume.mounted
        ):
            self._check(_READ)
        count = index(count)
        left = self._size - self._position
        if count < 0 or count > left:
            count = left
        if count <= 0:
            return b""
        try:
            data = node.read(self._position, count, self)
        except FatError as error:
            self._failed(error)
            raise
        self._position += count
        return data

    def read_all(self) -> bytes:
        """Return everything from the position on."""
        return self.read()

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill ``buffer`` from the position on; return the number of bytes read."""
        self._check(_READ)
        view = writable_view(buffer)
        count = min(len(view), self._size - self._position)
        if count <= 0:
            return 0
        try:
            self.node.readinto(self._position, view[:count], self)
        except FatError as error:
            self._failed(error)
            raise
        self._position += count
        return count

    def write(self, data: Buffer) -> int:
        """Write ``data``; return the number of bytes written, fewer when the volume is full.

        A file ends at 4 GiB - 1: more is cut off, as FatFs does.
        """
        node = self.node
        if (
            self._closed
            or self._error is not None
            or not self._flags & _WRITE
            or not node.volume.mounted
        ):
            self._check(_WRITE)
        view = memoryview(data) if type(data) is bytes else byte_view(data)
        position = self._position
        # f_write cuts in silence too; the count that it returns is all the caller learns.
        if position + len(view) > MAX_SIZE:
            view = view[: MAX_SIZE - position]
        try:
            count = node.write(position, view, self) if view else 0
        except FatError as error:
            self._failed(error)
            raise
        self._position = position = position + count
        self._size = max(self._size, position)
        # Also for no bytes at all: f_write marks the file, and the next sync changes its time.
        self._modified = True
        return count

    def seek(self, position: int) -> int:
        """Move to ``position``, counted from the start; return the new position.

        Beyond the end, a file opened for writing grows as far as there is room, and shows what
        the clusters contained before (FatFs does not clear them); a reader stops at the end.
        Raises ``INVALID_PARAMETER`` for a negative position, ``INT_ERR`` where the chain is
        shorter than that.
        """
        self._check()
        position = index(position)
        if position < 0:
            raise fat_error(FResult.INVALID_PARAMETER, self.name, f"no position {position}")
        position = min(position, MAX_SIZE)
        # FatFs clips a reader and lets a writer grow: a wrong seek there costs the program a
        # larger file.
        if position > self._size and not self._flags & _WRITE:
            position = self._size
        if position:
            try:
                position = self._reach(position)
            except FatError as error:
                self._failed(error)
                raise
        self._position = position
        if position > self._size:
            self._size = position
            # What lies below this is loaded before a part of a sector is written: FatFs shows old
            # contents of the card there, and does not clear them.
            self.node.high = max(self.node.high, position)
            self._modified = True
        return position

    def _reach(self, position: int) -> int:
        """Follow the chain to ``position``, and on where the file may grow."""
        node = self.node
        if node.volume.writer.faithful:
            grows = bool(self._flags & _WRITE)
            position = node.follow(self._position, position, grows=grows)
            if position & _LOW:
                self.partial = node.partial_sector(position)
            return position
        if self._flags & _WRITE:
            return min(position, node.stretch(position))
        # Raises where the chain is shorter than the size says; f_lseek walks it and fails there.
        node.chain.locate(node.clusters_for(position) - 1)
        return position

    def truncate(self) -> None:
        """Make the file end at the position; what is beyond it is freed."""
        self._check(_WRITE)
        if self._position >= self._size:
            return
        self._size = self._position
        self._modified = True
        # The entry under the new name still counts these clusters as its own.
        if self._nameless:
            return
        try:
            self.node.cut(self._position)
        except FatError as error:
            self._failed(error)
            raise

    def lose_name(self) -> None:
        """Record nothing in the entry from now on.

        FatFs writes the size of an open file that was renamed into the deleted entry. The
        clusters beyond the size in the new entry are freed with the last open file of it.
        """
        self._nameless = True

    def stay_behind(self, node: object) -> None:
        """Go on reading the clusters that another open file of ``node`` is about to free.

        A reader of FatFs has its own copy of size and first cluster, so it still reads that
        cluster, whatever becomes of it, and fails where it follows a link that is gone. A writer
        would write into clusters that are not the file's: it shares the emptied chain instead.
        """
        if self.node is node and not self._flags & _WRITE:
            self.node = FreedNode(self.node, self._position)

    def sync(self) -> None:
        """Record size and time in the entry, and write everything to the card."""
        volume = self.node.volume
        if self._closed or not volume.mounted:
            raise fat_error(FResult.INVALID_OBJECT, self.name)
        if self._modified:
            if not self._nameless:
                self._size = self.node.record(self._size)
            # The entry is complete in RAM; the writer decides which sector goes first.
            volume.writer.flush()
            self._modified = False

    def close(self) -> None:
        """Record the file and close it; closing twice is not an error.

        If it raises, the file is still open and can be closed again.
        """
        if self._closed or not self.node.volume.mounted:
            return
        if self._modified:
            self.sync()
        self.drop()

    def drop(self) -> None:
        """Close the file without recording anything."""
        node = self.node
        self._closed = True
        del node.volume.files[self]
        node.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def lose_name(node: OpenEntry) -> None:
    """Stop the open files of ``node`` from updating its entry."""
    for file in cast("Node", node).volume.files:
        if isinstance(file, FatFile) and file.node is node:
            file.lose_name()


def open_found(
    directory: Directory, item: Item | None, new: NewName | None, flags: int, about: str
) -> FatFile:
    """Open ``item``, or create ``new`` where it is ``None``; ``about`` is shown in errors.

    The checks are f_open's, in its order. Nothing goes to the card before the first ``sync``,
    unless FatFs's order of writes is wanted. Raises ``NO_FILE`` for what is missing and for a
    folder, ``DENIED`` for a read-only file, a folder to be written, or no room in the folder,
    ``EXIST`` with CREATE_NEW, ``INT_ERR``, ``DISK_ERR``.
    """
    first = size = 0
    if flags & _CREATING:
        is_new = item is None
        item, modified = _create(directory, item, new, flags, about)
        if not is_new:
            first, size = directory.extent(item)
    else:
        item, modified = _existing(directory, item, flags, about), False
        first, size = directory.extent(item)
    # One node for all open files of an entry. In FatFs each copies first cluster and size, and so
    # goes on with a chain that another one has cut or freed.
    node: Any = item.node or Node(directory.volume, directory, item, first, size)
    file = FatFile(node, flags, size, about, modified=modified)
    # Once, at opening, as in f_open: after a seek the program writes elsewhere.
    if flags & _AT_END and size:
        try:
            file.seek(size)
        except BaseException:
            file.drop()
            raise
    return file


def _existing(directory: Directory, item: Item | None, flags: int, about: str) -> Item:
    if item is None:
        raise fat_error(FResult.NO_FILE, about)
    attributes = directory.attributes(item)
    if attributes & _DIRECTORY:
        raise fat_error(FResult.NO_FILE, about, "this is a folder", errno=errno.EISDIR)
    if flags & _WRITE and attributes & _READ_ONLY:
        raise fat_error(FResult.DENIED, about, "the file is read-only")
    return item


def _create(
    directory: Directory, item: Item | None, new: NewName | None, flags: int, about: str
) -> tuple[Item, bool]:
    """Return the entry to open, and whether it is new or was emptied."""
    if item is None:
        return directory.register(new, _ARCHIVE, _new_file(*directory.volume.clock())), True
    # f_open refuses a folder and a read-only file before it looks at CREATE_NEW.
    attributes = directory.attributes(item)
    if attributes & _DIRECTORY:
        raise fat_error(FResult.DENIED, about, "this is a folder", errno=errno.EISDIR)
    if attributes & _READ_ONLY:
        raise fat_error(FResult.DENIED, about, "the file is read-only")
    if flags & _CREATE_NEW:
        raise fat_error(FResult.EXIST, about)
    if flags & _CREATE_ALWAYS:
        _empty(directory, item)
        return item, True
    return item, False


@lru_cache(maxsize=2)
def _new_file(date: int, time: int) -> bytes:
    """Return what follows the name of a new file: its time of creation, no cluster, no size."""
    return AFTER_NT.pack(0, time, date, 0, 0, 0, 0, 0, 0)


def _empty(directory: Directory, item: Item) -> None:
    """Take size, clusters and attributes from a file."""
    volume = directory.volume
    first = directory.first_cluster(item)
    # The entry lets go of its chain before the clusters are freed: they may soon be another
    # file's. f_open has the same order.
    directory.empty(item, *volume.clock())
    if first and item.node is not None and volume.writer.faithful:
        for file in [file for file in volume.files if isinstance(file, FatFile)]:
            file.stay_behind(item.node)
    # What an open file has written counts also before the entry leads to it. FatFs leaves that
    # alone.
    if item.node is not None and (first or (not volume.writer.faithful and item.node.high)):
        item.node.empty()
    elif first:
        volume.allocator.free_chain(first)
    if first:
        directory.visit_slot(item.slot)
        # FatFs goes on searching at the first cluster of the old chain, so that a file that is
        # written again gets its old place. It does not do this when a file is removed.
        volume.space.last = first - 1
