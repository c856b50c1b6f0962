"""A target: what a face works on, whatever it is on the host."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from maixfs.errors import UsageError
from maixfs.spiffs import Spiffs, SpiffsError
from maixfs.target.errors import TakenError, TargetError
from maixfs.target.records import Entry, Progress, Written
from maixfs.target.view import Entries, TargetView

if TYPE_CHECKING:
    from maixfs.target.editor import Editor


class Target(TargetView):
    """An open board, flash image or SPIFFS image; made by ``open_target``.

    Paths are those of the board (``/flash/main.py``; in a bare image ``/main.py`` as well), a
    relative one starts at ``mount_point``. Changes lie in memory until ``commit``, which the end
    of a ``with`` calls unless an exception ends it.

    Errors: ``MissingError`` for what is not there, ``UnreadableError`` for a damaged file,
    ``FitError`` where there is no room, ``UsageError`` for changing a target that was opened for
    reading, ``TargetError`` for what the file system refuses, with the C's number.
    """

    _editor: Editor | None = None

    def _mount_fs(self) -> Spiffs:
        """Mount as it was opened: for reading, or for changing."""
        if not self.medium.writable:
            return super()._mount_fs()
        from maixfs.target.editor import Editor

        self._editor = Editor(self.medium, self.geometry, self.label, str(self.host))
        return self._editor.fs

    @property
    def fs(self) -> Spiffs:
        """The mounted file system."""
        return super().fs if self._editor is None else self._editor.fs

    @property
    def writable(self) -> bool:
        """Whether it was opened for changing."""
        return self._editor is not None

    def write(self, path: str, data: bytes, *, meta: bytes | None = None) -> Written:
        """Put ``data`` in a file; where it has the very same bytes nothing is written.

        ``meta`` are the bytes beside the name that some geometries have (``None``: as they are).
        """
        import hashlib

        self._changing()
        name = self.stored_name(path)
        label = self._mount.label(name)
        proof = Written(label, len(data), hashlib.sha256(data).hexdigest(), True)
        if self._holds(name, data, meta):
            return proof._replace(changed=False)
        self._edit().write(name, data, meta)
        return proof

    def remove(self, path: str, recursive: bool = False) -> Entries:
        """Remove a file, or with ``recursive`` a folder; returns the files that are gone."""
        self._changing()
        entry = self.stat(path)
        if entry.is_dir and not recursive:
            raise TargetError(f"{entry.path} is a folder", hint="remove it with all in it: rm -r")
        files = self._files_of(entry)
        self.remove_files(files)
        return files

    def remove_files(self, files: Entries) -> None:
        """Remove files, as ``stat`` or ``list`` gave them: all or none."""
        self._changing()
        pages: dict[bytes, set[int]] = {}
        for file in files:
            pages.setdefault(file.stored_name, set()).add(file.page)
        for file in files:
            if self.fs.stat(file.stored_name).page not in pages[file.stored_name]:
                raise self._later_header(file)
        self._edit().remove([file.stored_name for file in files])

    def rename(self, old: str, new: str, replace: bool = False) -> None:
        """Give a file or folder another path; ``replace`` lets a file that has it go.

        A new path that is a folder takes the file in, as ``mv`` does.
        """
        self.rename_all([(old, new)], replace)

    def rename_all(self, moves: Sequence[tuple[str, str]], replace: bool = False) -> None:
        """Do several renames as ``rename`` does one: all or none.

        No file is moved twice, or to where another one goes: that raises ``UsageError``.
        """
        editor = self._changing()
        names: dict[bytes, bytes] = {}
        for old, new in moves:
            names |= self._new_names(old, new)
        for name in names.values():
            if editor.fs.exists(name) and not replace:
                raise TakenError(
                    f"{self._mount.label(name)} exists already", hint="-f replaces it"
                )
        if {*names} & {*names.values()} or len({*names.values()}) < len(names):
            raise UsageError(
                "a file would be moved twice, or two to one path", hint="move them one by one"
            )
        if names:
            self._edit().rename(names)

    def _files_of(self, entry: Entry) -> Entries:
        """Return a file, or all files in a folder."""
        if not entry.is_dir:
            return [entry]
        return [file for file in self.list(entry.path, recursive=True) if not file.is_dir]

    def _later_header(self, entry: Entry) -> TargetError:
        """Return the error for a file that its name does not lead to: another does."""
        first = self._mount.label(entry.stored_name)
        return TargetError(
            f"{entry.path} is the second header of {first} and can only be read",
            hint=f"once {first} is removed or renamed, this one has its name",
        )

    def _new_names(self, old: str, new: str) -> dict[bytes, bytes]:
        """Return (old, new) stored names for a move; empty where nothing moves."""
        entry = self.stat(old)
        if not entry.is_dir and self.fs.stat(entry.stored_name).page != entry.page:
            raise self._later_header(entry)
        if new.endswith("/") or (self.exists(new) and self.stat(new).is_dir):
            new = f"{new.rstrip('/')}/{entry.name}"
        target = self._mount.stored_name(new, self.geometry)
        if not entry.is_dir:
            return {} if target == entry.stored_name else {entry.stored_name: target}
        start = self._mount.label(target) + "/"
        if start == f"{entry.path}/":
            return {}
        if start.startswith(f"{entry.path}/"):
            raise UsageError(f"{entry.path} cannot be moved into itself")
        return {
            file.stored_name: self._mount.stored_name(
                start + file.path[len(entry.path) + 1 :], self.geometry
            )
            for file in self._files_of(entry)
        }

    def mkdir(self, path: str) -> None:
        """Explain that there are no folders."""
        self._changing()
        raise TargetError(
            f"{path}: SPIFFS has no folders",
            hint="a name may hold slashes: write the file and its folder shows",
        )

    def gc(self) -> int:
        """Free the pages that deleted data holds, as far as can be; returns how many."""
        return self._edit().gc()

    def commit(self, progress: Progress | None = None) -> Written | None:
        """Put the changes into the host's file in one step; ``None`` where there are none.

        Raises ``TargetError`` where the host refuses; the file is then as it was.
        """
        editor, medium = self._changing(), self.medium
        if not editor.changed or not medium.writable:
            return None
        import hashlib

        medium.save(progress)
        editor.changed = False
        digest = hashlib.sha256(medium.image).hexdigest()
        return Written(str(medium.source.file), medium.size, digest, True)

    def close(self) -> None:
        """Let go of the host's file; changes that were not committed are gone."""
        self._catalog = None
        self.medium.close()

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self._editor is not None:
                self.commit()
        finally:
            self.close()

    def _edit(self) -> Editor:
        """Return what changes the file system; what was known of it is forgotten."""
        self._catalog = None
        return self._changing()

    def _changing(self) -> Editor:
        if self._editor is None:
            raise UsageError(f"{self.host} is open for reading only", hint="open it writable")
        return self._editor

    def _holds(self, name: bytes, data: bytes, meta: bytes | None) -> bool:
        if not self.fs.exists(name):
            return False
        known = self.fs.stat(name)
        if known.size != len(data) or meta not in (None, known.meta):
            return False
        try:
            with self.fs.open_page(known.page) as descriptor:
                return descriptor.read() == data
        except SpiffsError:
            return False
