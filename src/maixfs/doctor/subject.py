"""What the rules across parts look at: flash, its file system and the card of one board.

The rules use nothing of an image but the members of ``Subject``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.errors import MaixfsError
from maixfs.image.flash import FlashImage
from maixfs.image.layout import Layout, Region, find_layout
from maixfs.image.records import Found, Overlap
from maixfs.spiffs import SpiffsError
from maixfs.spiffs.check import SpiffsCheck

if TYPE_CHECKING:
    from maixfs.doctor.boot import BootReport
    from maixfs.firmware import Firmware, Kboot
    from maixfs.image.cardreport import CardSummary
    from maixfs.image.entries import Progress, Where
    from maixfs.image.source import Source
    from maixfs.kmodel import Model
    from maixfs.nor import Buffer
    from maixfs.spiffs import Geometry
    from maixfs.spiffs.detect import Detection

LEAST_CHIP = 4 << 20
"""Bytes of the smallest chip that such boards have; smaller images are parts of one."""
LARGEST_PROGRAM = 1 << 20
"""Bytes; a longer file is not a program, and is not read."""
_READ = (".py", ".conf", ".json")
"""Ends of names of the files whose content rules look at."""


class Subject:
    """Everything that is examined; each part is read once, when a rule asks for it.

    ``geometry`` is that of the file system, if it is known; else it is found. A ``card`` is the
    one in the slot of a virtual board.
    """

    def __init__(
        self,
        flash: Buffer | FlashImage,
        *,
        geometry: Geometry | None = None,
        is_board: bool = False,
        card: Card | None = None,
    ) -> None:
        self._flash = flash if isinstance(flash, FlashImage) else FlashImage(flash)
        self._geometry = geometry
        self.is_board = is_board
        """Whether it is a virtual board, which starts without firmware, too."""
        self.card = card
        self.holder: int | None = None
        """The process that has the board powered on (0: not known which), or ``None``."""

    @property
    def view(self) -> memoryview:
        """The bytes of the flash."""
        return self._flash.view

    @property
    def size(self) -> int:
        """Bytes of the flash."""
        return self._flash.size

    @property
    def layout(self) -> Layout | None:
        """The regions of the flash; ``None`` if the image is smaller than the layout's chip."""
        return self._flash.layout

    @property
    def preset(self) -> Layout:
        """The layout that matches the parts, whatever the size of the image."""
        return self._flash.preset

    @property
    def parts(self) -> tuple[Found, ...]:
        """The parts, by address."""
        return self._flash.parts

    @property
    def found(self) -> tuple[Found, ...]:
        """The same, with everything that is erased, zero or unknown."""
        return self._flash.found

    @property
    def firmware(self) -> tuple[Firmware, ...]:
        """The firmware images, stages of Kboot left out."""
        return self._flash.firmware

    @property
    def models(self) -> tuple[Model, ...]:
        """The models."""
        return self._flash.models

    @property
    def areas(self) -> tuple[Detection, ...]:
        """The SPIFFS areas."""
        return self._flash.areas

    @property
    def kboot(self) -> Kboot | None:
        """Kboot, if it is there."""
        return self._flash.kboot

    @property
    def conflicts(self) -> tuple[Overlap, ...]:
        """Bytes that two parts or owners claim."""
        return self._flash.conflicts

    def at(self, address: int) -> Found | None:
        """Return what an address belongs to."""
        return self._flash.at(address)

    @cached_property
    def home(self) -> Geometry:
        """Where and in which format the firmware mounts /flash."""
        if self.is_board and self._geometry is not None:
            return self._geometry
        geometry = self.home_region.spiffs_geometry()
        assert geometry is not None
        return geometry

    @property
    def home_region(self) -> Region:
        """The region of the layout for /flash; that of MaixPy if the layout has none."""
        regions = self.layout.of_kind("spiffs") if self.layout else ()
        return next(
            (region for region in regions if region.geometry),
            find_layout("maixpy-16m").region("flash"),
        )

    @cached_property
    def geometry(self) -> Geometry | None:
        """The file system that is examined: that of the board, the one at home, or the first."""
        if self._geometry is not None:
            return self._geometry
        found = [area.geometry for area in self.areas]
        at_home = [one for one in found if one.base == self.home_region.start]
        return next(iter([*at_home, *found]), None)

    @property
    def is_bare(self) -> bool:
        """Whether the image is one file system and no chip."""
        return self.geometry is not None and self.geometry.base == 0

    @property
    def is_chip(self) -> bool:
        """Whether the image can be a whole chip, from which a board starts."""
        return not self.is_bare and self.size >= LEAST_CHIP

    @cached_property
    def spiffs(self) -> SpiffsCheck | None:
        """The file system; ``None`` if there is none. It need not mount."""
        if self.geometry is None:
            return None
        return SpiffsCheck(self.view, self.geometry, "" if self.is_bare else "/flash")

    @property
    def mounted(self) -> SpiffsCheck | None:
        """The file system if it mounts, else ``None``."""
        check = self.spiffs
        return check if check is not None and not check.blank and check.mounts else None

    @cached_property
    def programs(self) -> Mapping[str, bytes]:
        """Contents of the programs and settings that can be read, by stored name."""
        files: dict[str, bytes] = {}
        for entry in self.mounted.entries if self.mounted else ():
            name = entry.raw_name.decode("utf-8", "backslashreplace")
            if name.lower().endswith(_READ) and entry.size <= LARGEST_PROGRAM:
                content = self.read(name)
                if content is not None:
                    files.setdefault(name, content)
        return files

    def read(self, name: str) -> bytes | None:
        """Return the contents of a file; ``None`` if it is missing or cannot be read."""
        for entry in self.mounted.entries if self.mounted else ():
            if entry.raw_name == name.encode("utf-8", "surrogateescape"):
                try:
                    return self.mounted.read(entry) if self.mounted else None
                except SpiffsError:
                    return None  # a rule about the file system itself reports it
        return None

    @cached_property
    def boot(self) -> BootReport:
        """The start of the board, step by step."""
        from maixfs.doctor.boot import report_boot

        return report_boot(self)


