"""A target: what a face works on, whatever it is on the host."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from maixfs.errors import UsageError
from maixfs.image.address import TargetPath
from maixfs.image.content import Content
from maixfs.image.entries import Entries, Entry, Kind, Progress, Written
from maixfs.image.errors import TargetError
from maixfs.image.view import TargetView
from maixfs.image.volume import Volume
from maixfs.image.volumes import Volumes

if TYPE_CHECKING:
    from maixfs.image.source import Source


class Target(TargetView):
    """An open board, flash image, SPIFFS image or card; made by ``open_target``.

    Paths are those of the board (``/flash/main.py``, ``/sd/main.py``; in a bare image
    ``/main.py`` as well), a relative one starts at ``mount_point``. Changes lie in memory until
    ``commit``, which the end of a ``with`` calls unless an exception ends it.

    Errors: ``MissingError`` for what is not there, ``UnreadableError`` for a damaged file,
    ``FitError`` where there is no room, ``UsageError`` for changing a target that was opened for
    reading, ``TargetError`` for what the file system refuses.
    """

    def __init__(
        self,
        place: TargetPath,
        source: Source,
        kind: Kind,
        volumes: Volumes,
        *,
        holder: int | None = None,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        """Take what ``open_target`` found; ``lock`` is ended by ``close``. ``None``: read-only."""
        super().__init__(place, source, kind, volumes, holder=holder)
        self.writable = lock is not None
        """Whether it was opened for changing."""
        self._stack = ExitStack()
        if lock is not None:
            self._stack.push(lock)
        self._stack.callback(volumes.close)

    def write(self, path: str, content: bytes | Content, *, meta: bytes | None = None) -> Written:
        """Put content in a file; where it has the very same bytes nothing is written.

        ``meta`` are the bytes beside the name that some SPIFFS have (``None``: as they are).
        """
        given = content if isinstance(content, Content) else Content.of(content)
        return self._changing(path).write(path, given, meta)

    def remove(self, path: str, recursive: bool = False) -> Entries:
        """Remove a file, or with ``recursive`` a folder; returns what is gone."""
        self._refuse_reading()
        entry = self.stat(path)
        if entry.is_dir and not recursive:
            raise TargetError(f"{entry.path} is a folder", hint="remove it with all in it: rm -r")
        entries = self.whole(entry)
        self.remove_all(entries)
        return entries

    def remove_all(self, entries: Entries, *, force: bool = False) -> None:
        """Remove files and folders, as ``whole`` gave them: in each file system all or none.

        ``force`` has files go that FAT marks as read-only.
        """
        self._refuse_reading()
        groups: dict[str, Entries] = {}
        for entry in entries:
            groups.setdefault(self.volume(entry.path).mount.point, []).append(entry)
        for group in groups.values():
            self.volume(group[0].path).remove(group, force=force)

    def rename(self, old: str, new: str, replace: bool = False) -> None:
        """Give a file or folder another path; ``replace`` lets a file that has it go.

        A new path that is a folder takes the file in, as ``mv`` does.
        """
        self.rename_all([(old, new)], replace)

    def rename_all(self, moves: Sequence[tuple[str, str]], replace: bool = False) -> None:
        """Do several renames as ``rename`` does one: all or none.

        No file is moved twice, to where another one goes, or from one file system to another:
        that raises ``UsageError``.
        """
        self._refuse_reading()
        found: list[tuple[Entry, str]] = []
        volumes: dict[str, Volume] = {}
        for old, new in moves:
            entry = self.stat(old)
            goal = new
            into = self.is_folder(new) and not self.is_other_case(entry, new)
            if new.endswith("/") or into:
                goal = f"{new.rstrip('/')}/{entry.name}"
            found.append((entry, goal))
            for path in (entry.path, goal):
                volume = self.volume(path)
                volumes[volume.mount.point] = volume
        if len(volumes) > 1:
            raise UsageError(
                f"nothing can be renamed from {' to '.join(volumes)}",
                hint="copy with maixfs cp, then remove with maixfs rm",
            )
        for volume in volumes.values():
            volume.rename(found, replace=replace)

    def mkdir(self, path: str, *, parents: bool = False) -> bool:
        """Make a folder; with ``parents`` those above it too. SPIFFS has none and says so.

        Returns whether there is anything new: with ``parents`` one that is there will do.
        """
        return self._changing(path).mkdir(path, parents=parents)

    def gc(self) -> int:
        """Free the pages that deleted data holds, as far as can be; returns how many."""
        return self._changing(None).gc()

    def commit(self, progress: Progress | None = None) -> Written | None:
        """Put the changes into the host's files, each in one step; ``None`` where there are none.

        Returns the proof of the last one. Raises ``DeviceError`` where the host refuses, and
        ``TargetError`` where another program changed the file; it is then as it was.
        """
        written = self.commit_all(progress)
        return written[-1] if written else None

    def commit_all(self, progress: Progress | None = None) -> list[Written]:
        """Do as ``commit``, and return the proof of each file that was written."""
        self._refuse_reading()
        saved = [volume.save(progress) for volume in self.volumes.opened()]
        return [written for written in saved if written is not None]

    def close(self) -> None:
        """Let go of the host's files; changes that were not committed are gone."""
        self._stack.close()

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self.writable:
                self.commit()
        finally:
            self.close()

    def _changing(self, path: str | None) -> Volume:
        self._refuse_reading()
        return self.volume(path)

    def _refuse_reading(self) -> None:
        if not self.writable:
            raise UsageError(f"{self.host} is open for reading only", hint="open it writable")
