"""Flashes and what lies in them: firmware, Kboot, models, SPIFFS, whole dumps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from maixfs.finding import Command
from maixfs.firmware.container import (
    AES_BLOCK,
    FRAME,
    SHA_SIZE,
    WRAPPER_SIZE,
    Firmware,
    FirmwareError,
    FirmwareHeader,
    has_start_mark,
    read_banner,
    read_firmware,
)  # fmt: skip
from maixfs.firmware.kboot import CONFIG_SIZE, STAGE_1, EntryRecord, read_config, read_kboot
from maixfs.image.identify import FileKind, Identification
from maixfs.image.parts import FIRMWARE, KBOOT_STAGE, SPIFFS, Found, classify
from maixfs.nor.device import SECTOR, Buffer, is_filled
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.image.identify import Sample
    from maixfs.kmodel import Model
    from maixfs.spiffs.detect import Detection

LEAST_CHIP = 4 << 20
"""Bytes of the smallest chip that such boards have."""
_LIKELY = 0.5
_LIST = Command("ls", ("{image}",))
_INFO = Command("info", ("{image}",))
_MODEL_INFO = Command("model info", ("{image}",))


# Parts that are a file of their own


def model(sample: Sample) -> Identification | None:
    """Recognise models of every version, also encrypted and cut short ones."""
    from maixfs.kmodel import ModelError, parse_model

    view = sample.view
    try:
        found = parse_model(view, whole=False)
    except ModelError:
        return None
    rest = view[found.end :]
    alone = _is_blank(rest)
    if not alone and sample.size >= LEAST_CHIP:
        # A flash whose first part is a model.
        return None
    sealed = "model" in found.version
    words = f"{'' if sealed else 'kmodel '}{found.version}"
    shapes = [tensor.dimensions for tensor in found.inputs]
    words += f", input {' and '.join(shapes)}" if shapes else ""
    missing = found.missing > _MODEL_PADDING
    return Identification(
        FileKind.SMODEL if sealed else FileKind.KMODEL,
        words
        + (f"; cut short by {found.missing:#x} bytes" if missing else "")
        + ("" if alone else f"; followed by {len(rest):#x} other bytes"),
        (f"header at 0x0, its records end at {found.size:#x}", *found.notes),
        _model_confidence(found, missing=missing),
        _MODEL_INFO,
    )


_MODEL_PADDING = 7
"""Bytes that real models lack at their end."""


def _model_confidence(found: Model, *, missing: bool) -> float:
    if missing:
        return 0.6
    if "smodel" in found.version or "emodel" in found.version:
        return 0.8
    return 0.97 if found.layers else 0.7


def firmware(sample: Sample) -> Identification | None:
    """Recognise a firmware image alone, with its header or without."""
    view = sample.view
    if sample.size >= LEAST_CHIP and not _is_filled_by(view):
        return None
    try:
        found = read_firmware(view)
    except FirmwareError as error:
        return _cut_firmware(view, error)
    if read_kboot(view) is not None or not _is_blank(view[found.end :]):
        return None
    if not found.wrapped:
        return Identification(
            FileKind.FIRMWARE,
            f"firmware without header, {_banner(found)}",
            ("start code with the mark DEADBEEF at 0x0",),
            0.9,
            Command("firmware wrap", ("{image}", "OUT")),
        )
    if not (found.sha_ok or found.payload_ok or _looks_encrypted(view, found)):
        return None
    state = (", encrypted" if found.aes else "") + ("" if found.sha_ok else ", SHA-256 wrong")
    name = "Kboot" if found.banner.product == "Kboot" else "firmware"
    return Identification(
        FileKind.KBOOT if name == "Kboot" else FileKind.FIRMWARE,
        f"{name}, {_banner(found)}{state}",
        (
            f"header at 0x0: flags {found.flags:#04x}, {found.length:#x} bytes of payload",
            f"SHA-256 at {found.total - SHA_SIZE:#x} is {'right' if found.sha_ok else 'wrong'}",
        ),
        1.0 if found.sha_ok else 0.7,
        Command("firmware info", ("{image}",)),
    )


def _is_filled_by(view: memoryview) -> bool:
    """Return whether firmware reaches to the end; else it is a part of a chip's dump."""
    length = FirmwareHeader.unpack(view).length
    return bool(0 <= len(view) - length - WRAPPER_SIZE < FRAME)


def _banner(found: Firmware) -> str:
    return str(found.banner) or "a program for the K210"


