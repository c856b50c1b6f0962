"""The fields of a flash image: firmware, Kboot, models, and the SPIFFS areas in it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING

from maixfs.explain.fields import (
    Address,
    AddressError,
    Explanation,
    Field,
    hex_address,
    record_field,
    value_of,
)
from maixfs.explain.spiffs import AreaFields
from maixfs.firmware import BootConfig, BootEntry, Firmware, FirmwareHeader
from maixfs.firmware.container import LOAD_ADDRESS
from maixfs.firmware.kboot import ConfigRecord, EntryRecord
from maixfs.image.parts import (
    BOOT_CONFIG,
    ERASED,
    FIRMWARE,
    KBOOT_STAGE,
    MODEL,
    SPIFFS,
    UNKNOWN,
    ZERO,
    Found,
    Parts,
)
from maixfs.kmodel import Model, reverse_words
from maixfs.kmodel import ondisk as k
from maixfs.record import Record
from maixfs.spiffs import ondisk
from maixfs.spiffs.detect import Detection

if TYPE_CHECKING:
    from maixfs.spiffs import Geometry

_SECTOR = 0x1000


class FlashFields:
    """The fields of a flash image, whatever its contents.

    Addresses such as ``page:37`` and ``file:`` refer to the SPIFFS area with ``geometry`` if it is
    known, else to the one at ``base``, else to the first one.
    """

    def __init__(
        self, image: Parts, geometry: Geometry | None = None, *, base: int | None = None
    ) -> None:
        self.image = image
        self._base = base
        self.view = image.view
        self.size = image.size
        self._geometry = geometry
        self._areas: dict[int, AreaFields] = {}
        self._models: dict[int, _ModelFields] = {}

    def at(self, address: int) -> Field:
        """Return the field at an address; raises ``AddressError`` outside the image."""
        # A known geometry wins over detection: the user may look at a damaged area.
        area = self._geometry
        if area is not None and area.base <= address < min(area.base + area.size, self.size):
            return self._area(area).at(address)
        part = self.image.at(address)
        if part is None:
            raise AddressError(
                f"{hex_address(address)} is not in the image, which has {self.size:#x} bytes"
            )
        field = self._in_part(part, address)
        starts = (other.start for other in self.image if other.start > address)
        following = min(starts, default=0)
        if following and field.end > following:  # another part overlaps this one
            return field._replace(size=following - field.start)
        return field

    def close(self) -> None:
        """Release the image's bytes."""
        # A mapped file cannot be closed while a view of it is alive.
        self._areas.clear()
        self._models.clear()
        self.view = memoryview(b"")

    def read(self, start: int, length: int) -> bytes:
        """Return bytes of the image, fewer at its end."""
        return bytes(self.view[start : start + length])

    def explain(self, address: int) -> Explanation:
        """Return a byte with its field."""
        field = self.at(address)
        return Explanation(address, self.view[address], field)

    def _in_part(self, part: Found, address: int) -> Field:
        if part.kind in (FIRMWARE, KBOOT_STAGE):
            return _firmware_field(self.view, part, address)
        if part.kind == BOOT_CONFIG:
            return _config_field(self.view, part, address)
        if part.kind == MODEL:
            return self._model(part).at(address)
        if part.kind == SPIFFS:
            assert isinstance(part.what, Detection)
            return self._area(part.what.geometry).at(address)
        layout = self.image.layout
        region = layout.region_at(address) if layout else None
        return _plain_field(part, region.owner if region else "")

    def _area(self, geometry: Geometry) -> AreaFields:
        known = self._areas.get(geometry.base)
        if known is None:
            known = self._areas[geometry.base] = AreaFields(self.view, geometry)
        return known

    def _model(self, part: Found) -> _ModelFields:
        assert isinstance(part.what, Model)
        known = self._models.get(part.start)
        if known is None:
            known = self._models[part.start] = _ModelFields(self.view, part.what)
        return known

    def resolve(self, place: Address) -> int:
        """Return the address of a place; raises ``AddressError`` if it is not in the image."""
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
            area.geometry for area in self.image.areas if self._base in (None, area.geometry.base)
        ]
        geometry = self._geometry or next(iter(areas), None)
        if geometry is None:
            raise AddressError(f"{place.text}: the image has no SPIFFS")
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
        # Without slashes: tools store names with and without the one in front.
        wanted = place.path.removeprefix("/flash/").lstrip("/").encode()
        files = [file for file in area.map.files.values() if file.name.lstrip(b"/") == wanted]
        if not files:
            raise AddressError(f"{place.text}: no such file in the SPIFFS")
        file, geometry = files[0], area.geometry
        if place.offset >= file.size:
            if place.offset == 0:  # an empty file has no data, only an index header
                return geometry.page_address(file.page)
            raise AddressError(f"{place.text}: the file has {file.size} bytes")
        span, rest = divmod(place.offset, geometry.data_size)
        pages = [page for page, use in area.map.listed.items() if use == (file.obj_id, span)]
        if not pages or pages[0] >= geometry.pages:
            raise AddressError(f"{place.text}: the page with that byte is lost")
        return geometry.page_address(pages[0]) + ondisk.PageHeader.size + rest


