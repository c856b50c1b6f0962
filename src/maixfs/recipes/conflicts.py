"""Conflicts between pieces that are to be flashed; each names both owners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from maixfs.errors import UsageError
from maixfs.firmware import Firmware, begins_like_payload
from maixfs.image.layout import SECTOR, Layout, Region
from maixfs.image.parts import BOOT_CONFIG, FIRMWARE, KBOOT_STAGE, MODEL, SPIFFS, Found
from maixfs.kmodel import ModelError, parse_model
from maixfs.nor import Buffer
from maixfs.recipes.pieces import Piece, is_image
from maixfs.tuples import NamedTuple

# Flashers write zeros behind the last byte of a file, which may be its neighbour's

_FRAME = 0x10000
_LARGE = 0x20000


class Flasher(NamedTuple):
    """A flasher, and the unit to which it pads files with zeros."""

    name: str
    about: str
    unit: int
    """Bytes; 1 if it adds nothing."""
    large_unit: int
    """The unit for files from 128 KiB on."""
    sets_dio: bool = False
    """Whether it sets the flag for dual I/O in headers by default."""

    def padding(self, size: int) -> int:
        """Return how many zeros follow a file of ``size`` bytes."""
        return -size % (self.large_unit if size >= _LARGE else self.unit)


FLASHERS: dict[str, Flasher] = {
    flasher.name: flasher
    for flasher in (
        Flasher("none", "kflash from PyPI, 1.1 and newer", 1, 1, sets_dio=True),
        Flasher("kflash-4k", "Sipeed's kflash.py", SECTOR, SECTOR),
        Flasher("kflash-64k", "Kendryte's kflash.py", _FRAME, _FRAME),
        Flasher("ktool", "LoBo's and Krux' ktool", SECTOR, _FRAME),
    )
}
"""Flashers by name."""


def find_flasher(name: str) -> Flasher:
    """Return a flasher by name; raises ``UsageError`` with the known names."""
    if name not in FLASHERS:
        raise UsageError(f"no flasher {name!r}", hint=f"known are {', '.join(FLASHERS)}")
    return FLASHERS[name]


# Among the pieces, and with the layout

_HOMES = {
    "firmware": {"firmware", "kboot stage"},
    "model": {"models", "data", "reserved"},
    "spiffs": {"spiffs"},
    "boot config": {"boot config"},
}
"""Regions in which a piece of this kind is expected."""
_HELD = {"spiffs", "littlefs", "boot config", "kboot stage"}
"""Regions that a firmware needs: a foreign piece there destroys its data."""


class Conflict(NamedTuple):
    """Something that would go wrong if the pieces were flashed."""

    key: str
    """Its kind, in one word; stays the same from version to version."""
    is_error: bool
    """Whether it is refused; else it is a warning."""
    message: str
    address: int
    hint: str | None = None


def owner_text(region: Region) -> str:
    """Return the owner and the range of a region, for messages."""
    return f"{region.owner} ({region.start:#x}-{region.end:#x})"


def find_conflicts(
    pieces: Sequence[Piece], layout: Layout, size: int, flasher: Flasher | None
) -> list[Conflict]:
    """Return the conflicts of pieces that are written into a chip in this order.

    ``flasher`` writes each at its address. ``None`` means that the flash is written as a whole:
    then data may share a sector with its neighbour.
    """
    conflicts = [*_overlaps(pieces)]
    for piece in pieces:
        conflicts += _place_conflicts(piece, size, is_whole=flasher is None)
        conflicts += header_conflicts(piece)
        conflicts += _model_conflicts(piece)
        if piece.address < size:
            conflicts += _region_conflicts(piece, layout)
    if flasher is not None:
        for at, piece in enumerate(pieces):
            conflicts += _padding_conflicts(at, piece, pieces, layout, flasher)
        if flasher.sets_dio:
            conflicts += _flag_conflicts(pieces, layout, flasher)
    return conflicts


def _overlaps(pieces: Sequence[Piece]) -> Iterator[Conflict]:
    longest: Piece | None = None
    # Compared with the piece that reaches furthest, not with the one before: a small piece may lie
    # inside of a large one.
    for piece in sorted(pieces, key=lambda piece: piece.address):
        if longest is not None and piece.address < longest.end:
            free = longest.end + -longest.end % SECTOR
            yield Conflict(
                "overlap",
                True,
                f"{longest} and {piece} overlap",
                piece.address,
                f"the next free address behind {longest.name} is {free:#x}",
            )
        if longest is None or piece.end > longest.end:
            longest = piece


def _place_conflicts(piece: Piece, size: int, *, is_whole: bool) -> Iterator[Conflict]:
    if not piece.size:
        yield Conflict("empty", True, f"{piece} is empty", piece.address)
    if piece.end > size:
        yield Conflict(
            "end",
            True,
            f"{piece} ends past the end of the chip ({size:#x})",
            piece.address,
            "choose a lower address, or a larger chip",
        )
    # A flasher erases whole sectors: an unaligned piece would destroy its neighbour's bytes.
    may_share = is_whole and piece.kind in {"data", "blank"}
    if piece.address % SECTOR and not may_share:
        below = piece.address // SECTOR * SECTOR
        yield Conflict(
            "alignment",
            True,
            f"{piece} does not begin at a sector (a multiple of {SECTOR:#x})",
            piece.address,
            f"use {below:#x} or {below + SECTOR:#x}",
        )


def header_conflicts(piece: Piece) -> Iterator[Conflict]:
    """Yield conflicts about the header and hash of a piece: missing, doubled, or not wanted."""
    if piece.payload is None:
        # Flashers add the header only where the package asks for it; the ROM waits for a flasher
        # without one.
        if piece.kind == "firmware" and begins_like_payload(piece.data[:16]):
            yield Conflict(
                "header",
                True,
                f"{piece} is firmware without a header: the chip would not start it",
                piece.address,
                "sha256Prefix must be true for it",
            )
        return
    if piece.kind == "firmware" and is_image(piece.payload):
        hint = "sha256Prefix must be false for it, or unwrap it first"
        text = f"{piece} has a header already and would get a second one"
        yield Conflict("header", True, text, piece.address, hint)
    elif piece.kind != "firmware":
        is_known = piece.kind != "data"
        yield Conflict(
            "header",
            is_known,
            f"{piece} is {_named(piece.kind)} but would get a firmware's header and hash"
            if is_known
            else f"{piece} gets a firmware's header and hash but does not begin like firmware",
            piece.address,
            "sha256Prefix must be false for it" if is_known else None,
        )


def _model_conflicts(piece: Piece) -> Iterator[Conflict]:
    """Yield a warning if a piece of the kind ``model`` is no known model."""
    if piece.kind != "model" or not piece.size or piece.payload is not None:
        return
    try:
        parse_model(piece.data)
    except ModelError as error:
        yield Conflict("model", False, f"{piece} is no known model: {error}", piece.address)


def _named(kind: str) -> str:
    names = {"spiffs": "a SPIFFS", "blank": "blank", "data": "data"}
    return names.get(kind, f"a {kind}")


def _region_conflicts(piece: Piece, layout: Layout) -> Iterator[Conflict]:
    home = layout.region_at(piece.address)
    regions = layout.owner_of(piece.address, piece.size)
    others = [region for region in regions if region is not home]
    yield from _misplaced(piece, home, layout)
    # Raw data and erasing are deliberate; a firmware or a model across a border is a mistake.
    harmless = piece.kind in {"data", "blank"}
    for region in others:
        yield Conflict(
            "region",
            not harmless,
            f"{piece} reaches into {owner_text(region)}",
            max(piece.address, region.start),
            f"{region.start - piece.address:#x} bytes fit in front of it",
        )
    # Kboot refuses an application whose first byte is not 0; the ROM does not mind the flag for
    # dual I/O (docs/SPEC.md, 25 and 26).
    if home is not None and home.kind == "firmware" and layout.of_kind("kboot stage"):
        yield from _kboot_conflicts(piece)
    if home is not None and piece.kind == "firmware" and not others and piece.size > home.limit:
        text = f"{piece} has {piece.size:#x} bytes, {owner_text(home)} may have {home.limit:#x}"
        yield Conflict("limit", True, text, piece.address)


def _misplaced(piece: Piece, home: Region | None, layout: Layout) -> Iterator[Conflict]:
    """Yield conflicts with the region in which a piece begins."""
    wanted = _HOMES.get(piece.kind)
    if wanted is None or (home is not None and home.kind in wanted):
        if home is not None and piece.kind == "spiffs":
            yield from _spiffs_conflicts(piece, home)
        return
    if home is None:
        return
    places = [region for region in layout.regions if region.kind in wanted]
    where = ", ".join(f"{region.start:#x}-{region.end:#x}" for region in places)
    destroys = home.kind in _HELD
    word = "overwrites" if destroys else "lies in the area of"
    yield Conflict(
        "region",
        destroys,
        f"{piece}, {_named(piece.kind)}, {word} {owner_text(home)}",
        piece.address,
        f"{layout.name} has {_named(piece.kind)} at {where}" if where else None,
    )


def _kboot_conflicts(piece: Piece) -> Iterator[Conflict]:
    """Yield a conflict if Kboot would not start a firmware because of flags in its header."""
    if piece.kind == "firmware" and is_image(piece.data) and piece.data[0]:
        yield Conflict(
            "kboot",
            True,
            f"{piece} has flags {piece.data[0]:#04x} in its header: Kboot does not start it",
            piece.address,
            "wrap it without the flag for dual I/O and without encryption",
        )


def _spiffs_conflicts(piece: Piece, home: Region) -> Iterator[Conflict]:
    # MaixPy mounts exactly its region and formats it if that fails, with all files.
    if (piece.address, piece.size) != (home.start, home.size) and piece.end <= home.end:
        yield Conflict(
            "spiffs",
            True,
            f"{piece} does not fill {owner_text(home)}: the firmware would format it",
            piece.address,
            f"make it for {home.start:#x} with {home.size:#x} bytes",
        )


def _flag_conflicts(
    pieces: Sequence[Piece], layout: Layout, flasher: Flasher
) -> Iterator[Conflict]:
    """Yield the applications that Kboot would not start with the flasher's default flags."""
    if not layout.of_kind("kboot stage"):
        return
    # kflash 1.1 sets the DIO flag in the header of each firmware unless it runs in QIO mode.
    slots = {region.start for region in layout.of_kind("firmware")}
    for piece in pieces:
        if piece.payload is not None and piece.address in slots and not piece.data[0]:
            yield Conflict(
                "kboot",
                False,
                f"{flasher.about} sets a flag in the header of {piece}: Kboot refuses that",
                piece.address,
                f"make {flasher.about} use QIO mode",
            )