class Card:
    """The card in the slot of a board; it is read when a rule asks for it.

    ``fault`` says why it cannot be opened at all.
    """

    def __init__(self, board: Path, file: Path, progress: Progress | None = None) -> None:
        self._board = board
        self._file = file
        self._progress = progress

    @cached_property
    def fault(self) -> MaixfsError | None:
        """Why the card cannot be read; ``None`` if it can."""
        from maixfs.image.source import no_image

        if not self._file.exists():
            return no_image(self._file, self._board)
        try:
            self._summary = self._summarize()
        except MaixfsError as error:
            return error
        return None

    def _summarize(self) -> CardSummary:
        from maixfs.image.cardreport import summarize_file

        return summarize_file(self._file, str(self._file), self._progress)

    @property
    def summary(self) -> CardSummary | None:
        """Its contents; ``None`` if it cannot be read."""
        return None if self.fault is not None else self._summary

    @property
    def mounts(self) -> bool:
        """Whether a board mounts it as /sd."""
        return self.summary is not None and self.summary.report.mountable

    @cached_property
    def names(self) -> frozenset[str]:
        """The names in the folder /sd, in lower case, because FAT does not tell cases apart."""
        from maixfs.image.opening import open_image

        if not self.mounts:
            return frozenset()
        try:
            with open_image(self._board) as target:
                return frozenset(entry.name.lower() for entry in target.scandir("/sd"))
        except MaixfsError:
            return frozenset()


@contextmanager
def open_subject(host: Path, where: Where, progress: Progress | None = None) -> Iterator[Subject]:
    """Map a flash image or a board's flash for an examination; nothing is written.

    Raises ``DeviceError`` for a file that cannot be read, ``NoFileSystemError`` if the geometry
    in ``where`` does not fit, and ``BoardError`` for a folder that is not a board.
    """
    from maixfs.host.files import read_file
    from maixfs.host.mapped import MappedFile
    from maixfs.image.source import board_holder, find_source

    source = find_source(host, writable=False)
    holder = None if source.folder is None else board_holder(source.folder)
    file = MappedFile(source.file, read_only=True) if holder is None else None
    view = memoryview(read_file(source.file)) if file is None else file.cells
    try:
        subject = Subject(
            view,
            geometry=_geometry(source, view, where),
            is_board=source.config is not None,
            card=_card(source, progress),
        )
        subject.holder = holder
        yield subject
    finally:
        if file is not None:
            file.close()


def _geometry(source: Source, view: memoryview, where: Where) -> Geometry | None:
    from maixfs.image.probe import find_area_at, fit_geometry

    geometry = where.geometry or (source.config.geometry if source.config else None)
    if geometry is not None:
        return fit_geometry(geometry, len(view), source.host, where.base)
    if where.base is not None:
        return find_area_at(view, source.host, where.base)[0].geometry
    return None


def _card(source: Source, progress: Progress | None) -> Card | None:
    if source.config is None or source.folder is None:
        return None
    file = source.config.sd.path(source.folder)
    return Card(source.folder, file, progress) if file else None
