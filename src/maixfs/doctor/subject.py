"""What the rules across parts look at: flash, its file system and the card of one board.

The rules use nothing of an image but the members of ``Subject``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from maixfs.errors import MaixfsError
from maixfs.image.layout import Layout, Region, find_layout
from maixfs.image.parts import Found, Overlap, Parts
from maixfs.nor.device import is_filled
from maixfs.spiffs import SpiffsError
from maixfs.spiffs.check import SpiffsCheck

if TYPE_CHECKING:
    from maixfs.firmware import Firmware, Kboot
    from maixfs.image.cardreport import CardSummary
    from maixfs.image.entries import Progress
    from maixfs.image.image import Image
    from maixfs.kmodel import Model
    from maixfs.nor import Buffer
    from maixfs.spiffs import Geometry, SpiffsCore
    from maixfs.spiffs.detect import Detection

T = TypeVar("T")
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
        flash: Buffer | Parts,
        *,
        geometry: Geometry | None = None,
        is_board: bool = False,
        card: Card | None = None,
        image: Image | None = None,
    ) -> None:
        self._flash = flash if isinstance(flash, Parts) else Parts(flash)
        self._geometry = geometry
        self.is_board = is_board
        """Whether it is a virtual board, which starts without firmware, too."""
        self.card = card
        self._image = image
        self._computed: dict[Callable[[Subject], Any], Any] = {}

    @classmethod
    def of_image(cls, image: Image, progress: Progress | None = None) -> Subject:
        """Return the subject of an open flash image or board; its mounted file system is used.

        Raises ``NoFileSystemError`` if the geometry that was given does not fit.
        """
        return cls(
            image.parts,
            geometry=_given_geometry(image),
            is_board=image.config is not None,
            card=_card(image, progress),
            image=image,
        )

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
    def parts(self) -> Parts:
        """The parts, by address."""
        return self._flash

    @property
    def found(self) -> tuple[Found, ...]:
        """The same, with everything that is erased, zero or unknown."""
        return self._flash.ranges

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
        geometries = [area.geometry for area in self.areas]
        at_home = [known for known in geometries if known.base == self.home_region.start]
        return next(iter([*at_home, *geometries]), None)

    @property
    def is_bare(self) -> bool:
        """Whether the image is one file system and no chip."""
        return self.geometry is not None and self.geometry.base == 0

    @cached_property
    def is_chip(self) -> bool:
        """Whether the image can be a whole chip, from which a board starts."""
        if self.is_bare or self.size < LEAST_CHIP:
            return False
        # Zeros alone are a new file or a read that failed: they say nothing about a chip.
        return self.is_board or not is_filled(self.view, 0)

    @cached_property
    def spiffs(self) -> SpiffsCheck | None:
        """The file system; ``None`` if there is none. It need not mount."""
        if self.geometry is None:
            return None
        point = "" if self.is_bare else "/flash"
        return SpiffsCheck(self.view, self.geometry, point, self._mounted_core())

    def _mounted_core(self) -> SpiffsCore | None:
        """Return the file system as the image mounted it; ``None`` where it is another area."""
        if self._image is None:
            return None
        try:
            volume = self._image.spiffs
        except MaixfsError:
            return None
        # A dump that was shifted or padded is mounted on other bytes than those that the rules
        # read.
        shows_file = volume.medium.shown is volume.medium.image and not volume.blank
        return volume.core if shows_file and volume.geometry == self.geometry else None

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
                    # Two headers of one name are damage; the board finds the first.
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

    def once(self, compute: Callable[[Subject], T]) -> T:
        """Return ``compute(self)``, which is computed when it is first asked for."""
        if compute not in self._computed:
            self._computed[compute] = compute(self)
        return cast("T", self._computed[compute])


class Card:
    """The card in the slot of a board; it is read when a rule asks for it.

    ``fault`` says why it cannot be opened at all.
    """

    def __init__(self, board: Image, progress: Progress | None = None) -> None:
        self._board = board
        self._progress = progress

    @cached_property
    def fault(self) -> MaixfsError | None:
        """Why the card cannot be read; ``None`` if it can."""
        from maixfs.image.cardreport import summarize_slot

        try:
            self._summary = summarize_slot(self._board, self._progress)
        except MaixfsError as error:
            return error
        return None

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
        if not self.mounts:
            return frozenset()
        try:
            return frozenset(entry.name.lower() for entry in self._board.scandir("/sd"))
        except MaixfsError:
            return frozenset()


def _given_geometry(image: Image) -> Geometry | None:
    from maixfs.image.opening import find_area_at, fit_geometry

    where, view = image.where, image.flash.image
    geometry = where.geometry or (image.config.geometry if image.config else None)
    # A geometry that was given wins: the area may be too damaged to be found.
    if geometry is not None:
        return fit_geometry(geometry, len(view), image.host, where.base)
    if where.base is not None:
        return find_area_at(view, image.host, where.base)[0].geometry
    return None


def _card(image: Image, progress: Progress | None) -> Card | None:
    if image.config is None or image.source.folder is None:
        return None
    file = image.config.sd.path(image.source.folder)
    return Card(image, progress) if file else None