def _padding_conflicts(
    at: int, piece: Piece, pieces: Sequence[Piece], layout: Layout, flasher: Flasher
) -> Iterator[Conflict]:
    """Yield what the zeros behind a piece destroy; pieces that are written later are safe."""
    padding = flasher.padding(piece.size)
    start, end = piece.end, piece.end + padding
    if not padding:
        return
    how = f"{flasher.about} fills {piece} with zeros up to {end:#x}"
    # Files are written in the order of the list, so only earlier ones can be destroyed.
    for other in pieces[:at]:
        if start < other.end and other.address < end and other.address >= piece.address:
            text = f"{how} and destroys {other}, which was written before"
            hint = f"put {other.name} behind {piece.name} in the list, or use another flasher"
            yield Conflict("padding", True, text, other.address, hint)
    home = layout.region_at(piece.address)
    for region in layout.owner_of(start, padding):
        first, last = max(start, region.start), min(end, region.end)
        if region is home or _is_rewritten(first, last, pieces[at + 1 :]):
            continue
        yield Conflict(
            "padding",
            region.kind in _HELD or region.kind == "firmware",
            f"{how} and destroys {first:#x}-{last:#x} of {owner_text(region)}",
            first,
            "use a flasher that pads nothing, or write the region's content after it",
        )


