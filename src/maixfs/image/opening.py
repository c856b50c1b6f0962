"""Open an image: what is it, where are its file systems, may it be changed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.errors import Command, UsageError
from maixfs.finding import Finding, Severity
from maixfs.image.address import TargetPath, parse_target
from maixfs.image.entries import Kind, Where
from maixfs.image.errors import NoFileSystemError, TargetError
from maixfs.image.image import Image
from maixfs.image.names import steps_of
from maixfs.image.paths import Mount
from maixfs.image.source import board_holder, find_source, locked, no_image
from maixfs.image.volumes import Slot, Volumes
from maixfs.nor.device import is_filled

if TYPE_CHECKING:
    from maixfs.image.fatplaces import FatPlace
    from maixfs.image.media import CardMedium, FlashMedium
    from maixfs.image.source import Source
    from maixfs.image.volume import Volume
    from maixfs.spiffs import Geometry
    from maixfs.spiffs.detect import Detection

_FLASH = ("flash",)
_CARD = ("sd", "sd2", "sd3", "sd4")
"""What paths on a board begin with."""
_LARGEST_FLASH = 64 << 20
"""Bytes: what is larger is no flash of these boards."""
_MODES = ("r", "r+")


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


def is_card(place: TargetPath, where: Where) -> bool:
    """Return whether a place is on a card that is no board's; raises ``DeviceError``."""
    source = find_source(place.host, writable=False)
    return source.config is None and _is_card(source, place, where)


