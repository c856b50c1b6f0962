"""The parts of an image of a flash: Kboot, firmware, models, SPIFFS areas, and their conflicts."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from math import log2
from typing import TYPE_CHECKING, overload

from maixfs.firmware import (
    Firmware,
    FirmwareError,
    FirmwareHeader,
    has_start_mark,
    read_firmware,
    read_kboot,
)
from maixfs.firmware.container import AES_BLOCK
from maixfs.firmware.kboot import CONFIG_MAIN, CONFIG_SIZE, DEFAULT_APP, STAGE_1
from maixfs.image.layout import Layout, Region, find_layout
from maixfs.nor import Buffer
from maixfs.nor.device import CHUNK, blank, is_filled
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.firmware import BootConfig, Kboot
    from maixfs.kmodel import Model
    from maixfs.spiffs.detect import Detection


ERASED = "erased"
ZERO = "zero"
UNKNOWN = "unknown"
SECTOR = 0x1000
LEAST_BLANK = 4 * SECTOR
"""Bytes; a shorter blank run in the middle of unknown bytes counts as part of them."""
_FF = blank(SECTOR)
_00 = bytes(SECTOR)
_WORDS = {
    "text": "text",
    "code": "looks like program code",
    "compressed": "compressed or encrypted",
    "data": "data",
}
_BLANK_WORDS = {ERASED: "erased (FF)", ZERO: "zeros"}
_STARTS: tuple[tuple[int, bytes, str], ...] = (
    (8, b"littlefs", "a littlefs file system"),
    (0, b"PK\x03\x04", "a zip archive (a .kfpkg is one)"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"\x1f\x8b", "compressed by gzip"),
    (0, b"\x7fELF", "an ELF program"),
)
SAMPLE = 16384
"""Bytes: a longer range is sampled, in pieces from all over it."""
_PIECES = 16
_RANDOM = 7.9
"""Bits per byte from which on bytes are compressed or encrypted, where enough were seen."""
_ENOUGH = 4096
_RETURN = b"\x82\x80"
"""The two bytes of a function's return in compressed RISC-V code."""
_CODE_SHARE = 2048
"""Bytes per function return in code, at most; in random bytes it is one in 65536."""
_TEXT_SHARE = 0.97
_TEXT = bytes({*range(0x20, 0x7F), 0x09, 0x0A, 0x0D, *range(0x80, 0x100)} - {0xFF})


def entropy(data: Buffer, *, sample: int = SAMPLE) -> float:
    """Return the entropy of single bytes, 0 to 8 bits per byte, from a sample of ``data``."""
    return _entropy(_sampled(memoryview(data).cast("B"), sample))


def classify(data: Buffer, *, sample: int = SAMPLE) -> tuple[str, float]:
    """Classify ``data``; return the class and its entropy in bits per byte.

    The class is ``erased`` (all FF), ``zero``, ``text``, ``code`` (for the K210),
    ``compressed`` (or encrypted) or ``data``, decided by a sample.
    """
    seen = _sampled(memoryview(data).cast("B"), sample)
    bits = _entropy(seen)
    if bits == 0.0:
        return {0xFF: "erased", 0x00: "zero"}.get(seen[0] if seen else 0xFF, "data"), bits
    if len(seen.translate(None, _TEXT)) <= (1 - _TEXT_SHARE) * len(seen):
        return ("text" if bits < _RANDOM else "compressed"), bits
    if seen.count(_RETURN) * _CODE_SHARE > len(seen):
        return "code", bits
    return ("compressed" if bits >= _RANDOM and len(seen) >= _ENOUGH else "data"), bits


