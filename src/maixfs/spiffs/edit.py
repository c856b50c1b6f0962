"""Changes to an area that are carried out as a whole or not at all.

    edit = SpiffsEdit(OverlayFlash(device), geometry)
    edit.write(b"/boot.py", data)
    edit.rename({b"/old.py": b"/new.py"})

The driver alone gives up where a program on a board would have to: an overwrite needs pages that
the old file still holds, and garbage collection ends after a few runs. An edit tries further:
it removes the old file first, collects all garbage, and at last rewrites the whole area with all
files, which it can because it holds them in memory meanwhile.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from maixfs.errors import FullError
from maixfs.nor.device import NorDevice, blank
from maixfs.spiffs import ondisk
from maixfs.spiffs.core import SpiffsCore
from maixfs.spiffs.descriptor import OpenFlag
from maixfs.spiffs.errors import Code, SpiffsError, damaged_file, spiffs_error
from maixfs.spiffs.guard import leftover_pages, prepare_removal
from maixfs.spiffs.pack import pack
from maixfs.spiffs.room import check_fits, fit_error, free_pages
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping

    from maixfs.errors import FitError
    from maixfs.nor.device import Buffer
    from maixfs.savepoints import Savepoint
    from maixfs.spiffs.geometry import Geometry

_SPARE_BLOCKS = 2
"""Blocks that garbage collection needs empty."""


class TransactionalFlash(NorDevice, Protocol):
    """A flash device with savepoints, such as ``nor.OverlayFlash``."""

    def poke(self, address: int, data: Buffer) -> None:
        """Set bytes as no command of a chip can."""

    def savepoint(self) -> Savepoint:
        """Return a token for the present state."""

    def rollback(self, token: Savepoint) -> None:
        """Restore the state of ``token`` and end it, with all savepoints made after it."""

    def release(self, token: Savepoint) -> None:
        """End ``token``, with all savepoints made after it, and keep the changes."""


class _File(NamedTuple):
    """A file held in memory, as ``pack`` takes it."""

    name: bytes
    data: bytes
    meta: bytes


class SpiffsEdit:
    """A mounted file system that is changed in transactions; names are those on flash.

    A method that raises leaves every byte of the device as it was, also on Ctrl-C. Raises
    ``SpiffsError`` with the driver's code, ``DamagedError`` where the area is damaged so that
    writing could destroy a file, and ``FitError`` where there is no room.

    A method may mount the area again: take ``fs`` from here each time. Streams and descriptors
    of an older mount raise ``ClosedError``. ``label`` turns a name into a path for messages.
    ``force`` writes to a damaged area, too.
    """

    def __init__(
        self,
        device: TransactionalFlash,
        geometry: Geometry,
        *,
        label: Callable[[bytes], str] | None = None,
        force: bool = False,
    ) -> None:
        self._device = device
        self._geometry = geometry
        self._label = label or _decoded
        self._force = force
        self._fs = self._mounted(self._patient)

    @property
    def fs(self) -> SpiffsCore:
        """The mounted file system."""
        return self._fs

    def write(self, name: bytes, data: bytes, meta: bytes | None = None) -> None:
        """Create a file, or replace the content of the one of that name.

        ``meta`` are the bytes beside the name; without them a file keeps its own.
        """
        self._fs.check_name(name)
        with self._transaction():
            self._prepare()
            self._try_each(_File(name, data, b""), meta)

    def remove(self, names: Iterable[bytes]) -> None:
        """Remove files, all of them or none."""
        with self._transaction():
            for name in names:
                self._fs.remove(name)

    def remove_pages(self, pages: Iterable[int]) -> None:
        """Remove the files with headers at these pages, all of them or none."""
        with self._transaction():
            for page in pages:
                self._fs.remove_page(page)

    def rename(self, names: Mapping[bytes, bytes]) -> None:
        """Rename files, all of them or none; files that have a new name already are removed."""
        for new in names.values():
            self._fs.check_name(new)
        with self._transaction():
            self._prepare()
            try:
                with self._transaction():
                    self._rename_in_place(names)
            except FullError:
                replaced = {*names.values()} - {*names}
                try:
                    kept = self._files_except(replaced)
                    self._repack([f._replace(name=names.get(f.name, f.name)) for f in kept])
                except FullError as error:
                    raise self._no_fit({next(iter(names.values())): 0}) from error

    def gc(self) -> int:
        """Collect all garbage that can be collected; return the number of pages freed."""
        before = self._fs.statvfs().deleted
        with self._transaction():
            prepare_removal(self._fs.volume)
            if not before:
                return 0
            self._prepare()
            self._collect_all()
        return before - self._fs.statvfs().deleted

    def check_fits(self, sizes: Mapping[bytes, int]) -> None:
        """Raise ``FitError`` if files of these sizes (bytes, by name) can never fit together."""
        check_fits(self._fs, sizes, self._label)

    # Transactions

    @property
    def _patient(self) -> Geometry:
        """The geometry for a mount that collects as often as needed: a host has the time."""
        return replace(self._geometry, gc_max_runs=self._geometry.blocks)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Undo everything if the body raises, or if it takes a spare block.

        The driver counts an empty block a second time when it collects it, as the C does, and
        then takes more pages than it may. So the area is mounted again where its count is wrong.
        """
        token, spare = self._device.savepoint(), self._empty_blocks()
        try:
            yield
            left = self._empty_blocks()
            if left < min(spare, _SPARE_BLOCKS):
                raise spiffs_error(Code.FULL)
            if self._fs.statvfs().free_blocks != left:
                self._mount()
        except BaseException:
            self._device.rollback(token)
            self._mount()
            raise
        self._device.release(token)

    def _empty_blocks(self) -> int:
        """Return the number of blocks in which nothing was written, as a mount counts them."""
        return self._fs.volume.empty_blocks()

    def _mount(self, geometry: Geometry | None = None) -> SpiffsCore:
        self._fs.abandon()
        self._fs = self._mounted(geometry or self._patient)
        return self._fs

    def _mounted(self, geometry: Geometry) -> SpiffsCore:
        fs = SpiffsCore(self._device, geometry)
        if self._force:
            fs.volume.registered = True
        return fs

    def _prepare(self) -> None:
        """Make every page that may be written blank; raise ``DamagedError`` if that is not safe.

        On a used board hardly any free page is blank. The driver would give them up until their
        blocks are erased; an edit of an image can restore them.
        """
        volume, size = self._fs.volume, self._geometry.page_size
        prepare_removal(volume)
        for page in leftover_pages(volume):
            self._device.poke(volume.page_address(page), blank(size))

    # Writing a file

    def _try_each(self, file: _File, meta: bytes | None) -> None:
        """Write a file in the way that needs the least change of the area."""
        failures: list[SpiffsError] = []
        for attempt in (self._put, self._put_removed, self._put_collected, self._put_repacked):
            try:
                with self._transaction():
                    attempt(file.name, file.data, meta)
            except SpiffsError as error:
                # A header that takes nothing in place can be replaced. If a new one does not keep
                # its bytes either, the fault is not the file's.
                if failures and error.code == Code.INTERNAL:
                    raise
                failures.append(error)
                if isinstance(error, FullError):
                    self.check_fits({file.name: len(file.data)})
            else:
                return
        if isinstance(failures[0], FullError):
            raise self._no_fit({file.name: len(file.data)}) from failures[0]
        raise failures[0]

    def _put(self, name: bytes, data: bytes, meta: bytes | None) -> None:
        """Write as a program on the board does: truncate, then write in one call."""
        fs = self._fs
        if not fs.exists(name):
            fs.create(name, meta)
        elif meta is not None and meta != fs.stat(name).meta:
            fs.set_meta(name, meta)
        flags = OpenFlag.WRONLY | OpenFlag.TRUNC if fs.stat(name).size else OpenFlag.WRONLY
        with fs.open_descriptor(name, flags) as file:
            file.write(data)
        # Read back, because a damaged header can take a write and keep old bits.
        with fs.open_descriptor(name, OpenFlag.RDONLY) as file:
            if file.read() != data:
                raise damaged_file(self._label(name), "it reads back differently")

    def _put_removed(self, name: bytes, data: bytes, meta: bytes | None) -> None:
        """Remove the old file first: that needs no free page, truncating it needs one."""
        self._put(name, data, self._remove_old(name, meta))

    def _put_collected(self, name: bytes, data: bytes, meta: bytes | None) -> None:
        """Collect all garbage before the write, the pages of the old file included."""
        meta = self._remove_old(name, meta)
        self._collect_all()
        self._put(name, data, meta)

    def _put_repacked(self, name: bytes, data: bytes, meta: bytes | None) -> None:
        """Rewrite the area with all files."""
        if meta is None:
            blank_meta = b"\xff" * self._geometry.meta_length
            meta = self._fs.stat(name).meta if self._fs.exists(name) else blank_meta
        self._repack([*self._files_except({name}), _File(name, data, meta)])

    def _remove_old(self, name: bytes, meta: bytes | None) -> bytes | None:
        """Remove the file if it is there; return the meta bytes that the new one gets."""
        if not self._fs.exists(name):
            return meta
        known = self._fs.stat(name).meta
        self._fs.remove(name)
        return known if meta is None else meta

    # The whole area

    def _rename_in_place(self, names: Mapping[bytes, bytes]) -> None:
        for old, new in names.items():
            if self._fs.exists(new):
                self._fs.remove(new)
            # A new header takes a page, and the driver does not collect for it. The spare blocks
            # may have that page where collecting finds none.
            with suppress(FullError):
                self._fs.gc(self._geometry.data_size)
            self._fs.rename(old, new)

    def _collect_all(self) -> None:
        """Collect block by block and keep the state with the fewest deleted pages.

        Moving the files of a block leaves deleted index pages elsewhere, so that more runs are
        not always better.
        """
        fs = self._mount(replace(self._geometry, gc_max_runs=1))
        best = self._device.savepoint()
        fewest, wanted = fs.statvfs().deleted, min(self._empty_blocks(), _SPARE_BLOCKS)
        for _ in range(self._geometry.blocks):
            if not fewest:
                break
            deleted = fs.statvfs().deleted
            with suppress(FullError):
                fs.gc(max(0, free_pages(fs) + deleted) * self._geometry.data_size)
            if fs.statvfs().deleted < fewest and self._empty_blocks() >= wanted:
                fewest = fs.statvfs().deleted
                self._device.release(best)
                best = self._device.savepoint()
        self._device.rollback(best)
        self._mount()

    def _files_except(self, names: Container[bytes]) -> list[_File]:
        """Return all other files in the order of the medium.

        Raises ``FullError`` if one cannot be read or has the name of another: repacking would
        lose it, so it makes no room.
        """
        files: dict[bytes, _File] = {}
        for file in self._fs.scandir():
            if file.raw_name in names:
                continue
            try:
                with self._fs.open_page(file.page) as descriptor:
                    data = descriptor.read()
            except SpiffsError as error:
                raise spiffs_error(Code.FULL) from error
            if file.raw_name in files or not file.raw_name:
                raise spiffs_error(Code.FULL)
            files[file.raw_name] = _File(file.raw_name, data, file.meta)
        return [*files.values()]

    def _repack(self, files: list[_File]) -> None:
        """Rewrite the area with these files and nothing else; raises ``FullError``."""
        device, geometry = self._device, self._geometry
        area = pack(files, geometry)
        for block in range(geometry.blocks):
            # Each block keeps its erase count, and this erase is counted.
            at = block * geometry.block_size + geometry.magic_offset + ondisk.ERASE_COUNT.offset
            (count,) = ondisk.U16.unpack(device.read(geometry.base + at, 2))
            count = 0 if count == ondisk.ID_FREE else (count + 1) % ondisk.ERASE_COUNT_WRAP
            ondisk.U16.pack_into(area, at, count)
        device.erase(geometry.base, geometry.size)
        device.program(geometry.base, area)
        self._mount()

    def _no_fit(self, sizes: Mapping[bytes, int]) -> FitError:
        return fit_error(self._fs, sizes, self._label)


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