def _is_card(source: Source, place: TargetPath, where: Where) -> bool:
    """Return whether an image is a card: by what was said of it, or by its first sector."""
    if place.slot is not None or source.is_device:
        return True
    if where.is_spiffs:
        return False
    from maixfs.host.files import read_start
    from maixfs.image.identify import HEAD, identify_card

    size = source.size
    return size > _LARGEST_FLASH or bool(identify_card(read_start(source.file, HEAD), size))


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
        self.journal: Path | None = None

    def run(self) -> Image:
        source, folder = self.source, self.source.folder
        with ExitStack() as stack:
            if self.writable:
                card = source.config is None and _is_card(source, self.place, self.where)
                stack.enter_context(locked(source, card=card))
                # What was seen before the lock may have been replaced since.
                self.source = find_source(self.place.host, writable=True, drives=self.where.drives)
                self._finish_journal()
            elif folder is not None:
                self.holder = board_holder(folder)
            is_board = self.source.config is not None
            kind, volumes = self._open_board() if is_board else self._open_file()
            lock = stack.pop_all() if self.writable else None
        image = Image(self.place, self.source, kind, volumes, holder=self.holder, lock=lock)
        image.notes = self.notes
        image.pending_journal = self._pending()
        return image

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
        from maixfs.sd.journal import is_abandoned, journal_of

        file = self._card_file() or self.source.file
        journal = journal_of(file)
        return journal if journal.exists() and is_abandoned(file) else None

    # File systems

    def _open_file(self) -> tuple[Kind, Volumes]:
        if not _is_card(self.source, self.place, self.where):
            flash = self._open_flash()
            bare = not flash.mount.parts
            return Kind.SPIFFS_IMAGE if bare else Kind.FLASH_IMAGE, Volumes.of(flash)
        if self.where.is_spiffs:
            raise UsageError(
                f"{self.place} is a card: geometry and base are those of a SPIFFS",
                hint="leave the geometry out",
            )
        return Kind.CARD, Volumes.of(self._open_card())

    def _open_board(self) -> tuple[Kind, Volumes]:
        place = self.place
        if place.slot is not None:
            raise UsageError(
                f"{place}: a board's partitions are named by where they are mounted",
                hint=f"{place.host}:/sd, {place.host}:/sd2",
            )
        volumes = Volumes(
            Slot(_FLASH, lambda: [self._open_flash()]), Slot(_CARD, self._open_board_card)
        )
        path = place.path or ""
        try:
            volumes.at(steps_of(path).parts if path[:1] == "/" else ())
        except BaseException:
            volumes.close()
            raise
        return Kind.BOARD, volumes

    def _open_flash(self) -> Volume:
        """Find and mount the SPIFFS of a flash, or of an image of its own."""
        from maixfs.image.media import FlashMedium
        from maixfs.spiffs import SpiffsError

        medium = FlashMedium(self.source, writable=self.writable, holder=self.holder)
        try:
            return self._mount_flash(medium)
        except SpiffsError as error:
            medium.close()
            raise NoFileSystemError(
                f"{self.source.host}: the SPIFFS does not mount: {error}", hint=self._fix()
            ) from error
        except BaseException:
            medium.close()
            raise

    def _fix(self) -> str | None:
        if self.where.geometry is not None:
            return "leave the geometry out to have it found"
        if self.source.config is not None:
            return "the board formats it when it starts, and keeps a copy of what was there"
        return None

    def _mount_flash(self, medium: FlashMedium) -> Volume:
        from maixfs.image.spiffsvolume import SpiffsVolume

        source, size = self.source, len(medium.image)
        found: list[Detection] = []
        geometry = self._given_geometry(size)
        if geometry is None:
            found = self._detect(medium.image)
            geometry = found[0].geometry
        self._check_cut(geometry, medium)
        is_blank = is_filled(medium.image[geometry.base : geometry.base + geometry.size])
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
        bare = geometry.base == 0 and size - geometry.size < geometry.block_size
        mount = Mount(() if bare and source.config is None else _FLASH)
        volume = SpiffsVolume(
            source.host, medium, mount, geometry, found, blank=blank, force=self.force
        )
        _ = volume.fs
        return volume

    def _given_geometry(self, size: int) -> Geometry | None:
        from maixfs.image.probe import fit_geometry

        where, config = self.where, self.source.config
        if where.geometry is not None:
            return fit_geometry(where.geometry, size, self.source.host, where.base, whole=False)
        if config is not None and where.base in (None, config.geometry.base):
            return config.geometry
        return None

    def _detect(self, image: memoryview) -> list[Detection]:
        from maixfs.image.probe import find_area, find_area_at

        if self.where.base is None:
            return find_area(image, self.source.host)
        return find_area_at(image, self.source.host, self.where.base, whole=False)

    def _check_cut(self, geometry: Geometry, medium: FlashMedium) -> None:
        """Note that an area is not all there; refuse to change it."""
        from maixfs.image.probe import cut_error

        end, size = geometry.base + geometry.size, medium.size
        if end <= size:
            return
        error = cut_error(geometry, size, self.source.host)
        if self.writable or geometry.base >= size:
            raise error
        self.notes.append(
            Finding(
                "cut-short",
                Severity.WARNING,
                str(error),
                fix=("read the flash again: a whole dump is as large as its chip",),
                where=size,
            )
        )
        medium.pad(geometry)

    def _open_card(self) -> Volume:
        """Open one volume of a card image or block device."""
        from maixfs.image.fatplaces import find_place
        from maixfs.image.media import CardMedium

        source = self.source
        medium = CardMedium(source.file, source.stamp, writable=self.writable, wait=_patience())
        try:
            place = find_place(medium.device, self.place.slot, str(source.host))
            self.notes += place.findings
            return self._mount_card(medium, [place], Mount((), alias=place.name))[0]
        except BaseException:
            medium.close()
            raise

    def _open_board_card(self) -> Sequence[Volume]:
        """Open what a board mounts of the card in its slot; nothing where the slot is empty.

        Raises ``NoFileSystemError`` for a card that it would not mount.
        """
        from maixfs.host.files import Stamp, refuse_protected, status_of
        from maixfs.image.fatplaces import find_place, mounted_places
        from maixfs.image.media import CardMedium

        source, file = self.source, self._card_file()
        if file is None or source.config is None or source.folder is None:
            return []
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
        medium = CardMedium(file, Stamp.of(status), writable=self.writable, wait=_patience())
        try:
            places = mounted_places(medium.device)
            if not places:
                place = find_place(medium.device, None, str(file))
                raise NoFileSystemError(
                    f"{file}: {place.findings[0].what}",
                    fix=(Command("sd doctor", (str(file),)),),
                )
            if not source.config.sd.mount_all:
                del places[1:]
            return self._mount_card(medium, places, None)
        except BaseException:
            medium.close()
            raise

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
