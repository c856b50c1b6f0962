"""A SPIFFS in a target, changed in memory until it is saved."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from maixfs.errors import UsageError
from maixfs.image.content import Content
from maixfs.image.entries import Entries, Entry, Progress, Written
from maixfs.image.errors import TakenError, TargetError
from maixfs.image.spiffs.names import stored_name
from maixfs.image.spiffs.volume import SpiffsView
from maixfs.spiffs import SpiffsCore, SpiffsError

if TYPE_CHECKING:
    from maixfs.spiffs.edit import SpiffsEdit


class SpiffsVolume(SpiffsView):
    """The file system of a flash or of an image of its own."""

    _editor: SpiffsEdit | None = None

    def _mount_fs(self) -> SpiffsCore:
        """Mount as it was opened: for reading, or for changing."""
        if not self.medium.writable:
            return super()._mount_fs()
        from maixfs.spiffs.edit import SpiffsEdit

        self._editor = SpiffsEdit(self.medium.device, self.geometry, label=self.label)
        # Formatting a blank board is no change of the user's: it is not saved alone.
        self._opened = self.medium.device.savepoint()
        return self._editor.fs

    @property
    def fs(self) -> SpiffsCore:
        """The mounted file system."""
        return super().fs if self._editor is None else self._editor.fs

    @property
    def writable(self) -> bool:
        """Whether it was opened for changing."""
        return self._editor is not None

    def write(self, path: str, content: Content, meta: bytes | None) -> Written:
        """Put a file there; ``meta`` are the bytes beside the name that some geometries have."""
        name = self.stored_name(path)
        data = content.read()
        proof = Written(self.label(name), len(data), hashlib.sha256(data).hexdigest(), True)
        if self._holds(name, data, meta):
            return proof._replace(changed=False)
        self._edit().write(name, data, meta)
        return proof

    def remove(self, entries: Entries, *, force: bool = False) -> None:
        """Remove files, as the catalogue gave them: all or none; none is read-only."""
        del force
        files = [entry for entry in entries if not entry.is_dir]
        pages: dict[bytes, set[int]] = {}
        for file in files:
            pages.setdefault(file.stored_name, set()).add(file.page)
        for file in files:
            if self.fs.stat(file.stored_name).page not in pages[file.stored_name]:
                raise self._later_header(file)
        self._edit().remove([file.stored_name for file in files])

    def rename(self, moves: Sequence[tuple[Entry, str]], *, replace: bool) -> None:
        """Give files, and all files in folders, other names: all or none."""
        names: dict[bytes, bytes] = {}
        for entry, new in moves:
            names |= self._new_names(entry, new)
        for name in names.values():
            if self.fs.exists(name) and not replace:
                raise TakenError(f"{self.label(name)} exists already", hint="-f replaces it")
        if {*names} & {*names.values()} or len({*names.values()}) < len(names):
            raise UsageError(
                "a file would be moved twice, or two to one path", hint="move them one by one"
            )
        if names:
            self._edit().rename(names)

    def mkdir(self, path: str, *, parents: bool) -> bool:
        """Explain that there are no folders."""
        del parents
        raise TargetError(
            f"{path}: SPIFFS has no folders",
            hint="a name may hold slashes: write the file and its folder shows",
        )

    def gc(self) -> int:
        """Free the pages that deleted data holds, as far as can be; returns how many."""
        return self._edit().gc()

    def save(self, progress: Progress | None) -> Written | None:
        """Put the bytes into the host's file in one step; ``None`` where nothing changed.

        Raises ``DeviceError`` where the host refuses; the file is then as it was.
        """
        editor, medium = self._editor, self.medium
        if editor is None or not medium.writable:
            return None
        if not medium.device.changed_since(self._opened):
            return None
        medium.save(progress)
        self._opened = medium.device.savepoint()
        digest = hashlib.sha256(medium.image).hexdigest()
        return Written(str(medium.source.file), medium.size, digest, True)

    def _edit(self) -> SpiffsEdit:
        """Return what changes the file system; what was known of it is forgotten."""
        if self._editor is None:
            raise UsageError(f"{self.host} is open for reading only", hint="open it writable")
        self._catalog = None
        return self._editor

    def _later_header(self, entry: Entry) -> TargetError:
        """Return the error for a file that its name does not lead to: another does."""
        first = self.label(entry.stored_name)
        return TargetError(
            f"{entry.path} is the second header of {first} and can only be read",
            hint=f"once {first} is removed or renamed, this one has its name",
        )

    def _new_names(self, entry: Entry, new: str) -> dict[bytes, bytes]:
        """Return (old, new) stored names for a move; empty where nothing moves."""
        if not entry.is_dir and self.fs.stat(entry.stored_name).page != entry.page:
            raise self._later_header(entry)
        target = stored_name(new, self.mount, self.geometry)
        if not entry.is_dir:
            return {} if target == entry.stored_name else {entry.stored_name: target}
        start = self.label(target) + "/"
        if start == f"{entry.path}/":
            return {}
        if start.startswith(f"{entry.path}/"):
            raise UsageError(f"{entry.path} cannot be moved into itself")
        return {
            file.stored_name: stored_name(
                start + file.path[len(entry.path) + 1 :], self.mount, self.geometry
            )
            for file in self.catalog.below(entry.parts)
            if not file.is_dir
        }

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