def _looks_encrypted(view: memoryview, found: Firmware) -> bool:
    if not found.aes or found.length % AES_BLOCK:
        return False
    start = found.payload_address
    return classify(view[start : start + found.length])[0] == "compressed"


def _cut_firmware(view: memoryview, error: FirmwareError) -> Identification | None:
    """Recognise firmware whose header promises more than there is, by its start code."""
    header = FirmwareHeader.size
    if error.kind != "cut" or not has_start_mark(bytes(view[header : header + 8])):
        return None
    length = FirmwareHeader.unpack(view).length
    missing = length + WRAPPER_SIZE - len(view)
    banner = str(read_banner(bytes(view))) or "a program for the K210"
    return Identification(
        FileKind.FIRMWARE,
        f"firmware, {banner}; cut short by {missing:#x} bytes",
        (f"header at 0x0: {length:#x} bytes of payload", f"start code at {header:#x}"),
        0.9,
        "get the file again",
    )


def boot_config(sample: Sample) -> Identification | None:
    """Recognise a configuration sector of Kboot alone."""
    if not EntryRecord.size <= sample.size <= 2 * CONFIG_SIZE:
        return None
    config = read_config(sample.view, 0)
    if not config.present:
        return None
    return Identification(
        FileKind.KBOOT,
        f"configuration of Kboot, entries: {len(config.present)}",
        ("a boot entry with the magic 5AA5D0C0 at 0x0",),
        0.95,
        "it belongs to 0x4000 and 0x5000 of a flash with Kboot",
    )


# Whole flashes


class Shift(NamedTuple):
    """How far known parts of a dump lie behind where they should (negative: in front)."""

    offset: int
    evidence: str


def find_shift(image: Buffer) -> Shift | None:
    """Return by how many bytes a dump is shifted; ``None`` where nothing says so.

    Known places are compared: of the SPIFFS of MaixPy boards, of Kboot, of firmware at 0. A flash
    that was read from another address on is shifted by whole sectors; bytes in front of it that a
    tool added (such as a firmware header) shift it by a few.
    """
    view = memoryview(image).cast("B")
    return next(filter(None, (look(view) for look in (_spiffs_shift, _kboot_shift))), None) or (
        _firmware_shift(view)
    )


_MAGICS_COMPARED = 3


def _spiffs_shift(view: memoryview) -> Shift | None:
    """Look for the magics of the blocks of MaixPy's SPIFFS at any address."""
    from maixfs.spiffs import PRESETS

    area = PRESETS["maixpy"]
    magics = [area.magic(block).to_bytes(2, "little") for block in range(area.blocks)]
    data = bytes(view)
    at = data.find(magics[0])
    while at >= 0:
        # The two bytes of one magic occur by chance in every large dump; three of them a block
        # apart do not.
        places = range(at, at + _MAGICS_COMPARED * area.block_size, area.block_size)
        if all(data[place : place + 2] == magics[block] for block, place in enumerate(places)):
            start = at - area.magic_offset
            text = f"the SPIFFS of MaixPy is at {start:#x}, its place is {area.base:#x}"
            return Shift(start - area.base, text) if start != area.base else None
        at = data.find(magics[0], at + 1)
    return None


def _kboot_shift(view: memoryview) -> Shift | None:
    at = bytes(view[: 1 << 16]).find(b"Kboot_v")
    place = STAGE_1 + 9
    if at < 0 or at == place or at < SECTOR:
        return None
    return Shift(at - place, f"the name of Kboot is at {at:#x}, its place is {place:#x}")


def _firmware_shift(view: memoryview) -> Shift | None:
    """Look for firmware with a right hash a few bytes behind the start."""
    head = bytes(view[:SECTOR])
    at = head.find(_MARK)
    while at >= 0:
        # The mark is 2 or 4 bytes behind the start of the program, as its start code has it
        # (docs/SPEC.md, 25).
        for start in (at - FirmwareHeader.size - 2, at - FirmwareHeader.size - 4):
            if start > 0 and _has_sound_firmware(view, start):
                return Shift(start, f"firmware is at {start:#x}, its place is 0x0")
        at = head.find(_MARK, at + 1)
    return None


_MARK = b"\xef\xbe\xad\xde"


def _has_sound_firmware(view: memoryview, start: int) -> bool:
    try:
        return read_firmware(view, start).sha_ok
    except FirmwareError:
        return False


