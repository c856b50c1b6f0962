"""A whole chip, or a dump of one: what is in it, found and not believed."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING

from maixfs.firmware import Firmware, Kboot, read_kboot
from maixfs.firmware.kboot import DEFAULT_APP
from maixfs.image import records
from maixfs.image.gaps import fill_gap, gaps
from maixfs.image.layout import Layout, find_layout
from maixfs.image.records import Found, Overlap
from maixfs.image.search import find_areas, find_firmware, find_kmodels, kboot_parts
from maixfs.nor import Buffer

if TYPE_CHECKING:
    from maixfs.kmodel import Model
    from maixfs.spiffs.detect import Detection

_DEFAULT = "maixpy-16m"


class FlashImage:
    """What is in an image of a flash chip; nothing in it is changed.

    ``FlashImage(dump)`` searches at once. ``layout`` tells what is meant to be there; without
    one it is the preset that suits what was found, ``None`` where the image is smaller than the
    preset's chip (``preset`` has it all the same). Any bytes will do; nothing is raised.
    """

    def __init__(self, image: Buffer, layout: Layout | None = None) -> None:
        self.view = memoryview(image).cast("B").toreadonly()
        self.size = len(self.view)
        self.kboot: Kboot | None = read_kboot(self.view)
        self._parts = self._search(layout)
        self.preset = layout or find_layout(_suiting_name(self))
        self.layout = self.preset if layout or self.size >= self.preset.size else None

    def _search(self, layout: Layout | None) -> list[Found]:
        """Return what was found, without the gaps, by address."""
        parts = list(kboot_parts(self.kboot)) if self.kboot else []
        firmware = list(find_firmware(self.view, self._firmware_places(layout)))
        parts += [one for one in firmware if not _inside_any(one, parts)]
        parts += find_kmodels(self.view, firmware)
        usual = next(iter((layout or find_layout(_DEFAULT)).of_kind("spiffs")), None)
        parts += find_areas(self.view, parts, usual)
        return sorted(parts, key=lambda one: (one.start, -one.size))

    def _firmware_places(self, layout: Layout | None) -> list[int]:
        places = [region.start for region in layout.of_kind("firmware")] if layout else []
        if self.kboot is None:
            return [0, *places]
        entries = (*self.kboot.main.present, *self.kboot.backup.present)
        return [*places, DEFAULT_APP, *(entry.address for entry in entries)]

    @cached_property
    def found(self) -> tuple[Found, ...]:
        """Everything by address; the gaps are filled with what is erased, zero or unknown.

        Parts may overlap where one has overwritten the other: see ``conflicts``.
        """
        fill = [
            one
            for start, end in gaps(self.size, self._parts)
            for one in fill_gap(self.view, start, end)
        ]
        return tuple(sorted([*self._parts, *fill], key=lambda one: (one.start, -one.size)))

    @property
    def parts(self) -> tuple[Found, ...]:
        """What was found, by address, without what is erased, zero or unknown."""
        return tuple(self._parts)

    @property
    def firmware(self) -> tuple[Firmware, ...]:
        """The firmware images, Kboot's stages left out."""
        found = (one.what for one in self._parts if one.kind == records.FIRMWARE)
        return tuple(one for one in found if isinstance(one, Firmware))

    @property
    def models(self) -> tuple[Model, ...]:
        """The models."""
        from maixfs.kmodel import Model

        return tuple(one.what for one in self._parts if isinstance(one.what, Model))

    @property
    def areas(self) -> tuple[Detection, ...]:
        """The SPIFFS areas."""
        from maixfs.spiffs.detect import Detection

        return tuple(one.what for one in self._parts if isinstance(one.what, Detection))

    def at(self, address: int) -> Found | None:
        """Return what an address belongs to; the part that begins last where several do.

        ``None`` for an address outside of the image.
        """
        if not 0 <= address < self.size:
            return None
        starts = [one.start for one in self.found]
        upto = self.found[: bisect_right(starts, address)]
        return next((one for one in reversed(upto) if address < one.end), None)

    @cached_property
    def conflicts(self) -> tuple[Overlap, ...]:
        """Bytes that two claim: parts that overlap, and parts in the region of another owner."""
        from maixfs.image.neighbours import find_overlaps

        return tuple(find_overlaps(self._parts, self.layout))


def _inside_any(one: Found, others: list[Found]) -> bool:
    return any(other.start <= one.start and one.end <= other.end for other in others)


def _suiting_name(image: FlashImage) -> str:
    """Return the name of the preset that suits what was found."""
    products = {firmware.banner.product for firmware in image.firmware}
    lobo = "MicroPython by LoBo" in products
    if image.kboot is not None:
        entries = (*image.kboot.main.present, *image.kboot.backup.present)
        if lobo or not any(entry.address == 0x80000 for entry in entries):
            return "lobo-kboot-16m"
        old = any(entry.address == 0x280000 for entry in entries)
        return "krux-16m-old" if old else "krux-16m"
    if lobo:
        return "lobo-16m"
    demo_models = {0xA00000, 0xC00000, 0xE00000}
    named = products - {""} or image.areas
    models = {model.address for model in image.models}
    return "kendryte" if models and models <= demo_models and not named else _DEFAULT