def _sampled(view: memoryview, sample: int) -> bytes:
    if len(view) <= sample:
        return bytes(view)
    piece = max(1, sample // _PIECES)
    step = (len(view) - piece) / (_PIECES - 1)
    starts = (int(number * step) for number in range(_PIECES))
    return b"".join(bytes(view[start : start + piece]) for start in starts)


def _entropy(data: bytes) -> float:
    size = len(data)
    return sum(n / size * log2(size / n) for n in Counter(data).values()) if data else 0.0


def gaps(size: int, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of what no range (start, end) covers, by address."""
    at = 0
    for start, end in sorted(ranges):
        if start > at:
            yield at, min(start, size)
        at = max(at, end)
    if at < size:
        yield at, size


class Fill(NamedTuple):
    """A range between the parts of an image."""

    kind: str
    """``ERASED``, ``ZERO`` or ``UNKNOWN``."""
    start: int
    size: int
    detail: str
    entropy: float | None
    """Bits per byte of unknown bytes."""


def fill_gap(view: memoryview, start: int, end: int) -> Iterator[Fill]:
    """Yield the ranges of which a gap consists, one after the other."""
    for kind, first, behind in _merged(_runs(view, start, end), start, end):
        if kind != UNKNOWN:
            yield Fill(kind, first, behind - first, _BLANK_WORDS[kind], None)
            continue
        name, bits = classify(view[first : _content_end(view, first, behind)])
        detail = _start_of(view, first) or _WORDS.get(name, "data")
        yield Fill(kind, first, behind - first, detail, bits)


def _content_end(view: memoryview, first: int, behind: int) -> int:
    """Return where unknown bytes end, the erased rest of their last sector left out."""
    last = bytes(view[max(first, behind - SECTOR) : behind])
    return behind - len(last) + len(last.rstrip(b"\xff"))


def _runs(view: memoryview, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """Yield runs of sectors of one kind; the first and the last sector may be parts."""
    kind, first = "", start
    at = start
    while at < end:
        # Most of a flash is erased: whole chunks are compared before their sectors.
        if kind == ERASED and end - at >= CHUNK and is_filled(view[at : at + CHUNK]):
            at += CHUNK
            continue
        behind = min(end, at - at % SECTOR + SECTOR)
        sector = bytes(view[at:behind])
        here = UNKNOWN
        if sector == _FF[: behind - at]:
            here = ERASED
        elif sector == _00[: behind - at]:
            here = ZERO
        if here != kind:
            if at > first:
                yield kind, first, at
            kind, first = here, at
        at = behind
    if end > first:
        yield kind, first, end


def _merged(
    runs: Iterator[tuple[str, int, int]], start: int, end: int
) -> Iterator[tuple[str, int, int]]:
    """Yield the runs, with short blank ones in the middle of unknown bytes taken into those."""
    open_run: tuple[str, int, int] | None = None
    for kind, first, behind in runs:
        inner = start < first and behind < end
        short = kind != UNKNOWN and inner and behind - first < LEAST_BLANK
        here = UNKNOWN if short else kind
        if open_run and open_run[0] == here:
            open_run = (here, open_run[1], behind)
            continue
        if open_run:
            yield open_run
        open_run = (here, first, behind)
    if open_run:
        yield open_run


def _start_of(view: memoryview, address: int) -> str:
    head = bytes(view[address : address + 64])
    return next((words for offset, sign, words in _STARTS if head.startswith(sign, offset)), "")


FIRMWARE = "firmware"
KBOOT_STAGE = "kboot stage"
BOOT_CONFIG = "boot config"
MODEL = "model"
SPIFFS = "spiffs"
BLANK_KINDS = frozenset({ERASED, ZERO})
_DEFAULT = "maixpy-16m"
_MARK = b"\xef\xbe\xad\xde"
_MARK_PLACES = (2, 4, 7, 9)
"""Where the start code's mark can be in a sector: with header 5 bytes later than without."""
_SURE = 0.9
_LIKELY = 0.5
"""Confidence under which a SPIFFS area is not reported."""
_PATIENCE = 4
"""How many times the size of the image is read at most to check what looks like firmware."""
_STAGE_ENDS = (STAGE_1, CONFIG_MAIN)
_MOST_OVERLAPS = 256
"""Overlaps that are reported of one image."""
_AT_HOME = {
    FIRMWARE: {"firmware", "reserved"},
    KBOOT_STAGE: {"kboot stage"},
    BOOT_CONFIG: {"boot config"},
    MODEL: {"models", "reserved", "data"},
    SPIFFS: {"spiffs", "models", "reserved"},
}
"""Kinds of regions that a part may lie in; a file system of one's own may take models' place."""


class Found(NamedTuple):
    """A range of an image and its contents; sizes in bytes."""

    kind: str
    """``firmware``, ``kboot stage``, ``boot config``, ``model``, ``spiffs``, ``erased``,
    ``zero`` or ``unknown``."""
    start: int
    size: int
    what: object
    """The ``Firmware``, ``BootConfig``, ``Model`` or ``Detection``; ``None`` for the others."""
    detail: str
    """A few words for a person."""
    entropy: float | None = None
    """Bits per byte of what is unknown, 0 to 8; ``None`` where the kind says it all."""

    @property
    def end(self) -> int:
        """Address behind the last byte."""
        return self.start + self.size

    def __str__(self) -> str:
        return f"{self.kind} at {self.start:#x}-{self.end:#x}"


class Overlap(NamedTuple):
    """Two owners of the same bytes, found parts or regions of the layout."""

    first: str
    """The part that begins first, or is not where it should be."""
    second: str
    start: int
    """First of the bytes that both claim."""
    size: int
    message: str

    @property
    def end(self) -> int:
        """Address behind the last of these bytes."""
        return self.start + self.size


class Parts(Sequence[Found]):
    """What lies where in an image of a flash: a sequence of the parts that were found, by address.

    Parts may overlap where one has overwritten the other: see ``conflicts``. Found by magic and
    structure; any bytes will do, nothing is raised and nothing is changed.
    """

    def __init__(self, image: Buffer, layout: Layout | None = None) -> None:
        """Search at once. Without ``layout`` the preset that suits the parts is taken."""
        self.view = memoryview(image).cast("B").toreadonly()
        self.size = len(self.view)
        self.kboot: Kboot | None = read_kboot(self.view)
        self._given = layout
        self._found = self._search(layout)

    @cached_property
    def preset(self) -> Layout:
        """The layout that suits the parts, whatever the size of the image."""
        return self._given or find_layout(_preset_name(self))

    @property
    def layout(self) -> Layout | None:
        """The same; ``None`` where the image is smaller than the chip of the preset."""
        return self.preset if self._given or self.size >= self.preset.size else None

    def _search(self, layout: Layout | None) -> tuple[Found, ...]:
        parts = list(_kboot_parts(self.kboot)) if self.kboot else []
        firmware = list(_find_firmware(self.view, self._firmware_places(layout)))
        parts += [part for part in firmware if not _inside_any(part, parts)]
        parts += _find_kmodels(self.view, firmware)
        usual = next(iter((layout or find_layout(_DEFAULT)).of_kind("spiffs")), None)
        parts += _find_areas(self.view, parts, usual)
        return tuple(sorted(parts, key=_by_address))

    def _firmware_places(self, layout: Layout | None) -> list[int]:
        places = [region.start for region in layout.of_kind("firmware")] if layout else []
        if self.kboot is None:
            return [0, *places]
        # Applications may lie anywhere that an entry names; without Kboot the ROM starts address 0
        # alone.
        entries = (*self.kboot.main.present, *self.kboot.backup.present)
        return [*places, DEFAULT_APP, *(entry.address for entry in entries)]

    @overload
    def __getitem__(self, at: int) -> Found: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[Found, ...]: ...

    def __getitem__(self, at: int | slice) -> Found | tuple[Found, ...]:
        return self._found[at]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Found]:
        return iter(self._found)

    @cached_property
    def ranges(self) -> tuple[Found, ...]:
        """The parts and, between them, what is erased, zero or unknown, by address."""
        between = gaps(self.size, ((part.start, part.end) for part in self))
        fill = [
            Found(each.kind, each.start, each.size, None, each.detail, each.entropy)
            for start, end in between
            for each in fill_gap(self.view, start, end)
        ]
        return tuple(sorted([*self, *fill], key=_by_address))

    @property
    def firmware(self) -> tuple[Firmware, ...]:
        """The firmware images, Kboot's stages left out."""
        contents = (part.what for part in self if part.kind == FIRMWARE)
        return tuple(what for what in contents if isinstance(what, Firmware))

    @property
    def models(self) -> tuple[Model, ...]:
        """The models."""
        from maixfs.kmodel import Model

        return tuple(part.what for part in self if isinstance(part.what, Model))

    @property
    def areas(self) -> tuple[Detection, ...]:
        """The SPIFFS areas."""
        from maixfs.spiffs.detect import Detection

        return tuple(part.what for part in self if isinstance(part.what, Detection))

    def at(self, address: int) -> Found | None:
        """Return the range of an address; where parts overlap, the one that begins last.

        ``None`` for an address outside of the image.
        """
        if not 0 <= address < self.size:
            return None
        starts = [each.start for each in self.ranges]
        upto = self.ranges[: bisect_right(starts, address)]
        return next((each for each in reversed(upto) if address < each.end), None)

    @cached_property
    def conflicts(self) -> tuple[Overlap, ...]:
        """Bytes with two owners: overlapping parts, and parts in the region of another owner."""
        return tuple(find_overlaps(self, self.layout))


def _by_address(part: Found) -> tuple[int, int]:
    return part.start, -part.size


def _inside_any(part: Found, others: list[Found]) -> bool:
    return any(other.start <= part.start and part.end <= other.end for other in others)


def _preset_name(parts: Parts) -> str:
    """Return the name of the preset that suits the parts."""
    products = {firmware.banner.product for firmware in parts.firmware}
    lobo = "MicroPython by LoBo" in products
    if parts.kboot is not None:
        entries = (*parts.kboot.main.present, *parts.kboot.backup.present)
        if lobo or not any(entry.address == 0x80000 for entry in entries):
            return "lobo-kboot-16m"
        old = any(entry.address == 0x280000 for entry in entries)
        return "krux-16m-old" if old else "krux-16m"
    if lobo:
        return "lobo-16m"
    demo_models = {0xA00000, 0xC00000, 0xE00000}
    named = products - {""} or parts.areas
    models = {model.address for model in parts.models}
    return "kendryte" if models and models <= demo_models and not named else _DEFAULT


def _kboot_parts(kboot: Kboot) -> Iterator[Found]:
    """Yield the stages and the configuration sectors of a Kboot."""
    for number, (stage, end) in enumerate(
        zip((kboot.stage_0, kboot.stage_1), _STAGE_ENDS, strict=True)
    ):
        if stage is not None:
            # A wrong length in a damaged stage must not claim what lies behind its place.
            size = min(stage.end, end) - stage.address
            detail = f"stage {number}" + (f", {kboot.version}" if number else "")
            yield Found(KBOOT_STAGE, stage.address, size, stage, detail + _state(stage))
    for name, config in (("main", kboot.main), ("backup", kboot.backup)):
        yield Found(BOOT_CONFIG, config.address, CONFIG_SIZE, config, _config_words(name, config))


def _config_words(name: str, config: BootConfig) -> str:
    count = len(config.present)
    return f"{name} configuration, {count} {'entry' if count == 1 else 'entries'}"


def _find_firmware(view: memoryview, addresses: Iterable[int]) -> Iterator[Found]:
    """Yield firmware at ``addresses``, and wherever a sector begins as one does.

    What only looks like a header is left out: the hash must be right or the payload begin as a
    program does.
    """
    covered, left = 0, _PATIENCE * len(view)
    for address in sorted({*addresses, *_marked(view)}):
        if address < covered or left < 0:
            continue
        try:
            firmware = read_firmware(view, address)
        except FirmwareError:
            continue
        left -= firmware.total
        # Sectors inside of a program can begin like one. Only a right hash proves where it ends;
        # then what is in it is not searched.
        if firmware.sha_ok or firmware.payload_ok or _encrypted(view, firmware):
            covered = firmware.end if firmware.sha_ok or not firmware.wrapped else covered
            yield Found(
                FIRMWARE, address, firmware.end - address, firmware, _firmware_words(firmware)
            )


def _marked(view: memoryview) -> Iterator[int]:
    """Yield the sectors that have a start code's mark, behind a header or not."""
    for place in _MARK_PLACES:
        # One byte of each sector in one slice: the search runs in C, over 4 KiB for a chip of 16
        # MiB.
        column = bytes(view[place::SECTOR])
        sector = column.find(_MARK[0])
        while sector >= 0:
            address = sector * SECTOR
            start = address + (FirmwareHeader.size if place > 4 else 0)
            if has_start_mark(bytes(view[start : start + 8])):
                yield address
            sector = column.find(_MARK[0], sector + 1)


def _encrypted(view: memoryview, firmware: Firmware) -> bool:
    """Return whether a payload with the AES flag and a wrong hash looks encrypted."""
    if not firmware.aes or firmware.length % AES_BLOCK:
        return False
    start = firmware.payload_address
    return classify(view[start : start + firmware.length])[0] == "compressed"


def _firmware_words(firmware: Firmware) -> str:
    name = str(firmware.banner) or "a program for the K210"
    return name + _state(firmware)


def _state(firmware: Firmware) -> str:
    if not firmware.wrapped:
        return ", without header"
    flags = (", encrypted" if firmware.aes else "") + (", DIO" if firmware.dio else "")
    return flags + ("" if firmware.sha_ok else ", SHA-256 wrong")


def _find_kmodels(view: memoryview, firmware: Iterable[Found]) -> Iterator[Found]:
    """Yield the models; those inside of sound firmware are its own and are left out."""
    from maixfs.kmodel import find_models

    sound = [one for one in firmware if isinstance(one.what, Firmware) and one.what.sha_ok]
    for model in find_models(view):
        end = min(model.end, len(view))
        if not any(one.start <= model.address and end <= one.end for one in sound):
            yield Found(MODEL, model.address, end - model.address, model, _model_words(model))


def _model_words(model: Model) -> str:
    words = f"kmodel {model.version}" if model.version[:1] == "v" else model.version
    shapes = [tensor.dimensions for tensor in model.inputs]
    if shapes:
        words += f", input {' and '.join(shapes)}"
    return words + (", bytes of words reversed" if model.reversed else "")


def _find_areas(view: memoryview, found: list[Found], usual: Region | None) -> Iterator[Found]:
    """Yield the SPIFFS areas.

    A sound one in its ``usual`` place is found by looking there, and one elsewhere by looking
    where nothing else was found (for one without magics only if the first has none). Only when
    that brings something up, the whole image is searched, because an area's start may be under
    something else.
    """
    from maixfs.spiffs.detect import detect

    home = _at_home(view, usual) if usual else None
    detections = [home] if home else []
    taken = [*found, *map(_area, detections)]
    gaps_left = [
        (start, end)
        for start, end in _wide_gaps(len(view), taken)
        if not (home and home.geometry.use_magic) or _has_magics(view[start:end])
    ]
    rest = [one for start, end in gaps_left for one in _areas_in(view, start, end)]
    if rest:
        # What is under something else may spoil the whole for the search, and not its rest.
        detections = [one for one in detect(view) if one.confidence >= _LIKELY]
        covered = [_area(one) for one in detections]
        detections += [one for one in rest if not _touches(_area(one), covered)]
    yield from map(_area, detections)


def _has_magics(piece: memoryview) -> bool:
    """Return whether there may be blocks with magics."""
    from maixfs.spiffs.detect.dump import Dump
    from maixfs.spiffs.detect.search import find_marked

    return bool(find_marked(Dump(piece)))


def _areas_in(view: memoryview, start: int, end: int) -> Iterator[Detection]:
    """Yield the areas between two addresses."""
    from maixfs.spiffs.detect import detect

    for one in detect(view[start:end]):
        if one.confidence >= _LIKELY:
            geometry = replace(one.geometry, base=start + one.geometry.base)
            yield one._replace(geometry=geometry)


def _touches(one: Found, others: list[Found]) -> bool:
    return any(one.start < other.end and other.start < one.end for other in others)


def _wide_gaps(size: int, found: list[Found]) -> Iterator[tuple[int, int]]:
    """Yield the gaps in whole sectors; an area has two blocks of one sector at least."""
    for start, end in gaps(size, ((part.start, part.end) for part in found)):
        first = -(-start // SECTOR) * SECTOR
        if end - first >= 2 * SECTOR:
            yield first, end


def _at_home(view: memoryview, region: Region) -> Detection | None:
    """Return the area that is just the region and is sound; ``None`` where it is not so."""
    place = (region.start, region.size)
    for one in _areas_in(view, region.start, region.end):
        if one.confidence >= _SURE and (one.geometry.base, one.geometry.size) == place:
            return one
    return None


def _area(detection: Detection) -> Found:
    geometry = detection.geometry
    words = f"{detection.preset or 'unusual'} format, {geometry.blocks} blocks"
    if detection.confidence < _SURE:
        words += f", {int(detection.confidence * 100)} % sure"
    return Found(SPIFFS, geometry.base, geometry.size, detection, words)


def find_overlaps(parts: Sequence[Found], layout: Layout | None) -> Iterator[Overlap]:
    """Yield the overlaps among ``parts`` (by address), then those with the layout's owners."""
    between = list(islice(_between(parts), _MOST_OVERLAPS))
    yield from between
    if layout is not None:
        foreign = (one for one in _trespasses(parts, layout) if not _repeats(one, between))
        yield from islice(foreign, _MOST_OVERLAPS - len(between))


def _between(parts: Sequence[Found]) -> Iterator[Overlap]:
    for number, first in enumerate(parts):
        for second in islice(parts, number + 1, None):
            if second.start >= first.end:
                break
            yield _overlap(first, str(second), second.start, min(first.end, second.end))


def _trespasses(parts: Sequence[Found], layout: Layout) -> Iterator[Overlap]:
    for part in parts:
        for region in layout.owner_of(part.start, part.size):
            if region.kind not in _AT_HOME[part.kind]:
                yield _in_region(part, region)


def _in_region(part: Found, region: Region) -> Overlap:
    start, end = max(part.start, region.start), min(part.end, region.end)
    return _overlap(part, f"region {region}, kept for {region.owner}", start, end)


def _overlap(part: Found, second: str, start: int, end: int) -> Overlap:
    size = end - start
    message = f"{size:#x} bytes from {start:#x} belong to two: {part}; {second}"
    return Overlap(str(part), second, start, size, message)


def _repeats(overlap: Overlap, others: list[Overlap]) -> bool:
    """Return whether an overlap of a part with what lies in the region is reported already."""
    return any(
        overlap.first in (other.first, other.second)
        and other.start < overlap.end
        and overlap.start < other.end
        for other in others
    )
