"""``VfsSpiffs``: SPIFFS as MaixPy's VFS shows it, with the firmware's own behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from maixfs.spiffs import Code, OpenFlag, SpiffsCore, SpiffsError
from maixfs.spiffs.errors import spiffs_error
from maixfs.vfs.errnos import Errno
from maixfs.vfs.errors import VfsError
from maixfs.vfs.imports import ImportStat, NativeDriver
from maixfs.vfs.openfiles import OpenFiles
from maixfs.vfs.quirks import OnQuirk, Quirks
from maixfs.vfs.spiffs_area import Area, user_area
from maixfs.vfs.spiffs_errno import error_of
from maixfs.vfs.spiffs_file import SpiffsFile
from maixfs.vfs.spiffs_path import open_flags, stored_name
from maixfs.vfs.text import c_string, decode, encode

if TYPE_CHECKING:
    from maixfs.spiffs import DirEntry
    from maixfs.vfs.files import FileIO, TextIOWrapper

Stat = tuple[int, int, int, int, int, int, int, int, int, int]

_DIRECTORY = 0x4000
_FILE = 0x8000
_TYPE_DIRECTORY = 2


class VfsSpiffs(NativeDriver):
    """A SPIFFS as a driver of ``Vfs``.

    ``fs`` is a mounted ``SpiffsCore``, an ``Area`` that is still to be mounted, or what a
    MicroPython program gives to ``uos.VfsSpiffs`` (``user_area``). ``on_quirk(key, sentence)``
    is called once for each thing that the firmware does to its user (``SENTENCES``),
    ``on_message(line)`` with what the firmware prints, newline included.
    Methods raise ``VfsError``.
    """

    def __init__(
        self,
        fs: SpiffsCore | Area | Any,
        on_quirk: OnQuirk | None = None,
        *,
        on_message: Callable[[str], None] | None = None,
    ) -> None:
        self._fs = fs if isinstance(fs, SpiffsCore) else None
        if isinstance(fs, SpiffsCore):
            self._area = Area(fs.device, fs.geometry)
        else:
            self._area = fs if isinstance(fs, Area) else user_area(fs)
        self._quirks = Quirks(on_quirk)
        self._on_message = on_message
        self._files: OpenFiles[SpiffsFile] = OpenFiles()

    @property
    def fs(self) -> SpiffsCore:
        """The mounted SPIFFS; raises ``SpiffsError`` (-10000) before the first mount."""
        if self._fs is None:
            raise spiffs_error(Code.NOT_MOUNTED)
        return self._fs

    # The volume

    def mount(self, readonly: object, mkfs: object, /) -> None:
        """Mount (again): what open files still hold in RAM is lost, their descriptors are free.

        ``mkfs`` is ignored, as the firmware does. How it went is told on the console first.
        """
        if mkfs:
            self._quirks.tell("mkfs-ignored")
        try:
            self._mount(read_only=bool(readonly))
        except SpiffsError as error:
            raise error_of(error) from error

    def _mount(self, *, read_only: bool = False) -> None:
        if self._fs is not None:
            # Not unmounted, which would write: the firmware forgets what was mounted.
            self._fs.abandon()
        for raw in self._files:
            raw.forget()
        self._files.clear()
        outcome = "failed"
        try:
            self._fs = self._area.mount(read_only=read_only)
            outcome = "successful"
        finally:
            self._say(f"[MAIXPY]:Spiffs Mount {outcome} \n")

    def umount(self) -> None:
        """Do nothing: the file system stays usable through this object and through open files."""

    @staticmethod
    def mkfs(volume: VfsSpiffs, /) -> None:
        """Format ``volume`` if mounting says that it holds no file system (-10025).

        Otherwise it is mounted, or EIO raised, and nothing is formatted. It needs a mount after.
        """
        try:
            volume._mount()
        except SpiffsError as error:
            if error.code != Code.NOT_A_FS:
                raise volume._reported(error) from error
            try:
                volume._format()
            except SpiffsError as failure:
                raise volume._reported(failure) from failure

    def flash_format(self) -> bool | None:
        """Unmount, format and mount: all files are lost (``uos.flash_format``).

        True when all went well, False when formatting failed, ``None`` when mounting did.
        """
        try:
            self._format()
        except SpiffsError:
            return False
        try:
            self._mount()
        except SpiffsError:
            return None
        return True

    def _format(self) -> None:
        if self._fs is not None and self._fs.mounted:
            self._fs.unmount()
        self._say("[MAIXPY]:Spiffs Unmount.\n")
        self._say("[MAIXPY]:Spiffs Formating...\n")
        outcome = "failed"
        try:
            self._area.format()
            outcome = "successful"
        finally:
            self._say(f"[MAIXPY]:Spiffs Format {outcome} \n")

    def statvfs(self, path: object, /) -> Stat:
        """Return block size twice, blocks, free blocks twice, zeros, and the name field's bytes.

        The path is not looked at.
        """
        c_string(path)
        try:
            info = self.fs.info()
        except SpiffsError as error:
            raise error_of(error) from error
        geometry = self._area.geometry
        block = self._area.unit or geometry.block_size
        free = (info.total - info.used) % (1 << 32) // block
        return (block, block, info.total // block, free, free, 0, 0, 0, 0, geometry.name_length)

    # Directories: there are none

    def ilistdir(self, path: object = "", /) -> Iterator[tuple[Any, int, int, int]]:
        """Iterate over all files, whatever the path, as (name, mode, 0, size).

        Names lose their leading slashes; what has none is skipped. Bytes in, bytes out.
        """
        c_string(path)
        if self._fs is None or not self._fs.mounted:
            raise VfsError(Errno.ENOTDIR)
        return _listing(self._fs, as_bytes=isinstance(path, bytes))

    def mkdir(self, path: object, /) -> None:
        """Refuse, with the firmware's words."""
        raise NotImplementedError("SPIFFS not support")

    def rmdir(self, path: object, /) -> None:
        """Refuse: EIO."""
        raise VfsError(Errno.EIO)

    def chdir(self, path: object, /) -> None:
        """Do nothing: every name starts at the top."""

    def getcwd(self) -> str:
        """Return the empty string, so that ``uos.getcwd`` gives the mount point."""
        return ""

    # Files

    def open(self, path: object, mode: object, /) -> FileIO | TextIOWrapper:
        """Open a file; ENOENT whatever went wrong.

        Each letter of ``mode`` counts: r reads, w and x create and empty (x too!), a appends to a
        file that is there, + reads and writes, b and t choose the class (the last one wins).
        """
        name, letters = stored_name(path), c_string(mode)
        flags = open_flags(letters)
        self._warn_of_truncation(name, letters, flags)
        try:
            descriptor = self.fs.open_descriptor(encode(name), flags)
        except SpiffsError as error:
            self._explain_refusal(name, letters, error)
            raise error_of(error, Errno.ENOENT) from error
        return self._files.add(SpiffsFile(descriptor, self._quirks), letters)

    def _warn_of_truncation(self, name: str, letters: str, flags: OpenFlag) -> None:
        truncates_unasked = flags & OpenFlag.TRUNC and {"x", "r"} & set(letters)
        if truncates_unasked and self._exists(name):
            self._quirks.tell("x-truncates" if "x" in letters else "rw-truncates", name, letters)

    def _explain_refusal(self, name: str, letters: str, error: SpiffsError) -> None:
        if error.code != Code.NOT_FOUND:
            self._quirks.tell("open-hides-reason", name, error)
        elif "a" in letters:
            self._quirks.tell("append-needs-file", name)

    def _exists(self, name: str) -> bool:
        try:
            return self.fs.exists(encode(name))
        except SpiffsError:
            return False

    def remove(self, path: object, /) -> None:
        """Remove a file; needs a free descriptor (EMFILE)."""
        try:
            self.fs.remove(encode(stored_name(path)))
        except SpiffsError as error:
            raise self._reported(error) from error

    def rename(self, old: object, new: object, /) -> None:
        """Rename a file; one that has the new name is removed first, be it the file itself."""
        old_name, new_name = stored_name(old), stored_name(new)
        try:
            self._rename(old_name, new_name)
        except SpiffsError as error:
            raise error_of(error) from error

    def _rename(self, old: str, new: str) -> None:
        source, target = encode(old), encode(new)
        try:
            return self.fs.rename(source, target)
        except SpiffsError as error:
            if error.code != Code.CONFLICTING_NAME:
                raise
        removed = True
        try:
            self.fs.remove(target)
        except SpiffsError:
            removed = False
        try:
            self.fs.rename(source, target)
        except SpiffsError:
            if removed:
                key = "rename-onto-itself" if source == target else "rename-loses-target"
                self._quirks.tell(key, old, new)
            raise

    def stat(self, path: object, /) -> Stat:
        """Return mode and size; ``""``, ``/`` and all that begins with ``./`` is a directory."""
        text = c_string(path)
        if text in ("", "/") or text.startswith("./"):
            return (_DIRECTORY, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        try:
            entry = self.fs.stat(encode(stored_name(text)))
        except SpiffsError as error:
            raise error_of(error) from error
        return (_mode(entry), 0, 0, 0, 0, 0, entry.size, 0, 0, 0)

    def import_stat(self, path: str) -> ImportStat:
        """Tell what ``import`` finds: for ``/x.py`` always nothing, for ``x.py`` the file.

        The firmware stats an empty name where the path is absolute.
        """
        name = b"" if path.startswith("/") else encode(stored_name(path))
        try:
            entry = self.fs.stat(name)
        except SpiffsError:
            return ImportStat.NONE
        return ImportStat.DIRECTORY if _mode(entry) == _DIRECTORY else ImportStat.FILE

    def collect(self) -> int:
        """Close the files whose objects are gone, as the firmware's garbage collector does.

        Return how many there were. A close that fails is passed over, its descriptor stays taken.
        """
        return self._files.collect()

    def _reported(self, error: SpiffsError) -> VfsError:
        """Print a failure as the firmware does and return what a program sees."""
        self._say(f"[MaixPy]:SPIFFS Error Code {int(error.code)}\n")
        return error_of(error)

    def _say(self, line: str) -> None:
        if self._on_message is not None:
            self._on_message(line)


def _listing(fs: SpiffsCore, *, as_bytes: bool) -> Iterator[tuple[str | bytes, int, int, int]]:
    """Turn SPIFFS's entries into MicroPython's; an error, an empty name and the end of the mount
    end the listing."""
    if not fs.mounted:
        return
    entries = fs.scandir()
    while fs.mounted:
        try:
            entry = next(entries, None)
        except SpiffsError:
            return
        if entry is None or not entry.raw_name:
            return
        if entry.raw_name.startswith(b"/"):
            name = entry.raw_name.lstrip(b"/")
            shown = name if as_bytes else decode(name)
            yield (shown, _mode(entry), 0, entry.size)


def _mode(entry: DirEntry) -> int:
    return _DIRECTORY if entry.type == _TYPE_DIRECTORY else _FILE
