"""Open an image: what is it, where are its file systems, may it be changed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maixfs.errors import Command, UsageError
from maixfs.finding import Finding, Severity
from maixfs.host.drives import journal_of
from maixfs.image.address import TargetPath, parse_target
from maixfs.image.entries import PACKED_DAMAGE, Where
from maixfs.image.errors import AmbiguousError, NoFileSystemError, TargetError
from maixfs.image.image import Image
from maixfs.image.names import Mount, Parts, steps_of
from maixfs.image.source import board_holder, find_source, locked, no_image
from maixfs.image.volumes import Slot, Volumes
from maixfs.nor.device import SECTOR, is_filled

if TYPE_CHECKING:
    from maixfs.host.compressed import ImageBytes
    from maixfs.image.fatplaces import FatPlace
    from maixfs.image.formats import Format
    from maixfs.image.media import CardMedium, FlashMedium
    from maixfs.image.plainvolume import PlainMedium
    from maixfs.image.source import Source
    from maixfs.image.volume import Volume
    from maixfs.spiffs import Geometry
    from maixfs.spiffs.detect import Detection

_FLASH = ("flash",)
_CARD = ("sd", "sd2", "sd3", "sd4")
"""What paths on a board begin with."""
_LARGEST_FLASH = 64 << 20
"""Bytes: what is larger is no flash of these boards."""
_LARGEST_CHIP = 16 << 20
"""Bytes of the largest chip that such boards are sold with."""
_READ_AGAIN = "read the flash again: a whole dump is as large as its chip"
_MODES = ("r", "r+")
_SURE = 0.9
"""Above this an area counts beside another one; below, only where it is the only one."""


def open_image(
    path: str | Path | TargetPath,
    mode: str = "r",
    *,
    geometry: Geometry | None = None,
    base: int | None = None,
    drives: bool = False,
    force: bool = False,
) -> Image:
    """Open a board's folder, a flash image or dump, a bare SPIFFS image, or a card.

    Of a text, what ``parse_target`` calls the host (and the slot) is opened; a path says which
    file system of a board is wanted at once, the others open when they are needed. The geometry
    of a SPIFFS is found unless it is given; ``base`` says where it starts, with a geometry or to
    find one. A card is told from a flash by its first sector.

    In mode ``"r"`` nothing on the host changes, not even a time stamp; a board that is powered on
    elsewhere is read as a copy of this moment (``holder`` is the process). In mode ``"r+"`` the
    image is locked until ``close``; drives of the host (block devices) are refused unless
    ``drives`` allows them, and damaged file systems unless ``force`` does.

    Raises ``ValueError`` for another mode, ``DeviceError`` (``FileNotFoundError``,
    ``PermissionError`` ...) for a file that is missing, cannot be read or may not be written;
    ``MissingError``, ``NoFileSystemError``, ``AmbiguousError``; ``BoardError`` and its kin for
    boards; ``BoardBusyError`` or ``ImageBusyError`` where another process changes it.
    """
    if not isinstance(mode, str):
        raise TypeError(f"mode must be str, not {type(mode).__name__}")
    if mode not in _MODES:
        raise UsageError(f"invalid mode: {mode!r}", hint="r reads, r+ reads and writes")
    opening = _Opening(
        _place_of(path), Where(geometry, base, drives), writable=mode == "r+", force=force
    )
    return opening.run()


def open_mounted(path: str | Path | TargetPath, mode: str = "r", **options: Any) -> Image:
    """Open an image as ``open_image`` does, and mount the file system where paths start.

    Raises ``NoFileSystemError`` or ``AmbiguousError`` at once where that cannot be.
    """
    image = open_image(path, mode, **options)
    try:
        _ = image.main
    except BaseException:
        image.release()
        raise
    return image


def is_card(place: TargetPath, where: Where) -> bool:
    """Return whether a place is on a card that is no board's; raises ``DeviceError``."""
    source = find_source(place.host, writable=False)
    if source.config is not None:
        return False
    with _content_of(source, preview=True) or nullcontext() as content:
        return _is_card(place, where, content)