# Firmware, Kboot, and bytes of no part

_FIRMWARE, _KBOOT, _MAP = "25", "26", "24"


def _firmware_field(view: memoryview, part: Found, address: int) -> Field:
    """Return the field of a firmware image or a Kboot stage."""
    firmware = part.what
    assert isinstance(firmware, Firmware)
    structure = _firmware_name(firmware, part)
    start = firmware.payload_address
    if address < start:
        return _firmware_header(view, firmware, part.kind, structure, address)
    end = start + firmware.length
    if address < end:
        code = "encrypted program" if firmware.aes else "program"
        meaning = f"{code}, which the ROM loads to {LOAD_ADDRESS:#x} and starts"
        return Field(
            start, end - start, part.kind, structure, "payload", "", meaning, _FIRMWARE, "", 0
        )
    total_end = firmware.address + firmware.total
    if address < total_end:
        value = bytes(view[end:total_end]).hex()
        meaning = "right" if firmware.sha_ok else "wrong: the image is damaged"
        meaning = f"over flags, length and payload; {meaning}"
        return Field(
            end, total_end - end, part.kind, structure, "SHA-256", value, meaning, _FIRMWARE
        )
    meaning = "zeros with which the flasher padded the file"
    size = max(part.end, address + 1) - total_end
    return Field(total_end, size, part.kind, structure, "padding", "", meaning, _FIRMWARE)


def _firmware_name(firmware: Firmware, part: Found) -> str:
    name = firmware.banner.product or "firmware"
    if part.kind == KBOOT_STAGE:
        name = part.detail.partition(",")[0]
        return f"Kboot, {name}"
    return f"the firmware at {hex_address(firmware.address)}" + f" ({name})" * (name != "firmware")


def _firmware_header(
    view: memoryview, firmware: Firmware, kind: str, structure: str, address: int
) -> Field:
    base = firmware.address
    if address == base:
        words = ["encrypted" if firmware.aes else "not encrypted"]
        words.append("DIO" if firmware.dio else "no DIO")
        value = f"{view[base]:02X}"
        return Field(base, 1, kind, structure, "flags", value, ", ".join(words), _FIRMWARE)
    start = base + FirmwareHeader.offset_of("length")
    size = firmware.payload_address - start
    value = f"{firmware.length:08X} ({firmware.length})"
    meaning = f"bytes of the payload; the image ends at {base + firmware.total:#x}"
    return Field(start, size, kind, structure, "length", value, meaning, _FIRMWARE)


def _config_field(view: memoryview, part: Found, address: int) -> Field:
    """Return the field of a boot configuration of Kboot."""
    config = part.what
    assert isinstance(config, BootConfig)
    base = part.start
    which = part.detail.partition(",")[0]
    offset = address - base
    flags_at, end = ConfigRecord.offset_of("boot_flags"), ConfigRecord.size
    if offset < flags_at:
        number = offset // EntryRecord.size
        entry = config.entries[number]
        return _entry_field(view, base + number * EntryRecord.size, address, which, entry)
    if offset < end:
        value = f"{config.boot_flags:08X}"
        at = base + flags_at
        return Field(
            at, 4, part.kind, f"the {which}", "boot flags", value, _flags_words(config), _KBOOT
        )
    meaning = "not used by Kboot"
    rest = part.size - end
    return Field(base + end, rest, part.kind, f"the {which}", "rest", "", meaning, _KBOOT)


def _flags_words(config: BootConfig) -> str:
    if config.silent:
        return "silent: Kboot prints nothing and ignores the boot pin"
    pin = config.boot_pin
    return "no flags: the default boot pin" if pin is None else f"boot pin {pin}"


