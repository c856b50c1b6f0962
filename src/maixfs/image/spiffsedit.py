"""Changes to a SPIFFS in an overlay: each is done as a whole, or not at all.

Writing tries, in this order: in place; removing the old file first; garbage collection; laying out
all files anew. In a crammed area the driver cannot collect: moving the files of a block takes
pages that are not there. A host can, because it holds all files in memory meanwhile.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from maixfs.errors import FullError
from maixfs.image.errors import FitError, TargetError
from maixfs.image.stale import endangered, lookup_entries
from maixfs.nor.device import blank
from maixfs.spiffs import Code, OpenFlag, SpiffsCore, SpiffsError, ondisk
from maixfs.spiffs.errors import spiffs_error
from maixfs.spiffs.pack import pack

if TYPE_CHECKING:
    from maixfs.image.spiffsvolume import SpiffsVolume
    from maixfs.nor.device import Buffer

_SPARE_BLOCKS = 2
"""What the driver keeps empty, so that it can go on."""


class GuardedFlash:
    """The overlay of a flash, made ready before the first program or erase.

    On a used board hardly any free page is blank, and a program only clears bits: such pages are
    wiped. Pages that hold data of a readable file without being marked as used are never
    programmed: the edit is refused with ``TargetError`` unless the volume was opened with force.
    """

    def __init__(self, volume: SpiffsVolume) -> None:
        self._volume = volume
        self._overlay = volume.medium.overlay
        self.size = self._overlay.size
        self.erase_size = self._overlay.erase_size
        self.ready = False
        """Whether every page that may be written is blank and unused."""

    def read(self, address: int, length: int) -> bytes:
        """Return bytes."""
        return self._overlay.read(address, length)

    def program(self, address: int, data: Buffer) -> None:
        """Program bytes."""
        if not self.ready:
            self._prepare()
        self._overlay.program(address, data)

    def erase(self, address: int, length: int) -> None:
        """Erase sectors."""
        if not self.ready:
            self._prepare()
        self._overlay.erase(address, length)

    def window(self) -> memoryview | None:
        """Return ``None``: the contents lie in pieces."""
        return None

    def check(self) -> None:
        """Raise ``TargetError`` where a page that is free holds data of a file."""
        if not self.ready and not self._volume.force:
            self._check(self._image())

    def _image(self) -> memoryview:
        geometry = self._volume.geometry
        area = self._overlay.read(geometry.base, geometry.size)
        return memoryview(bytes(geometry.base) + area)

    def _prepare(self) -> None:
        geometry, image = self._volume.geometry, self._image()
        if not self._volume.force:
            self._check(image)
        self.ready = True
        empty = blank(geometry.page_size)
        for page, entry in lookup_entries(image, geometry):
            if entry == ondisk.ID_FREE:
                address = geometry.page_address(page)
                if image[address : address + geometry.page_size] != empty:
                    self._overlay.poke(address, empty)

    def _check(self, image: memoryview) -> None:
        volume, geometry = self._volume, self._volume.geometry
        for page, object_id in endangered(image, geometry).items():
            names = [
                volume.label(file.raw_name)
                for file in volume.core.scandir()
                if file.object_id == object_id
            ]
            raise TargetError(
                f"page {page} at {geometry.page_address(page):#x} is not booked, but holds"
                f" data of {names[0] if names else 'a file'}: writing would destroy it",
                hint="the file system is damaged; unpack it and pack the files anew",
            )


class _Kept(NamedTuple):
    """A file, held in memory."""

    name: bytes
    data: bytes
    meta: bytes


class SpiffsEditor:
    """What changes a volume; names are those on flash.

    Operations raise ``SpiffsError``; ``FitError`` where there is no room. Whatever ends one
    early (Ctrl-C too), the bytes are then as they were.
    """

    def __init__(self, volume: SpiffsVolume) -> None:
        self._volume = volume
        self._medium = volume.medium
        self._geometry = volume.geometry

    @property
    def _core(self) -> SpiffsCore:
        return self._volume.core

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Undo what was begun where the body is left by an exception, or takes a spare block.

        The driver counts an empty block again when it collects that, as the C does, and then
        counts spare blocks that are not there. Its count is set right after each change.
        """
        spare = self._spare_blocks()
        with self._medium.whole():
            yield
            if self._spare_blocks() < min(spare, _SPARE_BLOCKS):
                raise spiffs_error(Code.FULL)
            if self._core.statvfs().free_blocks != self._spare_blocks():
                self._volume.remount()

    def _spare_blocks(self) -> int:
        geometry = self._geometry
        starts = range(geometry.base, geometry.base + geometry.size, geometry.block_size)
        free = ondisk.U16.pack(ondisk.ID_FREE)
        return sum(self._medium.overlay.read(start, 2) == free for start in starts)

    def write(self, name: bytes, data: bytes, meta: bytes | None) -> None:
        """Put a file in the place of the one that has its name, or make it."""
        failures: list[SpiffsError | TargetError] = []
        for step in (self._put, self._put_anew, self._put_tidied, self._repack_with):
            try:
                with self._whole():
                    step(name, data, meta)
                return
            except TargetError as error:
                if step != self._put:
                    raise
                failures.append(error)  # a header that takes nothing in place can be replaced
            except SpiffsError as error:
                failures.append(error)
            if isinstance(failures[-1], FullError):
                self._volume.check_names_fit({name: len(data)})
        if isinstance(failures[0], FullError):
            raise self._volume.fit_error({name: len(data)}) from failures[0]
        raise failures[0]

    def _put(self, name: bytes, data: bytes, meta: bytes | None) -> None:
        """Write as a program on the board would: cut to nothing, then written in one go."""
        core = self._core
        if not core.exists(name):
            core.create(name, meta)
        elif meta is not None and meta != core.stat(name).meta:
            core.set_meta(name, meta)
        flags = OpenFlag.WRONLY | OpenFlag.TRUNC if core.stat(name).size else OpenFlag.WRONLY
        file = core.open_descriptor(name, flags)
        file.write(data)
        file.close()
        with core.open_descriptor(name, OpenFlag.RDONLY) as file:
            stored = file.read()
        if stored != data:
            raise TargetError(
                f"{self._volume.label(name)} reads back differently after it was written",
                hint="the file system is damaged; unpack it and pack it anew",
            )

    def _put_anew(self, name: bytes, data: bytes, meta: bytes | None) -> None:
        """Remove the old file first: that needs no page, cutting it needs one."""
        if self._core.exists(name):
            meta = self._core.stat(name).meta if meta is None else meta
            self._core.remove(name)
        self._put(name, data, meta)

    def _put_tidied(self, name: bytes, data: bytes, meta: bytes | None) -> None:
        """Collect all garbage before that, the old file's pages included."""
        if self._core.exists(name):
            meta = self._core.stat(name).meta if meta is None else meta
            self._core.remove(name)
        self._tidy()
        self._put(name, data, meta)

    def _repack_with(self, name: bytes, data: bytes, meta: bytes | None) -> None:
        """Lay out all files anew, the new one among them."""
        if meta is None:
            empty = b"\xff" * self._geometry.meta_length
            meta = self._core.stat(name).meta if self._core.exists(name) else empty
        self._repack([*self._files_but({name}), _Kept(name, data, meta)])

    def _files_but(self, names: Container[bytes]) -> list[_Kept]:
        """Return all files but those of ``names``, in the order of the medium.

        Raises ``FullError`` where one cannot be read or has the name of another: there is no way
        to move them without losing some, and so no room.
        """
        files: dict[bytes, _Kept] = {}
        for file in self._core.scandir():
            if file.raw_name in names:
                continue
            try:
                with self._core.open_page(file.page) as descriptor:
                    data = descriptor.read()
            except SpiffsError as error:
                raise spiffs_error(Code.FULL) from error
            if file.raw_name in files or not file.raw_name:
                raise spiffs_error(Code.FULL)
            files[file.raw_name] = _Kept(file.raw_name, data, file.meta)
        return [*files.values()]

    def _repack(self, files: list[_Kept]) -> None:
        """Rewrite the area with these files; raises ``FullError``.

        Each block is erased once, which its erase count says.
        """
        geometry, overlay = self._geometry, self._medium.overlay
        area = pack(files, geometry)
        for block in range(geometry.blocks):
            at = block * geometry.block_size + geometry.magic_offset + ondisk.ERASE_COUNT.offset
            (count,) = ondisk.U16.unpack(overlay.read(geometry.base + at, 2))
            count = 0 if count == ondisk.ID_FREE else (count + 1) % ondisk.ERASE_COUNT_WRAP
            ondisk.U16.pack_into(area, at, count)
        overlay.erase(geometry.base, geometry.size)
        overlay.program(geometry.base, area)
        self._volume.remount()

    def remove(self, pages: Iterable[int]) -> None:
        """Remove the files with headers at these pages, all of them or none.

        Nothing is programmed into a free page, so that it works in a damaged area too.
        """
        core = self._core
        guard = self._volume.guard
        before, guard.ready = guard.ready, True
        try:
            with self._whole():
                for page in pages:
                    core.remove_page(page)
        finally:
            guard.ready = before

    def rename(self, names: Mapping[bytes, bytes]) -> None:
        """Give files other names, all of them or none; a file that has a new name goes."""
        try:
            with self._whole():
                for old, new in names.items():
                    if self._core.exists(new):
                        self._core.remove(new)
                    with suppress(FullError):
                        # The page that a new header takes, which the driver does not free; the
                        # spare blocks may still have one.
                        self._core.gc(self._geometry.data_size)
                    self._core.rename(old, new)
            return
        except FullError:
            going = {*names.values()} - {*names}
        try:
            with self._whole():
                kept = self._files_but(going)
                self._repack([f._replace(name=names.get(f.name, f.name)) for f in kept])
        except FullError as error:
            raise self._no_fit({next(iter(names.values())): 0}) from error

    def _no_fit(self, sizes: Mapping[bytes, int]) -> FitError:
        return self._volume.fit_error(sizes)

    def gc(self) -> int:
        """Collect all garbage that can be; returns the pages freed."""
        before = self._core.statvfs().deleted
        self._volume.guard.check()
        if not before:
            return 0
        with self._whole():
            self._tidy()
        return before - self._core.statvfs().deleted

    def _tidy(self) -> None:
        """Collect block by block and keep the state with the fewest deleted pages.

        Moving a block's files leaves deleted index pages elsewhere, so that more is not always
        better.
        """
        data_size, overlay = self._geometry.data_size, self._medium.overlay
        volume = self._volume
        volume.remount()
        core = SpiffsCore(volume.guard, replace(self._geometry, gc_max_runs=1))
        least, spare = core.statvfs().deleted, self._spare_blocks()
        best = overlay.savepoint()
        for _ in range(self._geometry.blocks):
            if not least:
                break
            status = core.statvfs()
            free = status.free - 2 * self._geometry.usable_pages
            with suppress(FullError):
                core.gc(max(0, free + status.deleted) * data_size)
            wanted = min(spare, _SPARE_BLOCKS)
            if core.statvfs().deleted < least and self._spare_blocks() >= wanted:
                least = core.statvfs().deleted
                overlay.release(best)
                best = overlay.savepoint()
        overlay.rollback(best)
        volume.remount()