def _content_of(source: Source, *, preview: bool = False) -> ImageBytes | None:
    """Return the bytes of a file, unpacked where it is compressed; ``None`` for other places."""
    if source.config is not None or source.is_device:
        return None
    from maixfs.host.compressed import map_image, unpack_layers

    return unpack_layers(map_image(source.file), preview=preview)


def _registered(place: TargetPath, where: Where, content: ImageBytes | None) -> Format | None:
    """Return which file system of ``image.formats`` fills a file."""
    from maixfs.image.formats import find_format

    if where.is_spiffs or place.slot is not None or content is None:
        return None
    view = content.view
    match = find_format(lambda offset, length: bytes(view[offset : offset + length]), len(view))
    return match and match.format


def _is_card(place: TargetPath, where: Where, content: ImageBytes | None) -> bool:
    """Return whether an image is a card: by what was said of it, or by its first sectors."""
    # A slot is one of a partition table, and what is no file of its own here is a drive.
    if place.slot is not None or content is None:
        return True
    if where.is_spiffs:
        return False
    from maixfs.image.identify import identify_card

    size = len(content)
    # A large file is a card whatever it begins with: searching it for a flash would read all of
    # it.
    if size > _LARGEST_FLASH or identify_card(content.view, size) is not None:
        return True
    # An erased flash has FF: zeros that no board's chip has room for are a blank card.
    return size > _LARGEST_CHIP and is_filled(content.view, 0)


def _place_of(target: str | Path | TargetPath) -> TargetPath:
    if isinstance(target, str):
        return parse_target(target)
    return target if isinstance(target, TargetPath) else TargetPath(target)