def _is_rewritten(start: int, end: int, later: Sequence[Piece]) -> bool:
    """Return True if pieces that are written later cover a range."""
    at = start
    for piece in sorted(later, key=lambda piece: piece.address):
        if piece.address <= at < piece.end:
            at = piece.end
    return at >= end


# Conflicts with the present contents of the flash

_RANK = (SPIFFS, KBOOT_STAGE, BOOT_CONFIG, FIRMWARE, MODEL)
"""Which part is kept if two overlap: files may be models, and firmware may contain some."""


def find_present(image: Buffer) -> list[Found]:
    """Return the parts of a flash, by address, without those that overlap a more certain one."""
    from maixfs.image.parts import Parts  # only needed where there is a flash already

    parts = sorted(Parts(image), key=lambda part: (_RANK.index(part.kind), part.start))
    size = memoryview(image).nbytes
    kept: list[Found] = []
    for part in parts:
        trimmed = part._replace(size=min(_length(part), size - part.start))
        if all(trimmed.end <= other.start or other.end <= trimmed.start for other in kept):
            kept.append(trimmed)
    return sorted(kept, key=lambda part: part.start)


def _length(part: Found) -> int:
    """Return the size of a part without the padding that a flasher put behind it."""
    return part.what.total if isinstance(part.what, Firmware) else part.size


def present_conflicts(pieces: Sequence[Piece], image: Buffer) -> Iterator[Conflict]:
    """Yield what pieces would damage in a flash, and which file systems they replace."""
    view = memoryview(image).cast("B")
    for part in find_present(view):
        # A piece at the same address replaces the part; only what exceeds it is damaged.
        successor = next((piece for piece in pieces if piece.address == part.start), None)
        start = part.start if successor is None else max(part.start, successor.end)
        if successor is not None and part.kind == SPIFFS:
            yield from _replaced(successor, part, view)
        for piece in pieces:
            if piece is not successor and piece.address < part.end and start < piece.end:
                yield _damage(piece, part)


def _replaced(piece: Piece, part: Found, view: memoryview) -> Iterator[Conflict]:
    """Yield what happens to the files of a file system that a piece replaces."""
    if piece.end < part.end:
        yield _damage(piece, part)
    elif piece.data[: part.size] != view[part.start : part.end]:
        yield Conflict(
            "present",
            False,
            f"{piece} replaces the {part}: all files in it are lost",
            piece.address,
            "unpack its files first",
        )


def _damage(piece: Piece, part: Found) -> Conflict:
    covers = piece.address <= part.start and part.end <= piece.end
    return Conflict(
        "present",
        # A model is easily flashed again; files and a damaged firmware are not.
        part.kind != MODEL and not covers,
        f"{piece} {'replaces' if covers else 'overwrites a part of'} the {part}",
        max(piece.address, part.start),
        None if covers else "choose another address, or replace it as a whole",
    )
