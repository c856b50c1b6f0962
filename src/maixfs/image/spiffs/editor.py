"""Changes to a file system in memory: each is done as a whole, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace

from maixfs.errors import FullError
from maixfs.image.errors import FitError, TargetError
from maixfs.image.spiffs.editmedium import EditMedium
from maixfs.image.spiffs.fitting import check_fits, fit_error, free_pages
from maixfs.image.spiffs.relay import Kept, files_but, lay_anew
from maixfs.image.spiffs.stale import empty_blocks, wipe_free_pages
from maixfs.spiffs import Code, Geometry, OpenFlag, SpiffsCore, SpiffsError
from maixfs.spiffs.check import unregistered_pages
from maixfs.spiffs.errors import spiffs_error

_SPARE_BLOCKS = 2
"""What the driver keeps empty, so that it can go on."""


class Editor:
    """A mounted file system that can be changed; names are those on flash.

    Operations raise ``SpiffsError``; ``FitError`` where there is no room. Whatever ends one
    early (Ctrl-C too), the bytes are then as they were. ``label`` says where a name is, and
    ``host`` what the target is called, for messages.
    """

    def __init__(
        self, medium: EditMedium, geometry: Geometry, label: Callable[[bytes], str], host: str
    ) -> None:
        self._medium = medium
        self._geometry = geometry
        self._label = label
        self._host = host
        self._wiped = False
        self.changed = False
        """Whether there is anything to save."""
        self.fs = self._mounted(runs=geometry.blocks)

    def _mounted(self, runs: int) -> SpiffsCore:
        """Mount; ``runs`` bounds garbage collection, which on a host need not be quick."""
        geometry = replace(self._geometry, gc_max_runs=runs)
        return SpiffsCore(self._medium.device, geometry)

    def _area(self) -> bytes:
        return self._medium.chip.peek(self._geometry.base, self._geometry.size)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Undo what was begun where the body is left by an exception, or takes a spare block.

        The driver counts an empty block again when it collects that, as the C does, and then
        believes in spare blocks that are not there. Its count is set right after each change.
        """
        before, spare = self._area(), self._spare_blocks()
        try:
            yield
            if self._spare_blocks() < min(spare, _SPARE_BLOCKS):
                raise spiffs_error(Code.FULL)
            if self.fs.statvfs().free_blocks != self._spare_blocks():
                self.fs = self._mounted(runs=self._geometry.blocks)
        except BaseException:
            self._medium.drop_wear()
            self._go_back(before)
            raise
        self._medium.keep_wear()
        self.changed = self.changed or self._area() != before

    def _spare_blocks(self) -> int:
        return empty_blocks(self._medium.image, self._geometry)

    def _go_back(self, area: bytes) -> None:
        self._medium.chip.poke(self._geometry.base, area)
        self.fs = self._mounted(runs=self._geometry.blocks)

    def _prepare(self) -> None:
        """See to it that every page that may be written is blank and nobody's.

        Raises ``TargetError`` where a page holds data of a file without being booked as its.
        """
        if self._wiped:
            return
        medium, geometry = self._medium, self._geometry
        owners = unregistered_pages(medium.image, geometry)
        for page, object_id in owners.items():
            names = [
                self._label(file.raw_name)
                for file in self.fs.scandir()
                if file.object_id == object_id
            ]
            raise TargetError(
                f"page {page} at {geometry.page_address(page):#x} is not booked, but holds data"
                f" of {names[0] if names else 'a file'}: writing would destroy it",
                hint="the file system is damaged; unpack it and pack the files anew",
            )
        wipe_free_pages(medium.chip, medium.image, geometry)
        self._wiped = True

    def write(self, name: bytes, data: bytes, meta: bytes | None) -> None:
        """Put a file in the place of the one that has its name, or make it."""
        self._prepare()
        failures: list[SpiffsError | TargetError] = []
        for way in (self._put, self._put_anew, self._put_tidied, self._put_laid_anew):
            try:
                with self._whole():
                    way(name, data, meta)
                return
            except TargetError as error:
                if way != self._put:
                    raise
                failures.append(error)  # a header that takes nothing in place can be replaced
            except SpiffsError as error:
                failures.append(error)
            if isinstance(failures[-1], FullError):
                self._check_fits({name: len(data)})
        if isinstance(failures[0], FullError):
            raise self._no_fit({name: len(data)}) from failures[0]
        raise failures[0]

    def _put(self, name: bytes, data: bytes, meta: bytes | None) -> None:
        """Write as a program on the board would: cut to nothing, then written in one go."""
        fs = self.fs
        if not fs.exists(name):
            fs.create(name, meta)
        elif meta is not None and meta != fs.stat(name).meta:
            fs.set_meta(name, meta)
        flags = OpenFlag.WRONLY | OpenFlag.TRUNC if fs.stat(name).size else OpenFlag.WRONLY
        file = fs.open_descriptor(name, flags)
        file.write(data)
        file.close()
        with fs.open_descriptor(name, OpenFlag.RDONLY) as file:
            stored = file.read()
        if stored != data:
            raise TargetError(
                f"{self._label(name)} reads back differently after it was written",
                hint="the file system is damaged; unpack it and pack it anew",
            )

    def _put_anew(self, name: bytes, data: bytes, meta: bytes | None) -> None:
        """Remove the old file first: that needs no page, cutting it needs one."""
        if self.fs.exists(name):
            meta = self.fs.stat(name).meta if meta is None else meta
            self.fs.remove(name)
        self._put(name, data, meta)

    def _put_tidied(self, name: bytes, data: bytes, meta: bytes | None) -> None:
        """Collect all garbage before that, the old file's pages included."""
        if self.fs.exists(name):
            meta = self.fs.stat(name).meta if meta is None else meta
            self.fs.remove(name)
        self._tidy()
        self._put(name, data, meta)

    def _put_laid_anew(self, name: bytes, data: bytes, meta: bytes | None) -> None:
        """Move all files together, the new one among them."""
        if meta is None:
            blank = b"\xff" * self._geometry.meta_length
            meta = self.fs.stat(name).meta if self.fs.exists(name) else blank
        self._lay_anew([*files_but(self.fs, {name}), Kept(name, data, meta)])

    def _lay_anew(self, files: list[Kept]) -> None:
        lay_anew(self._medium.chip, self._geometry, files)
        self.fs = self._mounted(runs=self._geometry.blocks)

    def remove(self, names: Iterable[bytes]) -> None:
        """Remove files, all of them or none."""
        with self._whole():
            for name in names:
                self.fs.remove(name)

    def rename(self, names: Mapping[bytes, bytes]) -> None:
        """Give files other names, all of them or none; what has the new name goes."""
        self._prepare()
        try:
            with self._whole():
                for old, new in names.items():
                    if self.fs.exists(new):
                        self.fs.remove(new)
                    self._make_room()
                    self.fs.rename(old, new)
            return
        except FullError:
            going = {*names.values()} - {*names}
        try:
            with self._whole():
                kept = files_but(self.fs, going)
                self._lay_anew([f._replace(name=names.get(f.name, f.name)) for f in kept])
        except FullError as error:
            raise self._no_fit({next(iter(names.values())): 0}) from error

    def _make_room(self) -> None:
        """Free the page that a new header takes (the driver itself does not)."""
        try:
            self.fs.gc(self._geometry.data_size)
        except FullError:
            return  # the spare blocks may still have it

    def gc(self) -> int:
        """Collect all garbage that can be; returns the pages freed."""
        self._prepare()
        before = self.fs.statvfs().deleted
        if not before:
            return 0
        with self._whole():
            self._tidy()
        return before - self.fs.statvfs().deleted

    def _tidy(self) -> None:
        """Collect block by block and keep the state with the fewest deleted pages.

        Moving a block's files leaves deleted index pages elsewhere, so that more is not always
        better.
        """
        data_size = self._geometry.data_size
        fs = self._mounted(runs=1)
        least, best, spare = fs.statvfs().deleted, self._area(), self._spare_blocks()
        self._medium.mark_wear()
        for _ in range(self._geometry.blocks):
            if not least:
                break
            with suppress(FullError):
                fs.gc(max(0, free_pages(fs) + fs.statvfs().deleted) * data_size)
            wanted = min(spare, _SPARE_BLOCKS)
            if fs.statvfs().deleted < least and self._spare_blocks() >= wanted:
                least, best = fs.statvfs().deleted, self._area()
                self._medium.mark_wear()
        self._medium.undo_wear()
        self._go_back(best)

    def _check_fits(self, sizes: Mapping[bytes, int]) -> None:
        check_fits(self.fs, sizes, self._label, self._host)

    def _no_fit(self, sizes: Mapping[bytes, int]) -> FitError:
        return fit_error(self.fs, sizes, self._label, self._host)
