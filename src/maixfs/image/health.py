"""What is wrong with an image, and what is merely worth knowing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from maixfs.firmware import Firmware
from maixfs.image.records import FIRMWARE, Finding, Found

if TYPE_CHECKING:
    from maixfs.image.flash import FlashImage

_SECTOR = 0x1000
_SLIP = 0x100000
"""An image that is shorter than a chip by less was meant to be the whole of it."""
_SURE = 0.9


def examine(image: FlashImage) -> Iterator[Finding]:
    """Yield what there is to say about firmware, models, areas and their neighbours."""
    for conflict in image.conflicts:
        yield Finding("conflict", True, conflict.message, conflict.start, _CONFLICT_HINT)
    yield from _chip(image)
    for part in image.parts:
        if isinstance(part.what, Firmware) and part.kind == FIRMWARE:
            yield from _firmware(image, part, part.what)
    yield from _kboot(image)
    yield from _models(image)
    yield from _areas(image)
    report = image.boot_report()
    for step in report.steps:
        if step.is_problem:
            yield Finding("boot", True, step.text, step.address, step.hint)


_CONFLICT_HINT = "whichever was written first is damaged; write it again at another address"


def _chip(image: FlashImage) -> Iterator[Finding]:
    if image.size % _SECTOR:
        text = f"the image has {image.size:#x} bytes, no whole number of sectors"
        yield Finding("odd-size", False, text, hint="a whole dump is as large as its chip")
    missing = image.preset.size - image.size
    if 0 < missing < _SLIP and image.parts:
        text = f"{missing:#x} bytes are missing at the start or the end of the image"
        hint = f"a dump for {image.preset.name} has {image.preset.size:#x} bytes: read it again"
        yield Finding("short", True, text, hint=hint)


def _firmware(image: FlashImage, part: Found, firmware: Firmware) -> Iterator[Finding]:
    where = part.start
    if not firmware.wrapped and where:
        text = f"the program at {where:#x} has no header: nothing starts it"
        yield Finding("no-header", True, text, where, "maixfs firmware wrap")
    if firmware.wrapped and not firmware.sha_ok and where:
        text = f"the firmware at {where:#x} is damaged: its SHA-256 is wrong"
        yield Finding("bad-hash", True, text, where, "flash it again")
    region = image.layout.region_at(where) if image.layout else None
    if region and region.kind == "firmware" and firmware.total > region.limit:
        text = f"the firmware needs {firmware.total:#x} bytes, {region} is for {region.limit:#x}"
        yield Finding("too-large", True, text, where)
    if firmware.padding and (region is None or part.end <= region.end):
        text = f"the flasher filled up {firmware.padding:#x} bytes behind the firmware with zeros"
        yield Finding("padding", False, text, where + firmware.total)


def _kboot(image: FlashImage) -> Iterator[Finding]:
    kboot = image.kboot
    if kboot is None:
        return
    for verdict in kboot.verdicts:
        entry = verdict.entry
        if entry.active and not verdict.ok:
            text = f"boot entry {entry.number} ({entry.name}) does not start: {verdict.reason}"
            config = kboot.main if verdict.config == "main" else kboot.backup
            yield Finding("boot-entry", True, text, config.address + 32 * entry.number)
    if kboot.main.entries != kboot.backup.entries:
        text = "main and backup boot configuration differ, as after an upgrade"
        yield Finding("backup-differs", False, text, kboot.backup.address)


def _models(image: FlashImage) -> Iterator[Finding]:
    for model in image.models:
        name = f"the model at {model.address:#x} ({model.version})"
        answers = model.loadable
        if not answers.with_v4.loads and not answers.without_v4.loads:
            words = f"{name}: no MaixPy loads it (error {int(answers.with_v4.code)})"
            text = "; ".join([words, *model.notes])
            yield Finding("not-loadable", True, text, model.address)
            continue
        if not model.fits:
            text = f"{name} needs {model.memory_need} bytes: hardly any memory has room for it"
            yield Finding("no-memory", False, text, model.address)
        for note in model.notes:
            yield Finding("model", False, f"{name}: {note}", model.address)


def _areas(image: FlashImage) -> Iterator[Finding]:
    homes = image.layout.of_kind("spiffs") if image.layout else ()
    for area in image.areas:
        geometry = area.geometry
        place = f"the SPIFFS at {geometry.base:#x}"
        if area.confidence < _SURE:
            text = f"{place}: {'; '.join(map(str, area.reasons))}"
            yield Finding("unsure", False, text, geometry.base)
        if homes and (geometry.base, geometry.size) not in [(r.start, r.size) for r in homes]:
            text = (
                f"{place} ({geometry.size:#x} bytes) is not where the firmware looks: {homes[0]}"
            )
            hint = "a dump that was shifted, or made for another firmware"
            yield Finding("elsewhere", True, text, geometry.base, hint)
        if geometry.base + geometry.size > image.size:
            yield Finding("cut", True, f"{place} ends behind the image", geometry.base)
