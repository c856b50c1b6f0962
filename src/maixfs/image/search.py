"""Finding the parts of an image: Kboot, firmware, models, SPIFFS areas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from maixfs.firmware import Firmware, FirmwareError, FirmwareHeader, has_start_mark, read_firmware
from maixfs.firmware.container import AES_BLOCK
from maixfs.firmware.kboot import CONFIG_MAIN, CONFIG_SIZE, STAGE_1
from maixfs.image.gaps import SECTOR, gaps
from maixfs.image.records import BOOT_CONFIG, FIRMWARE, KBOOT_STAGE, MODEL, SPIFFS, Found

if TYPE_CHECKING:
    from maixfs.firmware import BootConfig, Kboot
    from maixfs.image.layout import Region
    from maixfs.kmodel import Model
    from maixfs.spiffs.detect import Detection

_MARK = b"\xef\xbe\xad\xde"
_MARK_PLACES = (2, 4, 7, 9)
"""Where the start code's mark can be in a sector: with header 5 bytes later than without."""
_SURE = 0.9
_LIKELY = 0.5
"""Confidence under which a SPIFFS area is not reported."""
_PATIENCE = 4
"""How many times the size of the image is read at most to check what looks like firmware."""
_STAGE_ENDS = (STAGE_1, CONFIG_MAIN)


def kboot_parts(kboot: Kboot) -> Iterator[Found]:
    """Yield the stages and the configuration sectors of a Kboot."""
    for number, (stage, end) in enumerate(
        zip((kboot.stage_0, kboot.stage_1), _STAGE_ENDS, strict=True)
    ):
        if stage is not None:
            size = min(stage.end, end) - stage.address
            detail = f"stage {number}" + (f", {kboot.version}" if number else "")
            yield Found(KBOOT_STAGE, stage.address, size, stage, detail + _state(stage))
    for name, config in (("main", kboot.main), ("backup", kboot.backup)):
        yield Found(BOOT_CONFIG, config.address, CONFIG_SIZE, config, _config_words(name, config))


def _config_words(name: str, config: BootConfig) -> str:
    count = len(config.present)
    return f"{name} configuration, {count} {'entry' if count == 1 else 'entries'}"


def find_firmware(view: memoryview, addresses: Iterable[int]) -> Iterator[Found]:
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
        if firmware.sha_ok or firmware.payload_ok or _encrypted(view, firmware):
            covered = firmware.end if firmware.sha_ok or not firmware.wrapped else covered
            yield Found(FIRMWARE, address, firmware.end - address, firmware, _words(firmware))


def _marked(view: memoryview) -> Iterator[int]:
    """Yield the sectors that have a start code's mark, behind a header or not."""
    for place in _MARK_PLACES:
        column = bytes(view[place::SECTOR])
        sector = column.find(_MARK[0])
        while sector >= 0:
            address = sector * SECTOR
            start = address + (FirmwareHeader.size if place > 4 else 0)
            if has_start_mark(bytes(view[start : start + 8])):
                yield address
            sector = column.find(_MARK[0], sector + 1)


def _encrypted(view: memoryview, firmware: Firmware) -> bool:
    """Tell whether a payload with the AES flag and a wrong hash looks encrypted."""
    if not firmware.aes or firmware.length % AES_BLOCK:
        return False
    from maixfs.image.entropy import classify

    start = firmware.payload_address
    return classify(view[start : start + firmware.length])[0] == "compressed"


def _words(firmware: Firmware) -> str:
    name = str(firmware.banner) or "a program for the K210"
    return name + _state(firmware)


def _state(firmware: Firmware) -> str:
    if not firmware.wrapped:
        return ", without header"
    flags = (", encrypted" if firmware.aes else "") + (", DIO" if firmware.dio else "")
    return flags + ("" if firmware.sha_ok else ", SHA-256 wrong")


def find_kmodels(view: memoryview, firmware: Iterable[Found]) -> Iterator[Found]:
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


def find_areas(view: memoryview, found: list[Found], usual: Region | None) -> Iterator[Found]:
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
    """Tell whether blocks may be there that carry magics."""
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
    for start, end in gaps(size, found):
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
