"""Pack a local folder into a SPIFFS image or a card image."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from maixfs.errors import FitError, FullError, MaixfsError, UsageError
from maixfs.fat import FatCore, FatError, OpenFlag
from maixfs.fat.entries import Clock, pack_time
from maixfs.fat.errors import FResult
from maixfs.fat.geometry import FatGeometry
from maixfs.host.drafts import Draft, clear_drafts
from maixfs.host.files import refuse_occupied, write_new
from maixfs.image.content import Content, host_content
from maixfs.image.entries import Progress, Written
from maixfs.image.errors import TargetError
from maixfs.image.fatvolume import LARGEST_FILE, from_datetime, too_large
from maixfs.image.media import alone
from maixfs.image.names import show, too_long
from maixfs.image.source import held_back
from maixfs.nor import Buffer
from maixfs.nor.chip import DEFAULT_SIZE
from maixfs.nor.device import CHUNK, blank
from maixfs.sd.device import SECTOR, SectorDevice
from maixfs.sd.journal import forget
from maixfs.sd.media import FileSectors, RamSectors
from maixfs.spiffs import Code, Geometry
from maixfs.spiffs.errors import spiffs_error
from maixfs.spiffs.pack import PackFile, collect, pack, page_capacity
from maixfs.spiffs.room import pages_needed
from maixfs.tuples import NamedTuple

SERIAL = 0x4D415849
"""Disk id of packed cards, from which the serial number of the volume follows."""
SMALLEST = 64 << 20
"""Least bytes of a card whose size is chosen here; FAT32 needs about half of them."""
LARGEST = 1 << 41
"""Bytes: an MBR counts sectors in 32 bits."""
HASHED = 4 << 30
"""Largest image, in bytes, that is read again for its SHA-256."""
_PIECE = 1 << 20
_SHOWN = 3
_NEW = OpenFlag.WRITE | OpenFlag.CREATE_NEW


class CardShape(NamedTuple):
    """Size and format of a new card; ``None`` leaves the choice to the program."""

    size: int | None = None
    """Bytes; by default the smallest power of two that holds the files, from 64 MiB on."""
    fat_type: int | None = None
    cluster_size: int | None = None
    """Bytes."""
    label: str = ""


class PackedCard(NamedTuple):
    """A card image that was packed."""

    path: str
    size: int
    """Bytes."""
    sha256: str
    """Empty for images of over 4 GiB."""
    format: str
    cluster_size: int
    files: int
    folders: int
    clusters: int
    """Clusters that files and folders use."""
    warnings: tuple[str, ...]
    changed: bool
    """False where this very image was there already."""


class _Tree(NamedTuple):
    """The contents of the card; folders come before their files."""

    folders: list[str]
    files: list[tuple[str, Path]]
    warnings: tuple[str, ...]


def pack_card(
    folder: Path,
    out: Path,
    shape: CardShape | None = None,
    *,
    keep_times: bool = False,
    follow_links: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> PackedCard:
    """Write a card image with the files of a folder; the same files give the same bytes.

    All times are 1980-01-01, or ``SOURCE_DATE_EPOCH``; with ``keep_times`` those of the files.
    Raises ``FitError``, ``OccupiedError`` if ``out`` exists with other contents, unless ``force``,
    ``UsageError`` for names that FAT cannot store and a folder that cannot be read,
    ``DeviceError`` if ``out`` cannot be written.
    """
    tell = progress or _silent
    tell("collect", 0, 1)
    tree = _collect(folder, out, follow_links)
    clock = _fixed_clock()
    shape = _sized(shape or CardShape(), tree, folder, clock)
    clear_drafts(out.resolve().parent)
    with Draft(out) as draft:
        draft.make_sparse(shape.size or 0)
        with FileSectors.open(draft.file, read_only=False) as device:
            geometry, taken = _fill(device, shape, tree, clock, keep_times, tell)
            device.sync()
        # An equal file is not replaced: its time stays, and build tools see no change.
        changed = not _same(draft.file, out)
        if changed:
            refuse_occupied(out, force=force)
            # The card may be in the slot of a board that is on: replacing its file would leave
            # that board with a deleted one.
            with alone(out) if out.is_file() else nullcontext():
                draft.finish()
        # A journal of the old card would be applied to the new one.
        forget(Path(os.path.realpath(out)))
    return PackedCard(
        path=str(out),
        size=shape.size or 0,
        sha256=_sha256(out, tell),
        format=f"FAT{geometry.fat_type}",
        cluster_size=geometry.cluster_size,
        files=len(tree.files),
        folders=len(tree.folders),
        clusters=taken,
        warnings=tree.warnings,
        changed=changed,
    )


def _collect(folder: Path, out: Path, follow_links: bool) -> _Tree:
    plan = collect(folder, prefix="", follow_links=follow_links, real_folders=True)
    files, warnings = [], tuple(map(str, plan.warnings))
    for file in plan.files:
        if out.exists() and file.content.exists() and file.content.samefile(out):
            warnings += (f"left out, because it is the output: {out}",)
            continue
        size = host_content(file.content).size
        if size > LARGEST_FILE:
            raise too_large(show(file.name), size)
        files.append((_text(file.name), file.content))
    return _Tree([_text(name) for name in plan.folders], files, warnings)


def _text(name: bytes) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(
            f"{show(name)}: names on a card are text, and these bytes are not UTF-8",
            hint="rename it first",
        ) from None


def _sized(shape: CardShape, tree: _Tree, folder: Path, clock: Clock) -> CardShape:
    """Return the shape with a size that holds the files; raises ``FitError``.

    Each size is laid out in memory, because the number of clusters depends on all choices of mkfs.
    """
    sizes = [shape.size] if shape.size else _sizes()
    need, geometry = 0, None
    for size in sizes:
        if size % SECTOR:
            raise UsageError(f"a card has whole sectors of {SECTOR} bytes, not {size} bytes")
        candidate = shape._replace(size=size)
        geometry = _laid_out(RamSectors(size // SECTOR), candidate, clock)[1]
        need = _clusters(tree, geometry.cluster_size)
        if need <= geometry.clusters:
            return candidate
    room = geometry.clusters if geometry else 0
    missing = (need - room) * (geometry.cluster_size if geometry else 0)
    raise FitError(
        f"{folder} does not fit: {missing} bytes too many for a card of {shape.size} bytes",
        needed=need,
        free=room,
        deleted=0,
        hint=f"the largest files: {_largest(tree)}",
    )


def _sizes() -> Iterator[int]:
    size = SMALLEST
    while size < LARGEST:
        yield size
        size *= 2


def _clusters(tree: _Tree, cluster_size: int) -> int:
    """Return an upper bound of the clusters that files and folders use.

    A name of up to 255 characters takes 20 entries of 32 bytes, and one more for the short one.
    """
    files = sum(-(-content.stat().st_size // cluster_size) for _, content in tree.files)
    room: dict[str, int] = {"": 64} | dict.fromkeys(tree.folders, 64)
    for name in (*tree.folders, *(name for name, _ in tree.files)):
        parent, _, last = name.rpartition("/")
        room[parent] = room.get(parent, 64) + 32 * (2 + len(last) // 13)
    return files + sum(-(-size // cluster_size) for size in room.values())


def _largest(tree: _Tree) -> str:
    sizes = sorted(((path.stat().st_size, name) for name, path in tree.files), reverse=True)
    return ", ".join(f"{name} ({size} bytes)" for size, name in sizes[:_SHOWN])


def _laid_out(device: SectorDevice, shape: CardShape, clock: Clock) -> tuple[int, FatGeometry]:
    """Partition and format a card; return start and geometry of its volume."""
    from maixfs.cards.make import PartitionRequest, write_card_layout

    request = PartitionRequest("rest", shape.fat_type, shape.label, shape.cluster_size)
    try:
        made = write_card_layout(device, [request], serial=SERIAL, clock=clock).partitions[0]
    except UsageError:
        raise
    except MaixfsError as error:
        raise TargetError(str(error), hint=error.hint) from error
    return made.start, made.volume


def _fill(
    device: SectorDevice,
    shape: CardShape,
    tree: _Tree,
    clock: Clock,
    keep_times: bool,
    tell: Progress,
) -> tuple[FatGeometry, int]:
    """Write all folders and files; return the geometry of the volume and the clusters used."""
    start, geometry = _laid_out(device, shape, clock)
    total = sum(path.stat().st_size for _, path in tree.files)
    done = 0
    with FatCore(device, start, clock=clock) as fat, fat.held():
        name = ""
        try:
            for name in tree.folders:
                fat.mkdir(f"/{name}")
            for name, path in tree.files:
                content = host_content(path)
                _put(fat, f"/{name}", content)
                if keep_times and content.modified is not None:
                    fat.set_times(f"/{name}", modified=from_datetime(content.modified))
                done += content.size
                tell("pack", done, total)
        except FatError as error:
            if error.result is FResult.EXIST:
                raise _twice(name) from error
            raise UsageError(f"{name}: {error}", hint=error.hint) from error
        fat.sync()
        taken = geometry.clusters - fat.free_clusters()
    return geometry, taken


def _twice(name: str) -> UsageError:
    return UsageError(
        f"{name}: FAT takes this name and that of another file or folder as the same",
        hint="names that differ only in case or in final dots are equal: rename one of them",
    )


def _put(fat: FatCore, path: str, content: Content) -> None:
    with fat.open(path, _NEW) as file:
        for piece in content.pieces():
            # The size was chosen for what the files had before: a short write means that one of
            # them grew.
            if file.write(piece) < len(piece):
                raise TargetError(f"{path} grew while it was read", hint="run the command again")


def _fixed_clock() -> Clock:
    """Return a clock with a fixed time: ``SOURCE_DATE_EPOCH``, or 1980-01-01."""
    words = (0x21, 0)
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    # The variable is a convention of reproducible builds; one that is no time is ignored, as if it
    # were not set.
    if epoch.isdecimal() and len(epoch) < 12:
        moment = time.gmtime(int(epoch))
        words = pack_time(*moment[:6])
    return lambda: words


def _same(first: Path, second: Path) -> bool:
    try:
        if first.stat().st_size != second.stat().st_size:
            return False
        return host_content(first).same(host_content(second))
    except OSError:  # both are local files: no driver error is hidden here
        return False


def _sha256(path: Path, tell: Progress) -> str:
    size = path.stat().st_size
    if size > HASHED:
        return ""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
            tell("hash", stream.tell(), size)
    return digest.hexdigest()


def _silent(_phase: str, _done: int, _total: int) -> None:
    """Ignore progress."""


class Packed(NamedTuple):
    """An image that was packed."""

    path: str
    size: int
    """Bytes."""
    sha256: str
    files: int
    pages: int
    """Pages that the files use."""
    warnings: tuple[str, ...]
    changed: bool
    """False where this very image was there already."""


def pack_folder(
    folder: Path,
    out: Path,
    geometry: Geometry,
    *,
    spare_blocks: int = 2,
    follow_links: bool = False,
    whole_flash: bool | int = False,
    force: bool = False,
    progress: Progress | None = None,
) -> Packed:
    """Write an image with the files of a folder; the same files give the same bytes.

    ``whole_flash`` puts the area at its address in a blank flash of 16 MiB, or of that many
    bytes. Raises ``FitError`` (with the missing pages and the largest files), ``OccupiedError`` if
    ``out`` exists with other contents, unless ``force``, ``UsageError`` for names that cannot be
    stored and a folder that cannot be read, ``DeviceError`` if ``out`` cannot be written.
    """
    tell = progress or _silent
    tell("collect", 0, 1)
    plan = collect(folder, follow_links=follow_links)
    files = [file for file in plan.files if not _is_output(file, out)]
    warnings = tuple(map(str, plan.warnings))
    if len(files) < len(plan.files):
        warnings += (f"left out, because it is the output: {out}",)
    # Before packing, which would stop at the first one: the message counts all of them.
    _refuse_long(files, geometry)
    tell("pack", 0, len(files))
    try:
        area = pack(files, geometry, spare_blocks=spare_blocks)
    except FullError as error:
        room = page_capacity(geometry, spare_blocks)
        raise _no_fit(error, folder, _pages(files, geometry), room) from error
    tell("pack", len(files), len(files))
    size = DEFAULT_SIZE if whole_flash is True else int(whole_flash)
    done = write_image(out, area, geometry, size, force=force, progress=progress)
    pages = _pages(files, geometry)
    return Packed(done.path, done.size, done.sha256, len(files), pages, warnings, done.changed)


def _pages(files: list[PackFile], geometry: Geometry) -> int:
    return pages_needed([file.content.stat().st_size for file in files], geometry)


def _is_output(file: PackFile, out: Path) -> bool:
    try:
        return file.content.samefile(out)
    except OSError:
        return False


def _refuse_long(files: list[PackFile], geometry: Geometry) -> None:
    long = [file.name for file in files if len(file.name) >= geometry.name_length]
    if long:
        others = f" (and {len(long) - 1} more)" if long[1:] else ""
        raise too_long(f"{show(long[0])}{others}", long[0], geometry.name_length - 1)


def _no_fit(error: FullError, folder: Path, needed: int, room: int) -> FitError:
    """Return the error with the number of missing pages."""
    reason = str(error.strerror).removesuffix(f": {spiffs_error(Code.FULL).strerror}")
    return FitError(
        f"{folder} does not fit: {reason}",
        needed=needed,
        free=room,
        deleted=0,
        hint=error.hint,
    )


def write_image(
    out: Path,
    area: bytearray,
    geometry: Geometry,
    flash_size: int | None,
    *,
    force: bool,
    progress: Progress | None,
) -> Written:
    """Write an area, or with ``flash_size`` a flash that contains it.

    Raises the errors of ``make_image``.
    """
    pieces: list[Buffer] = [area]
    if flash_size:
        pieces = [*_flash(area, geometry, flash_size)]
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    size = sum(map(len, pieces))
    with held_back(out):
        changed = write_new(out, pieces, force=force, progress=progress)
    return Written(str(out), size, digest.hexdigest(), changed)


def _flash(area: bytearray, geometry: Geometry, flash_size: int) -> Iterator[Buffer]:
    """Yield a blank flash with ``area`` at its address, in pieces."""
    end = geometry.base + geometry.size
    if flash_size % geometry.erase_size:
        raise UsageError(
            f"a flash of {flash_size:#x} bytes is not a multiple of the sector size",
            hint="16 MiB (0x1000000) is usual",
        )
    if end > flash_size:
        raise UsageError(
            f"a flash of {flash_size:#x} bytes cannot hold the area {geometry.base:#x}-{end:#x}",
            hint="give another base of the area, or another size of the flash",
        )
    yield from _blank(geometry.base)
    yield area
    yield from _blank(flash_size - end)


def _blank(size: int) -> Iterator[bytes]:
    for start in range(0, size, CHUNK):
        yield blank(min(CHUNK, size - start))
