"""The bytes behind an image: read as they are, or changed in an overlay until they are committed.

A flash or SPIFFS image is replaced by a new file; a card is changed in place, by way of a journal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from maixfs.errors import MaixfsError, ReadOnlyError
from maixfs.host.drafts import Draft, clear_drafts
from maixfs.host.drives import journal_of
from maixfs.host.files import Stamp, read_file, status_of
from maixfs.image.entries import Progress, Written
from maixfs.image.errors import NoFileSystemError, TargetError
from maixfs.nor.device import SECTOR, NorDevice
from maixfs.nor.errors import out_of_range
from maixfs.nor.view import ImageDevice

if TYPE_CHECKING:
    from maixfs.host.compressed import ImageBytes
    from maixfs.image.parts import Parts
    from maixfs.image.source import Source
    from maixfs.nor.overlay import OverlayFlash
    from maixfs.savepoints import Savepoint
    from maixfs.sd.device import SectorDevice
    from maixfs.sd.media import FileSectors
    from maixfs.sd.overlay import Overlay
    from maixfs.spiffs import Geometry

SMALLEST, LARGEST = 3 * SECTOR, 64 << 20
"""A SPIFFS has three blocks; no chip of these boards has more than 64 MiB."""
_ATTEMPTS = 50
"""How often a card is opened again that is being written."""


class Mounted(Protocol):
    """What is mounted on a medium."""

    def sync(self) -> None:
        """Write what it holds in RAM."""

    def abandon(self) -> None:
        """End the mount without writing."""


class Medium(ABC):
    """One file of the host and the file systems (``volumes``) that are mounted on it."""

    size: int
    """Bytes, unpacked where the file is compressed."""

    def __init__(self, file: Path, *, writable: bool) -> None:
        self.file = file
        self.writable = writable
        self.closed = False
        self.volumes: list[Mounted] = []

    @property
    @abstractmethod
    def changed(self) -> bool:
        """Whether there is anything to commit; what file systems hold in RAM is not counted."""

    @property
    @abstractmethod
    def overlay(self) -> OverlayFlash | Overlay:
        """The changes; raises ``ReadOnlyError``."""

    @property
    @abstractmethod
    def content(self) -> memoryview | SectorDevice:
        """All that is in it, as ``identify`` takes it."""

    @abstractmethod
    def read(self, address: int, length: int) -> bytes:
        """Return bytes in their current state."""

    @abstractmethod
    def write(self, address: int, data: bytes | bytearray | memoryview) -> int:
        """Set bytes, as a flasher does; return the changed sectors. Raises ``ReadOnlyError``."""

    @abstractmethod
    def save(self, progress: Progress | None) -> list[Written]:
        """Put the changes into the host's file in one step; return what was written."""

    @abstractmethod
    def close(self) -> None:
        """Release the file; what was not saved is discarded."""

    @property
    def is_torn(self) -> bool:
        """Whether the file was written meanwhile; a flash image is replaced, never written."""
        return False

    def refresh(self) -> None:  # noqa: B027 - only a card changes while it is open
        """Read the file as it is now, if it can change while it is open."""

    def sync(self) -> None:
        """Have every file system write what it holds in RAM.

        Sectors that are written with the bytes that they had are no change.
        """
        if not self.writable:
            return
        token = self.overlay.savepoint()
        for volume in self.volumes:
            volume.sync()
        if self.overlay.changed_since(token):
            self.overlay.release(token)
        else:
            self.overlay.rollback(token)

    def abandon(self) -> None:
        """End all mounts without writing; they are made again when they are used."""
        for volume in self.volumes:
            volume.abandon()

    def savepoint(self) -> Savepoint:
        """Return a token for the present state; savepoints are nested."""
        self.sync()
        return self.overlay.savepoint()

    def rollback(self, token: Savepoint) -> None:
        """Restore the state of ``token``; streams that are open are closed without writing."""
        self.abandon()
        self.overlay.rollback(token)

    def release(self, token: Savepoint) -> None:
        """Keep the changes since ``token``."""
        self.overlay.release(token)

    def discard(self) -> None:
        """Discard all changes since the last ``save``."""
        self.abandon()
        self.overlay.clear()

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Undo what was done in the body where an exception ends it."""
        token = self.savepoint()
        try:
            yield
            self.sync()
            changed = self.overlay.changed_since(token)
        except BaseException:
            self.rollback(token)
            raise
        if changed:
            self.release(token)
        else:
            # The same bytes: a file that was only looked at is not written again.
            self.overlay.rollback(token)

    def _check_stamp(self, stamp: Stamp) -> None:
        """Raise ``TargetError`` where the file is not the one that was opened.

        Locks keep out this program only.
        """
        if Stamp.of(status_of(self.file, devices=True)) != stamp:
            raise TargetError(
                f"{self.file} was changed by another program meanwhile; nothing was written",
                hint="run the command again",
            )


def read_only(file: object) -> ReadOnlyError:
    """Return the error for changing what was opened for reading (EROFS)."""
    import errno

    return ReadOnlyError(f"{file} is open for reading only", errno=errno.EROFS)


class FlashMedium(Medium):
    """A flash or SPIFFS image: mapped, or a copy where a running board may change it.

    ``holder`` is the process that has the board powered on. Who makes a writable one has the
    image locked (``source.locked``).
    """

    def __init__(
        self,
        source: Source,
        *,
        writable: bool,
        holder: int | None = None,
        content: ImageBytes | None = None,
    ) -> None:
        """Open the file, or take the unpacked ``content`` of one that is compressed."""
        super().__init__(source.file, writable=writable)
        if writable:
            # The image is locked now; it may have been replaced before.
            source = source._replace(stamp=Stamp.of(status_of(source.file)))
        self.source = source
        self.holder = holder
        self._content = content
        self._base = self._opened()
        self.size = len(self._base)
        self._shown: memoryview | None = None
        self.parts: Parts | None = None
        """What was found in ``image``, once it was searched."""
        self.fault: MaixfsError | None = None
        """Why no file system mounts, once that was tried."""
        self.device: NorDevice = ImageDevice(self._base)
        try:
            check_board_size(source, self.size)
            self.wear = read_wear(source, self.size)
        except BaseException:
            self.close()
            raise
        self._overlaid: OverlayFlash | None = None
        if writable:
            from maixfs.nor.overlay import OverlayFlash

            self._overlaid = OverlayFlash(self.device)
            self.device = self._overlaid

    def _opened(self) -> memoryview:
        # A copy also for changing: touching a mapped file that another program cut short in the
        # meantime would kill the process.
        if self.writable or self.holder is not None:
            return memoryview(read_file(self.file))
        if self._content is None:
            from maixfs.host.compressed import map_image

            self._content = map_image(self.file)
        return self._content.view

    @property
    def shown(self) -> memoryview:
        """The bytes of ``device``: ``image`` but for what ``skip`` and ``pad`` changed."""
        return self.image if self._shown is None else self._shown

    def skip(self, length: int) -> None:
        """Have ``device`` begin ``length`` bytes behind the start of the file."""
        self._shown = self.shown[length:]
        self.device = ImageDevice(self._shown)

    def pad(self, geometry: Geometry) -> None:
        """Have the blocks that a dump that was cut short lacks read as empty ones."""
        from maixfs.spiffs.pack import pack

        # Blank blocks would lack their magics, and two such blocks make a mount fail
        # (docs/SPEC.md, 7): an empty file system has them.
        there = bytes(self.shown)
        empty = bytes(pack([], geometry))
        self._shown = memoryview(there + empty[len(there) - geometry.base :])
        self.device = ImageDevice(self._shown)

    def format(self, geometry: Geometry) -> None:
        """Write an empty file system, which alone is nothing to commit."""
        from maixfs.spiffs import SpiffsCore

        SpiffsCore.format(self.device, geometry)
        self._base = memoryview(self.overlay.image())
        self.overlay.below = ImageDevice(self._base)

    @property
    def image(self) -> memoryview:
        """The bytes as they are now, read-only."""
        if self._overlaid is None or not self.changed:
            return self._base
        return memoryview(self._overlaid.image())

    @property
    def changed(self) -> bool:
        """Whether there is anything to commit."""
        return self._overlaid is not None and any(True for _ in self._overlaid.changed_sectors())

    @property
    def overlay(self) -> OverlayFlash:
        """The changes; raises ``ReadOnlyError``."""
        if self._overlaid is None:
            raise read_only(self.file)
        return self._overlaid

    @property
    def content(self) -> memoryview:
        """All bytes as they are now."""
        return self.image

    def read(self, address: int, length: int) -> bytes:
        """Return bytes in their current state; raises ``DeviceError`` behind the file's end."""
        self._check_inside(address, length)
        return self.device.read(address, length)

    def _check_inside(self, address: int, length: int) -> None:
        # An overlay ends with a whole sector, the file need not.
        if address < 0 or length < 0 or address + length > self.size:
            raise out_of_range(address, length, self.size)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> int:
        """Set bytes as a flasher does; return the number of sectors that changed.

        Each of those is erased, which a board's wear counts include, and programmed.
        """
        overlay, view = self.overlay, memoryview(data).cast("B")
        self._check_inside(address, len(view))
        changed = 0
        with self.whole():
            self.abandon()
            # A mount that failed is tried again: these bytes may repair it.
            self.fault = None
            for start in range(address // SECTOR * SECTOR, address + len(view), SECTOR):
                old = overlay.read(start, min(SECTOR, self.size - start))
                first, end = max(address, start), min(address + len(view), start + len(old))
                piece = view[first - address : end - address]
                new = old[: first - start] + bytes(piece) + old[end - start :]
                # As on the chip, where programming only clears bits: erase first, and program what
                # is not FF. Equal sectors are left alone, because each erase counts as wear.
                if new != old:
                    overlay.erase(start, SECTOR)
                    if new.strip(b"\xff"):
                        overlay.program(start, new)
                    changed += 1
        return changed

    def save(self, progress: Progress | None) -> list[Written]:
        """Put the bytes in the place of the host's file, in one step.

        Raises ``DeviceError`` where the host refuses, ``TargetError`` where another program
        changed the file since it was read; the old file is then as it was.
        """
        if not self.writable or not self.changed:
            return []
        path, overlay = self.file, self.overlay
        self._check_stamp(self.source.stamp)
        image = overlay.image()
        # A process that was killed while it wrote a draft could not remove it.
        clear_drafts(path.resolve().parent)
        with Draft(path) as flash, ExitStack() as stack:
            flash.write((image,), self.size, progress)
            wear = self._draft_wear(stack)
            # Erases are counted before the bytes that they made are there: a kill between the two
            # files leaves a chip that is a little older than its contents.
            if wear is not None:
                wear.finish()
            flash.finish()
        # The mount stays: the new file has the bytes that it knows.
        self._base = memoryview(image)
        overlay.below = ImageDevice(self._base)
        overlay.clear()
        self.source = self.source._replace(stamp=Stamp.of(status_of(path)))
        self.wear = read_wear(self.source, self.size)
        from hashlib import sha256

        return [Written(str(path), self.size, sha256(image).hexdigest(), True)]

    def _draft_wear(self, stack: ExitStack) -> Draft | None:
        """Write the new erase counts beside the old ones."""
        place, erases = self.source.wear_file, self.overlay.erases
        if place is None or not erases:
            return None
        from maixfs.nor.wear import WearCounts

        draft = stack.enter_context(Draft(place))
        if self.wear is not None and place.exists():
            draft.write((read_file(place),), place.stat().st_size, None)
        counts = WearCounts.open(draft.file, -(-self.size // SECTOR))
        try:
            for sector, count in erases.items():
                for _ in range(count):
                    counts.add(sector)
            counts.flush()
        finally:
            counts.close()
        return draft

    def close(self) -> None:
        """Release the file; what was not saved is discarded."""
        self.abandon()
        self.closed = True
        self.device = ImageDevice(memoryview(b""))
        self._base = memoryview(b"")
        self._shown = self.parts = None
        if self._content is not None:
            self._content.close()


def check_board_size(source: Source, size: int) -> None:
    """Raise ``TargetError`` for a board's flash that has not the size of its chip."""
    if source.config is not None and size != source.config.flash_size:
        raise TargetError(
            f"{source.file} has {size} bytes, the board's chip has {source.config.flash_size}",
            hint="a board's flash.bin has exactly the size of its chip (board.toml, flash.size)",
        )


def check_size(file: Path, size: int) -> None:
    """Raise ``NoFileSystemError`` for a file that cannot hold a SPIFFS by its size alone."""
    if size < SMALLEST:
        raise NoFileSystemError(f"{file} has {size} bytes: too few for a file system")
    if size > LARGEST:
        raise NoFileSystemError(
            f"{file} has {size} bytes: more than any flash chip of these boards",
            hint=f"cut the dump to the chip's size, at most {LARGEST >> 20} MiB",
        )


def read_wear(source: Source, size: int) -> tuple[int, ...] | None:
    """Return the erase counts that lie beside a board's flash."""
    place = source.wear_file
    if place is None or not place.exists():
        return None
    from maixfs.nor.wear import WearCounts

    counts = WearCounts.open(place, -(-size // SECTOR), read_only=True)
    try:
        return counts.counts()
    finally:
        counts.close()


class CardMedium(Medium):
    """A card's sectors, ``device``; with ``writable`` they change in memory until ``save``.

    A journal that a killed process left is applied by a writer; a reader sees the card as if that
    had been done. A writer has the card alone: ``BoardBusyError`` says that a board or another
    process has it. Raises ``TargetError`` for a file that cannot be read or written.
    """

    def __init__(
        self,
        file: Path,
        stamp: Stamp,
        *,
        writable: bool,
        wait: float = 0.0,
        content: ImageBytes | None = None,
    ) -> None:
        """Open the file, or take the unpacked ``content`` of one that is compressed."""
        super().__init__(file, writable=writable)
        self._content = content
        self._stack = ExitStack()
        self.device: SectorDevice
        self._stamp = stamp
        self._generation: object = None
        self._unfinished = False
        """Whether a commit failed behind its journal, which is then beside the card."""
        try:
            if writable:
                self._stack.enter_context(alone(file, wait=wait))
                with _host_errors():
                    from maixfs.sd.journal import finish

                    finish(file)
                # Applying the journal changed the file.
                self._stamp = Stamp.of(status_of(file, devices=True))
            self._open()
            self.size = self.device.sectors * 512
        except BaseException:
            self._stack.close()
            raise

    def _open(self) -> None:
        if self._content is not None:
            from maixfs.image.identify import sample_of
            from maixfs.image.kinds.sectors import SampleSectors

            self._stack.enter_context(self._content)
            self.device = SampleSectors(sample_of(self._content.view))
            return
        # Read-only also for an edit: only ``_apply`` opens the card for writing, once the journal
        # is complete.
        self._below = self._stack.enter_context(open_sectors(self.file))
        if self.writable:
            from maixfs.sd.overlay import Overlay

            self.device = Overlay(self._below, self.file.resolve().parent)
        else:
            self.device = self._seen()

    def _seen(self) -> SectorDevice:
        """Return the card as its writer will leave it, at one moment."""
        from maixfs.sd.errors import SectorError
        from maixfs.sd.journal import as_finished

        for attempt in range(_ATTEMPTS):
            before = self._state()
            try:
                with _host_errors():
                    device = as_finished(self.file, self._below)
            except (TargetError, SectorError):
                # A journal that was being applied while it was compared with the card.
                if attempt + 1 == _ATTEMPTS or self._state() == before:
                    raise
                _pause()
                continue
            if self._state() == before:
                break
            _pause()
        # Card and journal had the same stamps before and after they were read: the two are of one
        # moment.
        self._generation = before
        return device

    def _state(self) -> object:
        """Return what changes when the card or its journal does."""

        journal = None
        with suppress(OSError):
            journal = Stamp.of(journal_of(self.file).stat())
        return Stamp.of(status_of(self.file, devices=True)), journal

    @property
    def content(self) -> SectorDevice:
        """The sectors."""
        return self.device

    def read(self, address: int, length: int) -> bytes:
        """Return bytes in their current state."""
        first, end = address // 512, -(-(address + length) // 512)
        data = self.device.read(first, end - first)
        return data[address - first * 512 :][:length]

    def write(self, address: int, data: bytes | bytearray | memoryview) -> int:
        """Set bytes; return the number of sectors that were written."""
        overlay, end = self.overlay, address + len(data)
        with self.whole():
            first, last = address // 512, -(-end // 512)
            # A card is written in whole sectors: the first and the last keep the bytes that were
            # not named.
            sectors = bytearray(overlay.read(first, last - first))
            sectors[address - first * 512 : end - first * 512] = data
            self.abandon()
            overlay.write(first, sectors)
        return last - first

    @property
    def is_torn(self) -> bool:
        """Whether another process wrote the card since it was opened for reading."""
        if self.writable or self._content is not None:
            return False
        return self._state() != self._generation

    def refresh(self) -> None:
        """Look at the card anew, after another process wrote it."""
        self.abandon()
        self.device = self._seen()

    @property
    def changed(self) -> bool:
        """Whether there is anything to commit."""
        return self.writable and bool(len(self.overlay))

    @property
    def overlay(self) -> Overlay:
        """The changes; raises ``ReadOnlyError``."""
        if not self.writable:
            raise read_only(self.file)
        # No import here: an image that is collected while Python exits comes by.
        return cast("Overlay", self.device)

    def save(self, progress: Progress | None = None) -> list[Written]:
        """Put what was written into the card: all of it or, whatever happens, nothing.

        The proof is of the sectors as they were read back. Raises ``TargetError`` where the host
        refuses, or where another program changed the card.
        """
        if not self.changed:
            return []
        self._finish()
        from maixfs.sd.journal import Journal

        overlay = self.overlay
        self._check_stamp(self._stamp)
        runs = [*overlay.runs()]
        with _host_errors():
            journal = Journal(self.file)
        try:
            with _host_errors():
                journal.write(overlay, self._below, runs, progress)
        except BaseException:
            journal.close()
            raise
        # From here on a journal that stays behind is finished by the next opening.
        self._unfinished = True
        try:
            digest = _apply(self.file, overlay, runs, progress)
        except BaseException as error:
            journal.leave()
            # Ctrl-C: it is too late to stop, and half of it is worse than all.
            if not isinstance(error, TargetError):
                self._finish()
                overlay.clear()
            raise
        journal.close()
        self._unfinished = False
        overlay.clear()
        self._stamp = Stamp.of(status_of(self.file, devices=True))
        from maixfs.sd.device import SECTOR as SECTOR_SIZE

        sectors = sum(count for _, count in runs)
        written = Written(str(self.file), sectors * SECTOR_SIZE, digest, True, sectors=sectors)
        return [written]

    def _finish(self) -> None:
        """Apply the journal of a commit that failed, as the next opening would."""
        if not self._unfinished:
            return
        from maixfs.sd.journal import finish

        with _host_errors():
            finish(self.file)
        self._stamp = Stamp.of(status_of(self.file, devices=True))
        self._unfinished = False

    def discard(self) -> None:
        """Discard all changes since the last ``save``; one that has failed is finished first.

        Its journal is complete, so that the card cannot have its old sectors again.
        """
        self._finish()
        super().discard()

    def close(self) -> None:
        """Release the file; what was not saved is discarded."""
        self.abandon()
        self.closed = True
        if self.writable:
            self.overlay.clear()
        self._stack.close()


def _pause() -> None:
    import time

    time.sleep(0.01)


@contextmanager
def _host_errors() -> Iterator[None]:
    """Raise what is wrong with a card's file as ``TargetError``."""
    from maixfs.sd.errors import SectorError

    try:
        yield
    except SectorError as error:
        raise TargetError(str(error), hint=error.hint) from error


def open_sectors(file: Path, *, read_only: bool = True) -> FileSectors:
    """Open a card's file; raises ``TargetError``."""
    from maixfs.sd.media import FileSectors

    with _host_errors():
        return FileSectors.open(file, read_only=read_only)


def finish_card_journal(file: Path) -> bool:
    """Apply or discard the journal that a killed process left beside a card.

    Returns whether there was one. Raises ``BoardBusyError`` or ``TargetError`` where another
    process is writing the card, and ``TargetError`` where the journal no longer fits the card.
    """
    from maixfs.sd.journal import finish

    if not journal_of(file).exists():
        return False
    with alone(file), _host_errors():
        return finish(file)


def finish_board_journal(folder: Path) -> bool:
    """Apply the journal beside the card in the slot of a board; return whether there was one.

    Raises ``MissingError`` where the card's image is gone, and the errors of
    ``finish_card_journal``.
    """
    from maixfs.image.boardconfig import BoardConfig
    from maixfs.image.source import no_image

    image = BoardConfig.load(folder).sd.path(folder)
    if image is None:
        return False
    if not image.exists():
        raise no_image(image, folder)
    return finish_card_journal(image)


@contextmanager
def alone(file: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Have a card for oneself, against boards too; raises ``BoardBusyError``."""
    from maixfs.image.boardlock import CardLock

    lock = CardLock(file, read_only=False, wait=wait)
    try:
        yield
    finally:
        lock.release()


def _apply(
    file: Path, overlay: Overlay, runs: list[tuple[int, int]], progress: Progress | None
) -> str:
    """Write the runs into the card and read them back; return their SHA-256."""
    from maixfs.sd.device import SECTOR as SECTOR_SIZE
    from maixfs.sd.errors import SectorError

    total = sum(count for _, count in runs) * SECTOR_SIZE
    from hashlib import sha256

    digest = sha256()
    try:
        with open_sectors(file, read_only=False) as card:
            done = 0
            for start, count in runs:
                card.write(start, overlay.read(start, count))
                done += count * SECTOR_SIZE
                _report(progress, "write", done, total)
            card.sync()
            done = 0
            for start, count in runs:
                # The journal stays until every sector was read back: if one differs, the next
                # opening writes them again.
                data = card.read(start, count)
                if data != overlay.read(start, count):
                    raise SectorError(f"sector {start:#x} reads back differently")
                digest.update(data)
                done += count * SECTOR_SIZE
                _report(progress, "verify", done, total)
    except SectorError as error:
        raise TargetError(
            str(error),
            hint="the next opening for writing finishes the work from the journal beside it",
        ) from error
    return digest.hexdigest()


def _report(progress: Progress | None, phase: str, done: int, total: int) -> None:
    if progress is not None:
        progress(phase, done, total)
