"""One image: a board's folder, a flash dump, a SPIFFS image, a card or a FAT volume."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from maixfs.errors import ClosedError, Command, MaixfsError, UsageError
from maixfs.filesystem import bytes_view
from maixfs.finding import Cost, Examination, examine_image
from maixfs.image.entries import PACKED_DAMAGE, Kind, Progress, Where, Written
from maixfs.image.errors import FolderError, MissingError
from maixfs.image.names import Steps, steps_of
from maixfs.image.verbs import Buffer, ImagePath, ImageVerbs, path_text
from maixfs.image.volume import WILDCARDS, Entries, ImageEntry, Room, Volume
from maixfs.streams import parse_mode

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from maixfs.filesystem import FileSystem
    from maixfs.finding import Finding
    from maixfs.image.address import TargetPath
    from maixfs.image.boardconfig import BoardConfig
    from maixfs.image.content import Content
    from maixfs.image.formats import Format
    from maixfs.image.identify import Identification
    from maixfs.image.layout import Layout
    from maixfs.image.media import FlashMedium, Medium
    from maixfs.image.parts import Parts
    from maixfs.image.source import Source
    from maixfs.image.spiffsvolume import SpiffsVolume
    from maixfs.image.volumes import Volumes

_ATTEMPTS = 20
"""How often something is read again from a card that is being written."""
T = TypeVar("T")


class Image(ImageVerbs):
    """An open image; made by ``maixfs.open``.

    Paths are those of the board (``/flash/main.py``, ``/sd/main.py``; in an image of one file
    system ``/main.py``, too); a relative one starts at ``mount_point``. In mode ``"r+"`` the
    host's file is locked, and changes lie in an overlay until ``commit``, which ``close`` calls.
    Leaving ``with`` by an exception discards them, and so does ``discard``.

    Errors: ``MissingError`` for what is not there, ``UnreadableError`` for a damaged file,
    ``FitError`` where there is no room, ``ReadOnlyError`` for changing an image in mode ``"r"``,
    ``ClosedError`` after ``close``, ``TargetError`` for what the file system refuses.
    """

    def __init__(
        self,
        place: TargetPath,
        source: Source,
        where: Where,
        volumes: Volumes,
        *,
        notes: list[Finding],
        holder: int | None = None,
        lock: ExitStack | None = None,
    ) -> None:
        """Take what was found; ``lock`` is ended by ``close``. ``None``: read-only."""
        self.place = place
        """How it was named."""
        self.source = source
        self.host: Path = source.host
        self.where = where
        """What was said about the place and format of its SPIFFS."""
        self.volumes = volumes
        self.holder = holder
        """The process that has the board powered on (0: not known which), or ``None``."""
        self.mode = "r" if lock is None else "r+"
        self._notes = notes
        self._config: BoardConfig | None = None
        """Settings of a board that are not committed yet."""
        self.compression: tuple[str, ...] = ()
        """The compressions that were undone to read it, the outermost first."""
        self.pending_journal: Path | None = None
        """The journal of a killed commit that reading sees through; the next opening for
        writing applies it."""
        self._stack = ExitStack()
        if lock is not None:
            # First in, last out: the lock is released after all media are closed.
            self._stack.push(lock)
        self._stack.callback(volumes.close)
        self.format: Format | None = None
        """Which file system of ``image.formats`` it is, if it is one."""
        self._closed = False
        self._process = os.getpid()
        self._transactions = 0
        """Those that are open."""

    # Its whole

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def writable(self) -> bool:
        """Whether it was opened for changing."""
        return self.mode == "r+"

    @property
    def config(self) -> BoardConfig | None:
        """What a board is made of; ``None`` for images. A new one is saved by ``commit``."""
        return self.source.config if self._config is None else self._config

    @config.setter
    def config(self, config: BoardConfig) -> None:
        from maixfs.image.boardconfig import BoardConfig

        if not isinstance(config, BoardConfig):
            raise TypeError(f"config must be a BoardConfig, not {type(config).__name__}")
        self._refuse_reading()
        if self.source.config is None:
            raise UsageError(f"{self.host} is not a board: it has no board.toml")
        self._config = None if config == self.source.config else config

    @property
    def kind(self) -> Kind:
        """What the host's path is; an area of its own is mounted to tell it from a chip."""
        self._check_open()
        if self.config is not None:
            return Kind.BOARD
        if self.format is not None:
            return Kind.FILE_SYSTEM
        if not self.is_flash:
            return Kind.CARD
        volume = next(self.volumes.mountable(), None)
        return Kind.SPIFFS_IMAGE if volume and not volume.mount.parts else Kind.FLASH_IMAGE

    @property
    def is_flash(self) -> bool:
        """Whether its first medium is a flash or a SPIFFS, and no card."""
        from maixfs.image.media import FlashMedium

        self._check_open()
        return self.config is not None or isinstance(self.volumes.medium(), FlashMedium)

    @property
    def size(self) -> int:
        """Bytes of the flash or card, unpacked where the host's file is compressed."""
        return self._medium().size

    @property
    def notes(self) -> list[Finding]:
        """What was missing or odd when it was opened; the first file system is mounted to know."""
        self._check_open()
        with suppress(MaixfsError):
            _ = self.main
        return self._notes

    @property
    def packing(self) -> Examination:
        """What is wrong with the compressed file: not all of its bytes come out."""
        return Examination(tuple(note for note in self.notes if note.key == PACKED_DAMAGE))

    @property
    def torn(self) -> bool:
        """Whether what was read may be of several moments.

        A board that is powered on writes while it is read; a card may have been written meanwhile.
        """
        self._check_open()
        return self.holder is not None or any(medium.is_torn for medium in self._media())

    @property
    def main(self) -> Volume:
        """The file system where relative paths start."""
        self._check_open()
        return self.volumes.main

    @property
    def spiffs(self) -> SpiffsVolume:
        """The SPIFFS; raises ``UsageError`` where the image is a card."""
        from maixfs.image.spiffsvolume import SpiffsVolume

        volume = self.main
        if not isinstance(volume, SpiffsVolume):
            raise UsageError(f"{self.host} is a {self.kind}: it holds no SPIFFS")
        return volume

    @property
    def mount_point(self) -> str:
        """Where relative paths start: ``/flash``, or ``/`` in an image of one file system."""
        return self.main.mount.point

    @property
    def filesystems(self) -> dict[str, FileSystem[Any]]:
        """The file systems by mount point."""
        self._check_open()
        return {volume.mount.point: volume.shared() for volume in self.volumes.mountable()}

    def fs(self, point: str) -> FileSystem[Any]:
        """Return the file system that is mounted at a path; raises ``MissingError``."""
        steps = self._typed(point)
        volume = self.volumes.at(steps.parts)
        if volume.mount.parts != volume.mount.without_alias(steps).parts:
            raise MissingError(f"{point}: no file system is mounted there")
        return volume.shared()

    def resolve(self, path: str) -> tuple[FileSystem[Any], str]:
        """Return the file system of a path, and the path inside of it."""
        volume = self.volume(path)
        found = volume.find(self._find(path))
        return volume.shared(), volume.inner_path(path) if found is None else found.inner.path

    # What lies where

    @property
    def identification(self) -> Identification:
        """What the bytes are, with the evidence."""
        return self.identify()

    def identify(self, *, search: bool = True) -> Identification:
        """Say what the bytes are; without ``search`` flashes are not looked for."""
        from maixfs.image.identify import identify, with_compression

        self._check_open()
        if self.config is not None:
            return identify(self.host)
        found = identify(self._medium().content, search=search)
        return with_compression(found, self.compression)

    def findings(
        self, depth: Cost = Cost.CONTENT, progress: Progress | None = None
    ) -> Examination:
        """Examine everything in it, as far as ``depth`` goes."""
        self._check_open()
        return examine_image(self, depth, progress)

    @property
    def parts(self) -> Parts:
        """What lies where in a flash, as it is now; empty for a card."""
        from maixfs.image.parts import Parts

        if not self.is_flash:
            return Parts(b"")
        medium = self.flash
        # Any change of a file may move a part, so only what cannot change is kept.
        if medium.parts is None or self.writable:
            medium.parts = Parts(medium.image)
        return medium.parts

    @property
    def layout(self) -> Layout | None:
        """What is meant to lie where in a flash; ``None`` where no layout suits."""
        return self.parts.layout

    def partitions(self) -> dict[str, TargetPath]:
        """Return what a whole card divides into: ``card.img@1`` as ``sd``, and so on.

        Empty where there is nothing to divide, or one partition was asked for by its slot.
        """
        from maixfs.image.media import CardMedium

        medium = self._medium()
        if not isinstance(medium, CardMedium) or self.place.slot is not None:
            return {}
        from maixfs.image.fatplaces import all_places

        _ = self.main  # raises where there is no volume at all
        found = all_places(medium.device)
        whole = self.place.whole
        return {at.name: whole._replace(slot=at.slot) for at in found} if found[1:] else {}

    def read(self, address: int, length: int) -> bytes:
        """Return bytes of the flash or the card; raises ``DeviceError`` behind its end."""
        return self._medium().read(address, length)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> int:
        """Set bytes of the flash or the card, as a flasher does; return the changed sectors.

        File systems are mounted again. Raises ``ReadOnlyError``, ``DeviceError`` behind the end.
        """
        return self._medium().write(address, memoryview(data).cast("B"))

    def erase(self, address: int, length: int) -> int:
        """Set ``length`` bytes to 0xFF; return the number of sectors that were not erased."""
        self._refuse_reading()
        medium = self._medium()
        medium.read(address, 0)
        if length < 0 or address + length > medium.size:
            medium.read(address, length)
        return self.write(address, b"\xff" * length)

    def remarks(self) -> list[str]:
        """Return the notes as sentences."""
        return [f"{self.place.whole}: {note.what}" for note in self.notes]

    # Looking

    def volume(self, path: ImagePath | None) -> Volume:
        """Return the file system in which a path lies."""
        return self.volumes.at(self._find(path).parts)

    def scandir(self, path: ImagePath | None = None, *, recursive: bool = False) -> Entries:
        """Return what lies in a folder, or the file itself; ``None`` is the mount point.

        ``recursive`` has all that lies below it, each folder before what is in it.
        """

        def listed() -> Entries:
            steps = self._find(path)
            if not self._is_folder(steps):
                return [self.stat("" if path is None else path)]
            found: Entries = []
            for volume in self.volumes.below(steps.parts):
                inside = volume.below if recursive else volume.children
                found += inside(steps.parts)
                if not found:
                    volume.refuse_unreadable(steps.parts)
            return found

        return self._steadily(listed)

    def stat(self, path: ImagePath | ImageEntry) -> ImageEntry:
        """Return the file (or else the folder) of a path; raises ``MissingError``."""
        if isinstance(path, ImageEntry):
            self._check_own([path])
            return path
        text = path_text(path)

        def found() -> ImageEntry:
            steps = self._find(path)
            if not steps.parts and steps.page is None:
                return self._root()
            volume = self.volumes.at(steps.parts)
            entry = volume.find(steps)
            if entry is None:
                raise volume.missing(text, steps)
            return entry

        return self._steadily(found)

    def exists(self, path: ImagePath) -> bool:
        """Return whether there is a file or a folder of that path."""
        steps = self._find(path_text(path))
        if steps.page is not None:
            return self.volumes.at(steps.parts).find(steps) is not None
        return self._is_folder(steps) or self.volumes.at(steps.parts).has_file(steps.parts)

    def isdir(self, path: ImagePath) -> bool:
        """Return whether there is a folder of that path, and no file that has it as well."""
        steps = self._find(path_text(path))
        has_file = self.volumes.at(steps.parts).has_file
        return steps.page is None and self._is_folder(steps) and not has_file(steps.parts)

    def glob(self, pattern: str) -> Entries:
        """Return what matches a pattern of ``*``, ``?``, ``[...]`` and ``**``.

        What has exactly that name comes before what it means as a pattern.
        """
        if self.exists(pattern):
            return [self.stat(pattern)]
        if not WILDCARDS & set(pattern):
            return []
        steps = self._find(pattern)
        first = steps.parts[0] if steps.parts else ""
        # A wildcard in the first part can match mount points: then every file system is asked.
        plain = not WILDCARDS & set(first)
        found: Entries = []
        for volume in self.volumes.below(steps.parts if plain else ()):
            found += volume.matching(steps.parts)
        return found

    def find(self, path: str | None) -> Entries:
        """Return what a path or a pattern means; raises ``MissingError`` where that is nothing."""
        text = path or ""

        def found() -> Entries:
            entries = self.glob(text)
            if not entries and WILDCARDS & set(text):
                raise MissingError(f"{self.absolute(text)}: no file matches in {self.host}")
            return entries or [self.stat(text)]

        return self._steadily(found)

    def whole(self, entry: ImageEntry) -> Entries:
        """Return what ``remove_all`` takes for a path; ``UsageError`` for a list of mounts."""
        if not entry.is_dir:
            return [entry]
        _refuse_listing(entry)
        real = entry.volume.has_folders
        inside = [at for at in self.scandir(entry.path, recursive=True) if real or not at.is_dir]
        return [entry, *inside] if real else inside

    def _open(self, path: ImagePath | ImageEntry, mode: str, options: dict[str, Any]) -> IO[Any]:
        if not parse_mode(mode).writes:
            entry = self._file(path)
            if mode in ("rb", "br") and not options:
                return entry.volume.open(entry)
            return entry.volume.fs.open(entry.inner, mode, **options)
        self._refuse_reading()
        if isinstance(path, ImageEntry):
            self._check_own([path])
        volume = path.volume if isinstance(path, ImageEntry) else self.volume(path)
        volume.refuse_hazards(str(path))
        target = path.inner if isinstance(path, ImageEntry) else volume.inner_path(str(path))
        return volume.shared().open(target, mode, **options)

    def read_bytes(self, path: ImagePath | ImageEntry) -> bytes:
        """Return the bytes of a file."""
        return self._steadily(lambda: self._read(path))

    def _read(self, path: ImagePath | ImageEntry) -> bytes:
        entry = self._file(path)
        return entry.volume.read(entry)

    def content(self, path: ImagePath | ImageEntry) -> Content:
        """Return a file as what can be written elsewhere; its bytes are read when needed."""
        entry = self._file(path)
        from maixfs.image.content import Content

        return Content(entry.size, lambda: entry.volume.open(entry), entry.modified)

    def room(self) -> Room:
        """Return how much is taken and left in the file system where paths start."""
        return self.main.room()

    # Paths

    def absolute(self, path: str | None) -> str:
        """Return a path from the root, without dots, with odd bytes in their escaped form."""
        return "/" + "/".join(self._find(path).parts)

    def new_name(self, path: str) -> str:
        """Return a path from the root for something that is to have the name at its end.

        Folders above it are as they are there; the name is as it was given, in its own case.
        """
        typed = self._typed(path).parts
        known = self._find(path).parts
        return "/" + "/".join(known[:-1] + typed[-1:])

    def is_other_case(self, entry: ImageEntry, path: str) -> bool:
        """Return whether a path is that of an entry, but for the case of its name."""
        return self.absolute(path) == entry.path != self.new_name(path)

    def place_of(self, path: str) -> str:
        """Return the path that a file written to ``path`` gets; ``UsageError`` where none can."""
        return self.volume(path).place_of(path)

    def check_fits(self, sizes: Mapping[str, int]) -> None:
        """Raise ``FitError`` where files of these sizes (bytes, by path) can never fit."""
        groups: dict[str, dict[str, int]] = {}
        for path, size in sizes.items():
            groups.setdefault(self.volume(path).mount.point, {})[path] = size
        for group in groups.values():
            self.volume(next(iter(group))).check_fits(group)

    # Changing

    def write_bytes(
        self, path: ImagePath, data: Buffer | Content, *, meta: bytes | None = None
    ) -> Written:
        """Make ``data`` the contents of a file; if it has them already nothing is written.

        On FAT the folders above it are made. ``meta`` are the bytes beside the name that some
        SPIFFS have (``None``: as they are).
        """
        text = path_text(path)
        self._refuse_reading()
        from maixfs.image.content import Content

        content = data if isinstance(data, Content) else Content.of(bytes(bytes_view(data)))
        return self.volume(text).write(text, content, meta)

    def remove(self, path: ImagePath | ImageEntry, recursive: bool = False) -> Entries:
        """Remove a file, or with ``recursive`` a folder; returns what is gone."""
        self._refuse_reading()
        entry = self.stat(path)
        if entry.is_dir and not recursive:
            raise FolderError(
                f"{entry.path} is a folder",
                fix=(Command("rm", ("-r", f"{self.host}:{entry.path}")),),
            )
        entries = self.whole(entry)
        self.remove_all(entries)
        return entries

    def remove_all(self, entries: Entries, *, force: bool = False) -> None:
        """Remove files and folders, as ``whole`` gave them: all or none.

        ``force`` removes files that FAT marks as read-only, too.
        """
        self._refuse_reading()
        self._check_own(entries)
        groups: dict[str, Entries] = {}
        for entry in entries:
            groups.setdefault(entry.volume.mount.point, []).append(entry)
        # One transaction over all file systems: a failure on the card restores /flash too.
        with self.transaction():
            for group in groups.values():
                group[0].volume.remove(group, force=force)

    def rename(self, old: ImagePath | ImageEntry, new: ImagePath, replace: bool = False) -> None:
        """Give a file or folder another path; ``replace`` replaces a file that has it.

        A new path that is a folder takes the file in, as ``mv`` does.
        """
        self.rename_all([(old, new)], replace)

    def rename_all(
        self, moves: Sequence[tuple[ImagePath | ImageEntry, ImagePath]], replace: bool = False
    ) -> None:
        """Do several renames as ``rename`` does one: all or none.

        No file is moved twice, to where another one goes, or from one file system to another:
        that raises ``UsageError``.
        """
        self._refuse_reading()
        found: list[tuple[ImageEntry, str]] = []
        volumes: dict[str, Volume] = {}
        for old, path in moves:
            entry = self.stat(old)
            _refuse_listing(entry)
            goal = new = path_text(path)
            into = self.isdir(new) and not self.is_other_case(entry, new)
            if new.endswith("/") or into:
                goal = f"{new.rstrip('/')}/{entry.name}"
            found.append((entry, goal))
            for volume in (entry.volume, self.volume(goal)):
                volumes[volume.mount.point] = volume
        if len(volumes) > 1:
            raise UsageError(
                f"nothing can be renamed from {' to '.join(volumes)}",
                hint="copy the files, then remove them",
            )
        for volume in volumes.values():
            volume.rename(found, replace=replace)

    def mkdir(self, path: ImagePath, *, parents: bool = False) -> bool:
        """Make a folder; with ``parents`` those above it too. SPIFFS stores none and refuses.

        Returns whether there is anything new: with ``parents`` one that is there will do.
        """
        self._refuse_reading()
        text = path_text(path)
        return self.volume(text).mkdir(text, parents=parents)

    def gc(self) -> int:
        """Free the pages that deleted data holds, as far as can be; returns how many."""
        self._refuse_reading()
        return self.main.gc()

    # The edit

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo what was done in the body, in all file systems, where an exception ends it.

        Transactions are nested. After an undo the file systems are mounted again, and streams
        that were open raise ``ClosedError``.
        """
        self._refuse_reading()
        self._transactions += 1
        try:
            with self._savepoint():
                yield
        finally:
            self._transactions -= 1

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        tokens = [(medium, medium.savepoint()) for medium in self._media()]
        known = [medium for medium, _ in tokens]
        config = self._config
        try:
            yield
        except BaseException:
            self._config = config
            for medium, token in tokens:
                medium.rollback(token)
            # A card that was first used in the body was as its file is.
            for medium in self._media():
                if medium not in known:
                    medium.discard()
            raise
        for medium, token in tokens:
            medium.sync()
            medium.release(token)

    @property
    def changed(self) -> bool:
        """Whether there is anything to commit; what file systems hold in RAM is written first."""
        if not self.writable or self._closed:
            return False
        for medium in self._media():
            medium.sync()
        return self._config is not None or any(medium.changed for medium in self._media())

    def commit(self, progress: Progress | None = None) -> list[Written]:
        """Put the changes into the host's files, each in one step; return what was written.

        Of a board the card is written first, then the erase counts, the flash and
        ``board.toml``. Raises ``DeviceError`` where the host refuses, and ``TargetError`` where
        another program changed the file; it is then as it was. After an error all changes are
        still there, and it may be called again. Inside a transaction it raises ``UsageError``.
        """
        self._refuse_reading()
        self._refuse_transaction()
        if os.getpid() != self._process:
            # Two processes with one lock would each replace what the other has written.
            raise UsageError(f"{self.host} was opened by process {self._process}, not this one")
        from maixfs.image.media import CardMedium

        # Every file system writes what it holds in RAM before the first host file is replaced: one
        # without room fails while all files are still as they were.
        media = sorted(self._media(), key=lambda medium: not isinstance(medium, CardMedium))
        for medium in media:
            medium.sync()
        written = [proof for medium in media for proof in medium.save(progress)]
        return written + self._save_config()

    def _save_config(self) -> list[Written]:
        config, folder = self._config, self.source.folder
        if config is None or folder is None:
            return []
        from hashlib import sha256

        config.save(folder)
        self.source = self.source._replace(config=config)
        self._config = None
        text = config.dump().encode()
        path = str(folder / "board.toml")
        return [Written(path, len(text), sha256(text).hexdigest(), True)]

    def discard(self) -> None:
        """Discard what was changed since the last ``commit``; streams that are open are closed."""
        self._refuse_reading()
        self._refuse_transaction()
        self._config = None
        for medium in self._media():
            medium.discard()

    def close(self) -> None:
        """Commit what was changed and release the host's files; again does nothing."""
        if self._closed:
            return
        self._refuse_transaction()
        try:
            if self.writable:
                # A commit that fails must still release the lock: the next process would wait for
                # it in vain.
                self.commit()
        finally:
            self.release()

    def release(self) -> None:
        """Release the host's files; changes that were not committed are discarded."""
        self._closed = True
        self._stack.close()

    def __enter__(self) -> Image:
        self._check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.release()

    def __del__(self) -> None:
        # Half-made objects have no ``_closed``.
        if getattr(self, "_closed", True):
            return
        # No commit here: it would write at a moment that nobody chose, perhaps while Python exits.
        changed = False
        with suppress(MaixfsError, OSError, ValueError):
            changed = self.changed
        self.release()
        if changed:
            warnings.warn(
                f"{self.host} was changed and not closed: the changes are discarded",
                ResourceWarning,
                stacklevel=2,
            )

    # Inside

    def _media(self) -> list[Medium]:
        """Return the media that are open."""
        return list(self.volumes.media())

    def _medium(self) -> Medium:
        self._check_open()
        medium = self.volumes.medium()
        assert medium is not None
        return medium

    @property
    def flash(self) -> FlashMedium:
        """The flash of a dump or a board; raises ``UsageError`` for a card."""
        from maixfs.image.media import FlashMedium

        self._check_open()
        medium = self.volumes.medium()
        if not isinstance(medium, FlashMedium):
            raise UsageError(f"{self.host} is a card: it has no flash")
        return medium

    def _steadily(self, read: Callable[[], T]) -> T:
        """Read, again where a card was written meanwhile by another process."""
        self._check_open()
        # A read of a card that is being written can raise anything, or return a mixture without an
        # error: the result counts only if the card did not change meanwhile.
        for attempt in range(_ATTEMPTS):
            try:
                result = read()
            except MaixfsError:
                if attempt + 1 == _ATTEMPTS or not self._refreshed():
                    raise
                continue
            if not self._refreshed():
                break
        return result

    def _refreshed(self) -> bool:
        """Read cards again that were written meanwhile; return whether there were any."""
        torn = [medium for medium in self._media() if medium.is_torn] if not self.writable else []
        for medium in torn:
            medium.refresh()
        return bool(torn)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"{self.host} is closed")

    def _refuse_reading(self) -> None:
        self._check_open()
        if not self.writable:
            from maixfs.image.media import read_only

            raise read_only(self.host)

    def _check_own(self, entries: Entries) -> None:
        self._check_open()
        media = self._media()
        for entry in entries:
            if entry.volume.medium not in media:
                raise UsageError(f"{entry.path} is an entry of another image")

    def _refuse_transaction(self) -> None:
        # The savepoints of the transaction would end, and its undo could not keep its promise.
        if self._transactions:
            raise UsageError(
                f"{self.host}: a transaction is open", hint="end it, then commit or discard"
            )

    def _find(self, path: ImagePath | None) -> Steps:
        """Return the steps of a path as the file system has them."""
        steps = self._typed(path)
        return self.volumes.at(steps.parts).canonical(steps)

    def _typed(self, path: ImagePath | None) -> Steps:
        self._check_open()
        text = "" if path is None else path_text(path)
        return steps_of(text) if text.startswith("/") else self.main.mount.absolute(text)

    def _is_folder(self, steps: Steps) -> bool:
        return not steps.parts or self.volumes.at(steps.parts).has_folder(steps.parts)

    def _file(self, path: ImagePath | ImageEntry) -> ImageEntry:
        entry = self.stat(path)
        if entry.is_dir:
            raise FolderError(f"{entry.path} is a folder", hint="name a file in it")
        return entry

    def _root(self) -> ImageEntry:
        """Return the root, with the sum of all that is mounted."""
        first, *others = (volume.folder(()) for volume in self.volumes.below(()))
        return first.with_usage(others)


def _refuse_listing(entry: ImageEntry) -> None:
    # Its files are those of all file systems: more than the one that a path usually means.
    if entry.path == "/" and entry.volume.mount.parts:
        raise UsageError(
            "/ only lists what is mounted and cannot be removed or moved",
            hint=f"{entry.volume.mount.point}/* is all that is in {entry.volume.mount.point}",
        )