def _entry_field(view: memoryview, base: int, address: int, which: str, entry: BootEntry) -> Field:
    named = f" ({entry.name})" if entry.present and entry.name else ""
    field = record_field(
        view,
        EntryRecord.fields,
        base,
        address,
        region=BOOT_CONFIG,
        structure=f"entry {entry.number}{named} of the {which}",
        section=_KBOOT,
        big_endian=True,
    )
    assert field is not None  # the fields of an entry leave no gap
    if not entry.present:
        return field._replace(meaning="no entry: its id is not that of one", is_general=False)
    if field.name != "id":
        return field
    return field._replace(meaning=_entry_words(entry), is_general=False)


def _entry_words(entry: BootEntry) -> str:
    checks = [
        name
        for name, on in (
            ("CRC-32", entry.check_crc and not entry.check_sha),
            ("SHA-256", entry.check_sha),
            ("size", entry.check_size),
        )
        if on
    ]
    active = "active" if entry.active else "not active"
    return f"an entry, {active}; checked: {' and '.join(checks) or 'nothing'}"


def _plain_field(part: Found, owner: str) -> Field:
    """Return the field of erased, zero or unknown bytes; ``owner`` is that of their region."""
    names = {ERASED: "erased flash", ZERO: "zeros"}
    meaning = f"in the region of {owner}" if owner else "in no region of the layout"
    if part.kind == UNKNOWN:
        bits = (
            "" if part.entropy is None else f", {abs(part.entropy):.1f} bits of entropy per byte"
        )
        meaning = f"{part.detail}{bits}; {meaning}"
    name = names.get(part.kind, "unknown bytes")
    return Field(part.start, part.size, part.kind, "", name, "", meaning, _MAP)


# Models

_MAX_ROWS = 4096
"""Records of one table that are shown; real models have a few hundred."""
_CONV = k.V3_LAYERS[k.K210_CONV]
"""Layers of v3 whose body begins with a record of its own."""
Placed = tuple[str, int, type[Record]]
"""Title of a structure, its offset in the model, and its record."""