class _Opening:
    """One call of ``open_image``."""

    def __init__(self, place: TargetPath, where: Where, *, writable: bool, force: bool) -> None:
        self.place = place
        self.where = where
        self.writable = writable
        self.force = force
        self.source = find_source(place.host, writable=writable, drives=where.drives)
        self.holder: int | None = None
        self.notes: list[Finding] = []
        self.compression: tuple[str, ...] = ()
        self.format: Format | None = None

    def run(self) -> Image:
        source, folder = self.source, self.source.folder
        with ExitStack() as stack:
            if self.writable:
                with _content_of(source, preview=True) or nullcontext() as content:
                    if content is not None:
                        # Before the lock: no lock file is left beside an image that cannot be
                        # changed anyway.
                        content.refuse_writing()
                    card = source.config is None and _is_card(self.place, self.where, content)
                stack.enter_context(locked(source, card=card))
                # What was seen before the lock may have been replaced since.
                self.source = find_source(self.place.host, writable=True, drives=self.where.drives)
                self._finish_journal()
            elif folder is not None:
                self.holder = board_holder(folder)
            volumes = self._board() if self.source.config is not None else self._file()
            try:
                volumes.medium(self._parts())
            except BaseException:
                volumes.close()
                raise
            # From here on the image releases the lock; until now an exception did.
            lock = stack.pop_all() if self.writable else None
        image = Image(
            self.place,
            self.source,
            self.where,
            volumes,
            notes=self.notes,
            holder=self.holder,
            lock=lock,
        )
        image.pending_journal = self._pending()
        image.compression = self.compression
        image.format = self.format
        return image

    def _parts(self) -> Parts:
        """Return the absolute path that was asked for; no parts for a relative one."""
        path = self.place.path or ""
        return steps_of(path).parts if path[:1] == "/" else ()

    # Journals

    def _card_file(self) -> Path | None:
        source = self.source
        if source.config is None or source.folder is None:
            return None
        return source.config.sd.path(source.folder)

    def _finish_journal(self) -> None:
        """Apply what a killed commit left beside a board's card, whatever is opened."""
        card = self._card_file()
        if card is not None and card.exists():
            from maixfs.image.media import finish_card_journal

            finish_card_journal(card)

    def _pending(self) -> Path | None:
        """Return the journal that a killed commit left."""
        file = self._card_file() or self.source.file
        journal = journal_of(file)
        if not journal.exists():
            return None
        from maixfs.sd.journal import is_abandoned

        return journal if is_abandoned(file) else None

    # File systems

    def _file(self) -> Volumes:
        content = _content_of(self.source)
        try:
            self.format = _registered(self.place, self.where, content)
            if self.format is not None and content is not None:
                self._refuse_editing(self.format)
                whole = content
                return Volumes(Slot((), lambda: self._open_plain(whole), self._plain_volumes))
            if not _is_card(self.place, self.where, content):
                return Volumes(Slot((), lambda: self._open_flash(content), self._flash_volumes))
            if self.where.is_spiffs:
                raise UsageError(
                    f"{self.place} is a card: geometry and base are those of a SPIFFS",
                    hint="leave the geometry out",
                )
        except BaseException:
            if content is not None:
                content.close()
            raise
        if content is not None and not content.compression:
            content.close()  # a card is read sector by sector, together with its journal
            content = None
        return Volumes(Slot((), lambda: self._open_card(content), self._card_volumes))

    def _unpacked(self, content: ImageBytes | None) -> ImageBytes | None:
        """Return the bytes of a compressed file; note what it lacks."""
        if content is None or not content.compression:
            return None
        self.compression = content.compression
        if content.damage is not None:
            text = f"the file is cut short or damaged: {content.damage}"
            self.notes.append(Finding(PACKED_DAMAGE, Severity.WARNING, text))
        return content

    def _open_plain(self, content: ImageBytes) -> PlainMedium:
        from maixfs.image.plainvolume import PlainMedium

        self._unpacked(content)
        return PlainMedium(self.source.file, content)

    def _plain_volumes(self, medium: PlainMedium) -> list[Volume]:
        """Mount the file system of the registry that fills a file."""
        from maixfs.image.plainvolume import PlainVolume

        assert self.format is not None
        host, size = self.source.host, medium.size
        volume = PlainVolume(host, medium, Mount(()), self.format, 0, size)
        _ = volume.fs
        return [volume]

    def _plain_partition(self, medium: CardMedium) -> Volume | None:
        """Mount the partition that was asked for if a file system of the registry is in it."""
        from maixfs.image.formats import FORMATS, find_format

        if not FORMATS or not self.place.slot:
            return None
        from maixfs.image.plainvolume import PlainVolume, window
        from maixfs.sd.device import SECTOR as CARD_SECTOR
        from maixfs.sd.partitions import read_partitions

        for part in read_partitions(medium.device).partitions:
            start, size = part.start * CARD_SECTOR, part.sectors * CARD_SECTOR
            if part.number != self.place.slot or start + size > medium.size:
                continue
            match = find_format(window(medium, start, size), size)
            if match is not None:
                self._refuse_editing(match.format)
                return PlainVolume(self.source.host, medium, Mount(()), match.format, start, size)
        return None

    def _refuse_editing(self, kind: Format) -> None:
        if self.writable:
            from maixfs.image.media import read_only

            error = read_only(self.source.host)
            error.hint = f"{kind.name} is only read: unpack its files"
            raise error

    def _board(self) -> Volumes:
        place = self.place
        if place.slot is not None:
            raise UsageError(
                f"{place}: a board's partitions are named by where they are mounted",
                hint=f"{place.host}:/sd, {place.host}:/sd2",
            )
        return Volumes(
            Slot(_FLASH, lambda: self._open_flash(None), self._flash_volumes),
            Slot(_CARD, self._open_board_card, self._board_card_volumes),
        )

    def _open_flash(self, content: ImageBytes | None) -> FlashMedium:
        from maixfs.image.media import FlashMedium

        self._unpacked(content)
        if content is not None and (self.writable or self.holder is not None):
            # What is changed meanwhile is not mapped: the medium reads it into memory.
            content.close()
            content = None
        return FlashMedium(
            self.source, writable=self.writable, holder=self.holder, content=content
        )

    def _flash_volumes(self, medium: FlashMedium) -> list[Volume]:
        """Find and mount the SPIFFS of a flash, or of an image of its own."""
        from maixfs.image.media import check_size
        from maixfs.spiffs import SpiffsError

        # A search costs as much when it finds nothing: its result is kept.
        if medium.fault is not None:
            raise medium.fault
        try:
            check_size(self.source.file, medium.size)
            return [self._mount_flash(medium)]
        except (NoFileSystemError, AmbiguousError) as error:
            for note in self.notes:
                if note.key == PACKED_DAMAGE:
                    error.hint = note.what
            medium.fault = error
            raise
        except SpiffsError as error:
            medium.fault = NoFileSystemError(
                f"{self.source.host}: the SPIFFS does not mount: {error}", hint=self._fix()
            )
            raise medium.fault from error

    def _fix(self) -> str | None:
        if self.where.geometry is not None:
            return "leave the geometry out to have it found"
        if self.source.config is not None:
            return "the board formats it when it starts, and keeps a copy of what was there"
        return None

    def _mount_flash(self, medium: FlashMedium) -> Volume:
        from maixfs.image.spiffsvolume import SpiffsVolume

        source, size = self.source, medium.size
        found: list[Detection] = []
        geometry = self._given_geometry(size)
        if geometry is None:
            found = self._detect(medium)
            geometry = found[0].geometry
        self._check_cut(geometry, medium)
        is_blank = is_filled(medium.shown[geometry.base : geometry.base + geometry.size])
        blank = source.config is not None and not found and is_blank
        if blank and medium.writable:
            # Nothing can be lost here, and the board would do the same when it starts.
            medium.format(geometry)
        elif not blank and source.config is None and is_blank:
            raise NoFileSystemError(
                f"{source.host}: the area at {geometry.base:#x} is blank (all 0xFF)",
                hint="make an empty file system there first",
                fix=(Command("mkfs", (str(source.host),)),),
            )
        # Less than a block behind the area is padding of a tool, not another part of a chip.
        bare = geometry.base == 0 and size - geometry.size < geometry.block_size
        mount = Mount(() if bare and source.config is None else _FLASH)
        volume = SpiffsVolume(
            source.host, medium, mount, geometry, found, blank=blank, force=self.force
        )
        _ = volume.fs
        if geometry.base + geometry.size > size:
            self._note_nameless(medium, geometry)
        return volume

    def _note_nameless(self, medium: FlashMedium, geometry: Geometry) -> None:
        """Note the files of which a cut dump has data, but not the name: no listing has them."""
        from maixfs.spiffs.rescue import rescue

        nameless = [file for file in rescue(medium.device, geometry) if file.name is None]
        if nameless:
            count = f"{len(nameless)} file{'s' * (len(nameless) > 1)}"
            text = f"{count} without a name: the dump ends before their headers"
            data = {"cases": len(nameless), "objects": [file.object_id for file in nameless]}
            self.notes.append(Finding("nameless", Severity.WARNING, text, data=data))

    def _given_geometry(self, size: int) -> Geometry | None:
        where, config = self.where, self.source.config
        if where.geometry is not None:
            return fit_geometry(where.geometry, size, self.source.host, where.base, whole=False)
        # Another base on a board asks for an area that board.toml does not describe: it is
        # searched.
        if config is not None and where.base in (None, config.geometry.base):
            return config.geometry
        return None

    def _detect(self, medium: FlashMedium) -> list[Detection]:
        image, host = medium.image, self.source.host
        if self.where.base is not None:
            return find_area_at(image, host, self.where.base, whole=False)
        try:
            known = None if medium.parts is None else medium.parts.areas
            return find_area(image, host, known)
        except NoFileSystemError:
            if not self._unshift(medium):
                raise
        return find_area(medium.shown, host)

    def _unshift(self, medium: FlashMedium) -> bool:
        """Skip what makes sectors of a dump begin elsewhere; return whether there is anything.

        A dump that begins at another address of the chip needs nothing: its SPIFFS is found.
        """
        from maixfs.image.kinds.flashes import find_shift

        shift = None if self.source.config is not None else find_shift(medium.image)
        skipped = 0 if shift is None else shift.offset % SECTOR
        if shift is None or not skipped:
            return False
        text = f"{shift.evidence}; the file is read from {skipped:#x} on"
        if self.writable:
            raise NoFileSystemError(
                f"{self.source.host}: {text}",
                hint=f"remove the first {skipped:#x} bytes to change it",
            )
        self.notes.append(Finding("shifted", Severity.WARNING, text, where=skipped))
        medium.skip(skipped)
        return True

    def _check_cut(self, geometry: Geometry, medium: FlashMedium) -> None:
        """Note that an area is not all there; refuse to change it."""
        end, size = geometry.base + geometry.size, len(medium.shown)
        if end <= size:
            return
        error = cut_error(geometry, size, self.source.host)
        # The missing blocks exist on the chip: a changed dump that is written back would erase
        # them.
        if self.writable or geometry.base >= size:
            raise error
        self.notes.append(
            Finding(
                "cut-short",
                Severity.WARNING,
                _cut_text(geometry, size),
                fix=(_READ_AGAIN,),
                where=size,
            )
        )
        medium.pad(geometry)

    def _open_card(self, content: ImageBytes | None) -> CardMedium:
        from maixfs.image.media import CardMedium

        source = self.source
        return CardMedium(
            source.file,
            source.stamp,
            writable=self.writable,
            wait=_patience(),
            content=self._unpacked(content),
        )

    def _card_volumes(self, medium: CardMedium) -> list[Volume]:
        """Mount one volume of a card image or block device."""
        from maixfs.image.fatplaces import find_place

        plain = self._plain_partition(medium)
        if plain is not None:
            return [plain]
        place = find_place(medium.device, self.place.slot, str(self.source.host))
        self.notes += place.findings
        return self._mount_card(medium, [place], Mount((), alias=place.name))

    def _open_board_card(self) -> CardMedium | None:
        """Open the card in a board's slot; ``None`` where the slot is empty."""
        from maixfs.host.files import Stamp, refuse_protected, status_of
        from maixfs.image.media import CardMedium

        source, file = self.source, self._card_file()
        if file is None or source.config is None or source.folder is None:
            return None
        if not file.exists():
            raise no_image(file, source.folder)
        status = status_of(file, devices=True)
        if self.writable and source.config.sd.read_only:
            raise TargetError(
                f"{file}: this board's card is write-protected",
                hint="board.toml says so, under [sd]",
            )
        if self.writable:
            refuse_protected(file, status)
        return CardMedium(file, Stamp.of(status), writable=self.writable, wait=_patience())

    def _board_card_volumes(self, medium: CardMedium) -> list[Volume]:
        """Mount what a board mounts; raises ``NoFileSystemError`` where that is nothing."""
        from maixfs.image.fatplaces import find_place, mounted_places

        config, file = self.source.config, medium.file
        places = mounted_places(medium.device)
        if not places:
            place = find_place(medium.device, None, str(file))
            raise NoFileSystemError(
                f"{file}: {place.findings[0].what}",
                fix=(Command("sd doctor", (str(file),)),),
            )
        if config is not None and not config.sd.mount_all:
            # The released firmware stops after the first partition that mounts (docs/SPEC.md,
            # 20.3).
            del places[1:]
        return self._mount_card(medium, places, None)

    def _mount_card(
        self, medium: CardMedium, places: Sequence[FatPlace], mount: Mount | None
    ) -> list[Volume]:
        from maixfs.fat import FatError
        from maixfs.image.fatvolume import FatVolume
        from maixfs.sd.errors import SectorError

        host = self.source.host
        volumes: list[Volume] = []
        try:
            for place in places:
                at = mount or Mount((place.name,))
                volume = FatVolume(host, medium, place, at, force=self.force)
                _ = volume.fs
                volumes.append(volume)
        except (FatError, SectorError) as error:
            raise NoFileSystemError(
                f"{host}: the volume does not mount: {error}",
                fix=(Command("sd doctor", (str(host),)),),
            ) from error
        return volumes


