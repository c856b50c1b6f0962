"""What every byte of a flash image is: its field, and a sentence about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.explain.address import Address, AddressError
from maixfs.explain.areafields import AreaFields
from maixfs.explain.fields import Explanation, Field, hex_address
from maixfs.explain.partfields import config_field, firmware_field, plain_field
from maixfs.image import records
from maixfs.image.flash import FlashImage
from maixfs.image.records import Found

if TYPE_CHECKING:
    from maixfs.explain.modelfields import ModelFields
    from maixfs.spiffs import Geometry

_SECTOR = 0x1000


class FlashFields:
    """The fields of a flash image; nothing that may be found in one raises an error.

    ``geometry`` is that of the SPIFFS that addresses like ``page:37`` and ``file:`` mean, where
    it is known; else the first that was found, or the one at ``base``.
    """

    def __init__(
        self, image: FlashImage, geometry: Geometry | None = None, *, base: int | None = None
    ) -> None:
        self.image = image
        self._base = base
        self.view = image.view
        self.size = image.size
        self._given = geometry
        self._areas: dict[int, AreaFields] = {}
        self._models: dict[int, ModelFields] = {}

    def at(self, address: int) -> Field:
        """Return the field that an address is in; ``AddressError`` behind the image."""
        given = self._given
        if given is not None and given.base <= address < min(given.base + given.size, self.size):
            return self._area(given).at(address)
        found = self.image.at(address)
        if found is None:
            raise AddressError(
                f"{hex_address(address)} is not in the image, which has {self.size:#x} bytes"
            )
        field = self._in_part(found, address)
        behind = min((one.start for one in self.image.parts if one.start > address), default=0)
        if behind and field.end > behind:  # another part lies over this one
            return field._replace(size=behind - field.start)
        return field

    def close(self) -> None:
        """Let go of the image's bytes."""
        self._areas.clear()
        self._models.clear()
        self.view = memoryview(b"")

    def read(self, start: int, length: int) -> bytes:
        """Return bytes of the image; fewer where it ends."""
        return bytes(self.view[start : start + length])

    def explain(self, address: int) -> Explanation:
        """Say all of a byte."""
        field = self.at(address)
        return Explanation(address, self.view[address], field)

    def _in_part(self, found: Found, address: int) -> Field:
        if found.kind in (records.FIRMWARE, records.KBOOT_STAGE):
            return firmware_field(self.view, found, address)
        if found.kind == records.BOOT_CONFIG:
            return config_field(self.view, found, address)
        if found.kind == records.MODEL:
            return self._model(found).at(address)
        if found.kind == records.SPIFFS:
            return self._area(found.what.geometry).at(address)  # type: ignore[attr-defined]
        layout = self.image.layout
        region = layout.region_at(address) if layout else None
        whose = f"the place of {region.owner}" if region else ""
        return plain_field(found, whose)

    def _area(self, geometry: Geometry) -> AreaFields:
        known = self._areas.get(geometry.base)
        if known is None:
            known = self._areas[geometry.base] = AreaFields(self.view, geometry)
        return known

    def _model(self, found: Found) -> ModelFields:
        from maixfs.explain.modelfields import ModelFields
        from maixfs.kmodel import Model

        assert isinstance(found.what, Model)
        known = self._models.get(found.start)
        if known is None:
            known = self._models[found.start] = ModelFields(self.view, found.what)
        return known

    def resolve(self, place: Address) -> int:
        """Return the address that a place means; raises ``AddressError`` where there is none."""
        address = self._start_of(place) + (0 if place.kind == "file" else place.offset)
        if not 0 <= address < self.size:
            raise AddressError(
                f"{place.text or hex_address(address)} is not in the image, which has"
                f" {self.size:#x} bytes"
            )
        return address

    def _start_of(self, place: Address) -> int:
        if place.kind in ("cluster", "fat"):
            raise AddressError(f"{place.text}: a flash has no {place.kind}, only cards do")
        if place.kind in ("block", "page", "file"):
            return self._in_area(place)
        return place.number * (_SECTOR if place.kind == "sector" else 1)

    def _in_area(self, place: Address) -> int:
        areas = [
            one.geometry for one in self.image.areas if self._base in (None, one.geometry.base)
        ]
        geometry = self._given or next(iter(areas), None)
        if geometry is None:
            raise AddressError(f"{place.text}: no SPIFFS was found in the image")
        if place.kind == "file":
            return self._in_file(self._area(geometry), place)
        unit, count = (
            (geometry.block_size, geometry.blocks)
            if place.kind == "block"
            else (geometry.page_size, geometry.pages)
        )
        if place.number >= count:
            raise AddressError(f"{place.text}: the SPIFFS has {count} {place.kind}s, from 0")
        return geometry.base + place.number * unit

    @staticmethod
    def _in_file(area: AreaFields, place: Address) -> int:
        wanted = place.path.removeprefix("/flash/").lstrip("/").encode()
        files = [one for one in area.map.files.values() if one.name.lstrip(b"/") == wanted]
        if not files:
            raise AddressError(f"{place.text}: no such file in the SPIFFS")
        file, geometry = files[0], area.geometry
        if place.offset >= file.size:
            if place.offset == 0:  # an empty file has no data: its index header then
                return geometry.page_address(file.page)
            raise AddressError(f"{place.text}: the file has {file.size} bytes")
        span, rest = divmod(place.offset, geometry.data_size)
        pages = [page for page, one in area.map.listed.items() if one == (file.obj_id, span)]
        if not pages or pages[0] >= geometry.pages:
            raise AddressError(f"{place.text}: the page with that byte is lost")
        return geometry.page_address(pages[0]) + 5 + rest