def flash(sample: Sample) -> Identification | None:
    """Recognise a bare SPIFFS, or a dump of a chip by the parts that are found in it."""
    view = sample.view
    parts = _parts(view, 0)
    areas = [part for part in parts if part.kind == SPIFFS]
    if len(parts) == 1 and areas and not areas[0].start:
        return _bare(view, areas[0])
    shift = None
    # One part in its place proves that nothing is shifted, and saves a search at every byte.
    if len(view) >= _LEAST_SHIFTED and not any(map(_in_place, parts)):
        shift = find_shift(view)
    if shift is not None and not parts:
        # Parts are looked for at sectors, which begin elsewhere in this dump.
        parts = _parts(view, shift.offset if shift.offset > 0 else shift.offset % SECTOR)
    if not parts and shift is None:
        return None
    evidence = [f"{part}: {part.detail}" for part in parts]
    words = [_summary(parts)]
    if shift is not None:
        evidence.append(shift.evidence)
        words.append(_shift_words(shift.offset))
    words += _size_words(view, parts, 0 if shift is None else shift.offset)
    return Identification(
        FileKind.FLASH,
        f"flash dump of {len(view):#x} bytes: {'; '.join(words)}",
        tuple(evidence),
        max([_confidence(part) for part in parts] or [0.6]),
        _INFO,
        shift=shift.offset if shift else 0,
    )


_LEAST_SHIFTED = 1 << 20


def _parts(view: memoryview, start: int) -> tuple[Found, ...]:
    """Return the parts of a flash that begins at ``start``, likely ones only."""
    from maixfs.image.parts import Parts

    found = (part._replace(start=part.start + start) for part in Parts(view[start:]))
    return tuple(part for part in found if _confidence(part) >= _LIKELY)


def _detection(part: Found) -> Detection:
    from maixfs.spiffs.detect import Detection

    assert isinstance(part.what, Detection)
    return part.what


def _in_place(part: Found) -> bool:
    """Return whether a part shows that the dump is not shifted."""
    from maixfs.spiffs import PRESETS

    if part.kind in {FIRMWARE, KBOOT_STAGE}:
        return not part.start
    return part.kind == SPIFFS and part.start == PRESETS["maixpy"].base


def _bare(view: memoryview, part: Found) -> Identification:
    found = _detection(part)
    missing = part.end - len(view)
    rest = view[part.end :]
    words = f"SPIFFS image, {part.detail}"
    if missing > 0:
        words += f"; cut short by {missing:#x} bytes"
    elif len(rest) >= found.geometry.block_size:
        padding = "blank bytes" if _is_blank(rest) else "other bytes"
        words += f"; followed by {len(rest):#x} {padding}"
    return Identification(
        FileKind.SPIFFS, words, tuple(map(str, found.reasons)), found.confidence, _LIST
    )


def _confidence(part: Found) -> float:
    if part.kind == SPIFFS:
        return _detection(part).confidence
    if isinstance(part.what, Firmware):
        return 1.0 if part.what.sha_ok else 0.7
    return 0.8


def _summary(parts: tuple[Found, ...]) -> str:
    """Return the kinds of parts with their number, in the order of their addresses."""
    counts: dict[str, int] = {}
    for part in parts:
        counts[part.kind] = counts.get(part.kind, 0) + 1
    names = [f"{kind} ({count})" if count > 1 else kind for kind, count in counts.items()]
    return ", ".join(names) or "no part in its place"


def _shift_words(offset: int) -> str:
    if offset < 0 and not offset % SECTOR:
        return f"read from {-offset:#x} on"
    side = "behind" if offset > 0 else "in front of"
    return f"shifted: everything lies {abs(offset):#x} bytes {side} its place"


def _size_words(view: memoryview, parts: tuple[Found, ...], shift: int) -> Iterator[str]:
    """Yield what the size says: chips have a power of two of bytes."""
    size = len(view)
    end = max((part.end for part in parts), default=0)
    chip = 1 << size.bit_length() - 1
    if end > size:
        yield f"cut short by {end - size:#x} bytes"
    elif size != chip and not shift and size >= LEAST_CHIP:
        padded = end <= chip and _is_blank(view[chip:])
        yield f"padded with {size - chip:#x} blank bytes" if padded else "not the size of a chip"


def _is_blank(view: memoryview) -> bool:
    """Return whether bytes are all FF or all 00; true for none."""
    return is_filled(view) or is_filled(view, 0)