def _patience() -> float:
    from maixfs.image import source

    return source.PATIENCE


# Where the SPIFFS lies


def find_area(
    image: memoryview, host: Path, known: Sequence[Detection] | None = None
) -> list[Detection]:
    """Find the file system of an image, first in the list; the others are far less sure.

    ``known`` are the areas that a search has found already.

    Raises ``NoFileSystemError``, which says what the image is instead, and ``AmbiguousError``
    where it holds several.
    """
    from maixfs.spiffs.detect import detect

    # The search reads all of the image: what ``Parts`` has found already is used again.
    found = sorted(known, key=lambda area: -area.confidence) if known else detect(image)
    if not found:
        raise no_spiffs(image, host)
    # Any area that is as likely as the best one may be the one that is meant. Taking the wrong one
    # would show other files, and an edit would not be noticed.
    rivals = [other for other in found[1:] if other.confidence >= min(_SURE, found[0].confidence)]
    if rivals:
        areas = sorted((one.geometry for one in (found[0], *rivals)), key=lambda one: one.base)
        bases = " or ".join(f"{area.base:#x}" for area in areas)
        ambiguous = AmbiguousError(
            f"{host} holds {len(areas)} file systems: {', '.join(map(place_of, areas))}",
            hint=f"choose one by its base: {bases}",
        )
        ambiguous.bases = tuple(area.base for area in areas)
        raise ambiguous
    return found