class _ModelFields:
    """The fields of a model in an image."""

    def __init__(self, view: memoryview, model: Model) -> None:
        self.model = model
        raw = bytes(view[model.address : model.end])
        # Records are decoded in their right order; addresses stay those of the bytes in the flash.
        self._data = reverse_words(raw)[: len(raw)] if model.reversed else raw
        self._name = f"the model at {hex_address(model.address)} (kmodel {model.version})"
        self._section = _section_of(model.version)
        self._constants: Field | None = None
        self._fields = list(self._whole())
        self._starts = [field.start for field in self._fields]

    def at(self, address: int) -> Field:
        """Return the field at an address of the model."""
        return self._fields[max(0, bisect_right(self._starts, address) - 1)]

    def _whole(self) -> Iterator[Field]:
        """Yield fields from the model's start to its end, without gaps."""
        at, end = self.model.address, self.model.end
        for field in sorted(self._known(), key=lambda field: (field.start, field.size)):
            # Records of a damaged model can overlap or lead out of it. The first one wins: every
            # byte has one field.
            if field.start < at or field.end > end:
                continue
            if field.start > at:
                yield self._gap(at, field.start)
            yield field
            at = field.end
        if at < end:
            yield self._gap(at, end)

    def _gap(self, start: int, end: int) -> Field:
        meaning = "parameters that the layers' records point at, or padding"
        return Field(start, end - start, MODEL, self._name, "data", "", meaning, self._section)

    def _known(self) -> Iterator[Field]:
        for structure, offset, record in self._records():
            yield from self._record(structure, offset, record)
        if self._constants is not None:
            yield self._constants
        for number, layer in enumerate(self.model.layers):
            skip = k.V3Conv.size if layer.name == _CONV else 0
            if layer.size > skip and self._has_bodies:
                meaning = f"body of layer {number}, {layer.name}"
                start, size = self.model.address + layer.address + skip, layer.size - skip
                yield Field(
                    start,
                    size,
                    MODEL,
                    self._name,
                    "body",
                    "",
                    meaning,
                    self._section,
                    offset=skip,
                )

    @property
    def _has_bodies(self) -> bool:
        """Whether each layer has one body; those of v1 have several, at offsets in records."""
        return self.model.version in ("v3", "v4")

    def _record(self, structure: str, offset: int, record: type[Record]) -> Iterator[Field]:
        names = _KINDS.get(record, {})
        for row in record.fields:
            at = offset + row.offset
            raw = self._data[at : at + row.size]
            is_kind = row.name in ("type", "opcode") and bool(names)
            number = int.from_bytes(raw, "little")
            yield Field(
                self.model.address + at,
                row.size,
                MODEL,
                f"{structure} of {self._name}",
                row.name,
                value_of(raw) if raw else "",
                k.named(names, number) if is_kind else row.meaning,
                self._section,
                is_general=not is_kind,
            )

    def _records(self) -> Iterator[Placed]:
        version = self.model.version
        if version in ("v1", "v3", "v4"):
            yield from {"v1": self._v1, "v3": self._v3, "v4": self._v4}[version]()
        elif version == "v5":
            yield from self._v5()
        elif version == "v5 beta":
            yield "header", 0, k.BetaHeader
        else:
            yield "header", 0, k.SealedHeader

    def _table(
        self, title: str, record: type[Record], offset: int, count: int
    ) -> Iterator[Placed]:
        for number in range(min(count, _MAX_ROWS)):
            yield f"{title} {number}", offset + number * record.size, record

    def _v1(self) -> Iterator[Placed]:
        yield "header", 0, k.V1Header
        head = k.V1Header.unpack(self._data)
        yield from self._table("layer", k.V1Metadata, head.size, head.layers_length)

    def _v3(self) -> Iterator[Placed]:
        head = k.V3Header.unpack(self._data)
        at = head.size
        yield "header", 0, k.V3Header
        yield from self._table("output", k.V3Output, at, head.output_count)
        at += k.V3Output.size * head.output_count
        yield from self._table("layer", k.V3Layer, at, head.layers_length)
        for number, layer in enumerate(self.model.layers):
            if layer.name == _CONV:
                yield f"k210_conv, layer {number},", layer.address, k.V3Conv

    def _v4(self) -> Iterator[Placed]:
        head = k.V4Header.unpack(self._data)
        at = head.size
        yield "header", 0, k.V4Header
        yield from self._table("input", k.V4Range, at, head.inputs)
        at += k.V4Range.size * head.inputs
        yield from self._table("shape of input", k.V4Shape, at, head.inputs)
        at += k.V4Shape.size * head.inputs
        yield from self._table("output", k.V4Range, at, head.outputs)
        at += k.V4Range.size * head.outputs
        if head.constants:
            data = self._data[at : at + head.constants]
            self._constants = Field(
                self.model.address + at,
                head.constants,
                MODEL,
                self._name,
                "constants",
                value_of(data) if data else "",
                "parameters of all nodes",
                self._section,
                is_general=True,
            )
        at += head.constants
        yield from self._table("node", k.V4Node, at, head.nodes)

    def _v5(self) -> Iterator[Placed]:
        yield "header", 0, k.V5Header
        head = k.V5Header.unpack(self._data)
        at = head.size
        for number in range(min(head.modules, _MAX_ROWS)):
            if at + k.V5Module.size > len(self._data):
                return
            module = k.V5Module.unpack(self._data, at)
            yield f"module {number}", at, k.V5Module
            yield from self._v5_inside(module, at + module.size, f"of module {number}")
            # A damaged length of 0 must not stop the walk at one module.
            at += max(module.length, module.size)

    def _v5_inside(self, module: k.V5Module, at: int, whose: str) -> Iterator[Placed]:
        pools = min(module.mempools, _MAX_ROWS)
        for number in range(pools):
            yield f"memory pool {number} {whose}", at + k.V5Pool.size * number, k.V5Pool
        at += k.V5Pool.size * module.mempools + k.V5SharedPool.size * module.shared_mempools
        for number in range(min(module.functions, _MAX_ROWS)):
            if at + k.V5Function.size > len(self._data):
                return
            yield f"function {number} {whose}", at, k.V5Function
            function = k.V5Function.unpack(self._data, at)
            at += max(function.length, function.size)
        for number in range(min(module.sections, _MAX_ROWS)):
            if at + k.V5Section.size > len(self._data):
                return
            yield f"section {number} {whose}", at, k.V5Section
            section = k.V5Section.unpack(self._data, at)
            at += section.size
            if not section.flags & k.MERGED_INTO_RDATA:
                at += section.body_start + section.body_size


_KINDS: dict[type[Record], dict[int, str]] = {k.V3Layer: k.V3_LAYERS, k.V4Node: k.V4_NODES}
"""Names of the numbers in the fields ``type`` and ``opcode``."""


def _section_of(version: str) -> str:
    numbers = {"v1": "27.1", "v3": "27.2", "v4": "27.3", "v5": "27.4", "v5 beta": "27.4"}
    return numbers.get(version, "27.5")