def no_spiffs(image: memoryview, host: Path) -> NoFileSystemError:
    """Return the error for an image without SPIFFS, which says what it is instead."""
    from maixfs.image.identify import identify

    identification = identify(image)
    error = NoFileSystemError(
        f"{host}: no SPIFFS found; identified as {identification}",
        hint="if there is one, give its geometry; else make an empty one",
        fix=(Command("mkfs", (str(host),)),),
    )
    error.identification = identification
    return error


def find_area_at(
    image: memoryview, host: Path, base: int, *, whole: bool = True
) -> list[Detection]:
    """Find the file system that starts at ``base``, alone; raises ``NoFileSystemError``."""
    from maixfs.spiffs.detect import detect

    found = detect(image, base=base)
    if not found:
        others = ", ".join(place_of(one.geometry) for one in detect(image))
        raise NoFileSystemError(
            f"{host}: no SPIFFS starts at {base:#x}",
            hint=f"there is one at {others}" if others else None,
        )
    if whole:
        refuse_cut(found[0].geometry, len(image), host)
    return found[:1]


def fit_geometry(
    geometry: Geometry, size: int, host: Path, base: int | None = None, *, whole: bool = True
) -> Geometry:
    """Return a geometry that was asked for as it lies in an image of ``size`` bytes.

    A preset says where the area of a whole flash lies; in an image that is too small for that
    the area is the image. ``base`` has the last word on where it starts. Raises
    ``NoFileSystemError`` where it cannot be, and unless ``whole`` is false where not all of it is
    there.
    """
    start = geometry.base if base is None else base
    wanted = geometry.size
    from maixfs.spiffs import PRESETS, GeometryError

    # The size of a preset is that of a usual chip; a size that was given by hand is meant
    # literally.
    may_shrink = not wanted or geometry in PRESETS.values()
    if may_shrink and not 0 < wanted <= size - start:
        start = 0 if base is None else base
        if not 0 < wanted <= size - start:
            wanted = max(1, (size - start) // geometry.block_size) * geometry.block_size
    try:
        geometry = replace(geometry, base=start, size=wanted)
    except GeometryError as error:
        raise NoFileSystemError(f"{host} has {size:#x} bytes: {error}") from error
    if whole:
        refuse_cut(geometry, size, host)
    return geometry


def refuse_cut(geometry: Geometry, size: int, host: Path) -> None:
    """Raise ``NoFileSystemError`` for an area that ends behind the image."""
    if geometry.base + geometry.size > size:
        raise cut_error(geometry, size, host)


def cut_error(geometry: Geometry, size: int, host: Path) -> NoFileSystemError:
    """Return the error for an area that ends behind the image."""
    return NoFileSystemError(f"{host} is {_cut_text(geometry, size)}", hint=_READ_AGAIN)


def _cut_text(geometry: Geometry, size: int) -> str:
    end = geometry.base + geometry.size
    return f"cut short: its file system ends at {end:#x}, the file at {size:#x}"


def place_of(geometry: Geometry) -> str:
    """Return where an area lies, for a person."""
    return f"{geometry.base:#x}-{geometry.base + geometry.size:#x}"
