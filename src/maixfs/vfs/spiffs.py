"""``VfsSpiffs``: SPIFFS as MaixPy's VFS shows it, with the firmware's own behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import index
from typing import TYPE_CHECKING, Any

from maixfs.spiffs import PRESETS, Code, Geometry, OpenFlag, SpiffsCore, SpiffsError
from maixfs.spiffs.errors import spiffs_error
from maixfs.tuples import NamedTuple
from maixfs.vfs.driver import S_IFDIR, S_IFREG, ImportStat, NativeDriver, Stat
from maixfs.vfs.errors import Errno, VfsError
from maixfs.vfs.files import OpenFiles, c_string, decode, encode
from maixfs.vfs.profile import OnQuirk, Quirks

if TYPE_CHECKING:
    from maixfs.nor.device import Buffer, NorDevice
    from maixfs.spiffs import Descriptor, DirEntry
    from maixfs.vfs.files import FileIO, TextIOWrapper

_TYPE_DIRECTORY = 2
_FIRST_ERROR = 10000
_WHENCES = (0, 1, 2)
_DESCRIPTOR_BYTES = 64
_CACHE_HEAD = 24
_CACHE_PAGE_HEAD = 20


# Errors

# Index 0 stands for -10000 (docs/SPEC.md, section 10).
_ERRNOS = (
    Errno.ENOEXEC,  # not mounted
    Errno.ENOSPC,  # full
    Errno.ENOENT,  # not found
    Errno.EIO,  # end of object
    Errno.EIO,  # deleted
    Errno.EIO,  # not finalized
    Errno.EIO,  # not index
    Errno.EMFILE,  # out of file descriptors
    Errno.EPERM,  # file closed
    Errno.EIO,  # file deleted
    Errno.EBADF,  # bad descriptor
    Errno.EPERM,  # is index
    Errno.EIO,  # is free
    Errno.EIO,  # index span mismatch
    Errno.EIO,  # data span mismatch
    Errno.EIO,  # index ref free
    Errno.EIO,  # index ref look-up
    Errno.EINVAL,  # index ref invalid
    Errno.EIO,  # index free
    Errno.EIO,  # index look-up
    Errno.EINVAL,  # index invalid
    Errno.EPERM,  # not writable
    Errno.EPERM,  # not readable
    Errno.EEXIST,  # conflicting name
    Errno.EIO,  # not configured
    Errno.EIO,  # not a file system
    Errno.EIO,  # mounted
    Errno.EIO,  # erase fail
    Errno.EIO,  # magic not possible
    Errno.EAGAIN,  # no deleted blocks
    Errno.EEXIST,  # file exists
    Errno.ENOENT,  # not a file
    Errno.EIO,  # read-only, not implemented
    Errno.EIO,  # read-only, aborted operation
    Errno.EIO,  # probe: too few blocks
    Errno.EIO,  # probe: not a file system
    Errno.EINVAL,  # name too long
    Errno.EIO,  # index map unmapped
    Errno.EIO,  # index map mapped
    Errno.EIO,  # index map bad range
    Errno.ESPIPE,  # seek bounds
)


def errno_of(code: int) -> Errno:
    """Return the errno for a SPIFFS number (-10000 and below).

    Past the end of the table it is EIO; the firmware returns whatever memory holds there.
    """
    place = -int(code) - _FIRST_ERROR
    return _ERRNOS[place] if 0 <= place < len(_ERRNOS) else Errno.EIO


def error_of(error: SpiffsError, fallback: Errno | None = None) -> VfsError:
    """Return what a program sees for ``error``; raise it ``from error``.

    The SPIFFS number decides, not the errno of ``error``, which is the host's. ``fallback`` is
    the number of a call that gives the same one for every failure. A read-only mount always
    gives EROFS: the firmware has none (it would call a null pointer), MicroPython's others do.
    """
    if error.code == Code.RO_NOT_IMPL:
        return VfsError(Errno.EROFS)
    return VfsError(errno_of(error.code) if fallback is None else fallback)


# Names and modes

_LETTERS = {
    "r": OpenFlag.RDONLY,
    "w": OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.TRUNC,
    "x": OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.TRUNC,
    "a": OpenFlag.RDWR | OpenFlag.APPEND,
    "+": OpenFlag.RDWR,
}


def stored_name(path: object) -> str:
    """Return the name under which SPIFFS stores ``path``: ``x`` and ``./x`` are ``/x``.

    Raises ``TypeError`` for a path that is neither ``str`` nor ``bytes``.
    """
    text = c_string(path)
    if text.startswith("./"):
        return text[1:]
    return text if text.startswith("/") else f"/{text}"


def open_flags(letters: str) -> OpenFlag:
    """Return the flags of a mode.

    As in the firmware all letters are or-ed, unknown ones are ignored, "x" truncates like "w"
    and "a" does not create.
    """
    flags = OpenFlag(0)
    for letter in letters:
        flags |= _LETTERS.get(letter, OpenFlag(0))
    return flags


# Files


class SpiffsFile:
    """A SPIFFS descriptor with MaixPy's error numbers: every failure is EIO.

    After ``close`` the file has descriptor 0, which SPIFFS does not know: everything but another
    ``close`` fails. A ``close`` that fails leaves the descriptor in use (docs/SPEC.md,
    section 10).
    """

    lookahead = 256
    """A read and the seek back change nothing on flash, and a read that fails moves nothing."""

    def __init__(self, descriptor: Descriptor, quirks: Quirks) -> None:
        self._descriptor: Descriptor | None = descriptor
        self._forgotten = False
        self._quirks = quirks

    @property
    def closed(self) -> bool:
        """Whether the file has no descriptor any more."""
        return self._descriptor is None or self._forgotten

    def forget(self) -> None:
        """Lose the descriptor to a new mount: nothing is written, every later call fails."""
        self._forgotten = True

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        try:
            return self._open().read(size)
        except SpiffsError as error:
            raise error_of(error, Errno.EIO) from error

    def read_all(self) -> bytes:
        """Return everything from the position to the end."""
        return self.read(-1)

    def write(self, data: memoryview) -> int:
        """Write all of ``data``; SPIFFS has no short writes, a full volume is EIO."""
        try:
            return self._open().write(data)
        except SpiffsError as error:
            raise error_of(error, Errno.EIO) from error

    def seek(self, offset: int, whence: int) -> int:
        """Move the position; the firmware returns SPIFFS's error number as if it were one.

        Past the end that is -10003 with the position at the end. An unknown ``whence`` does
        nothing and gives 0.
        """
        if whence not in _WHENCES:
            return 0
        if self._descriptor is None:
            return int(Code.BAD_DESCRIPTOR)
        if self._forgotten:
            return int(Code.FILE_CLOSED)
        try:
            return self._descriptor.seek(_int32(offset), whence)
        except SpiffsError as error:
            return int(error.code)

    def flush(self) -> None:
        """Write the contents of the cache."""
        try:
            self._open().flush()
        except SpiffsError as error:
            raise error_of(error, Errno.EIO) from error

    def close(self) -> None:
        """Write the contents of the cache and free the descriptor, unless the write fails."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if self._forgotten:
            raise VfsError(Errno.EIO)
        try:
            descriptor.close()
        except SpiffsError as error:
            # The file object is closed, but the C keeps a descriptor whose flush failed: with
            # two of them the volume cannot open anything until the next mount.
            if not descriptor.closed:
                self._quirks.report("close-keeps-descriptor", descriptor.name)
            raise error_of(error, Errno.EIO) from error

    def _open(self) -> Descriptor:
        if self._descriptor is None or self._forgotten:
            raise VfsError(Errno.EIO)
        return self._descriptor


def _int32(offset: int) -> int:
    """Return the low 32 bits, signed: SPIFFS's offsets drop the others."""
    return (offset + (1 << 31)) % (1 << 32) - (1 << 31)


# The area


class Area(NamedTuple):
    """A flash driver and the geometry of the file system on it, mounted or not."""

    device: NorDevice
    geometry: Geometry
    max_files: int = 2
    """Descriptors: the firmware's ``/flash`` has two."""
    cache_pages: int = 4
    """Pages of the write cache."""
    unit: int | None = None
    """The block size that ``statvfs`` reports, bytes; the geometry's unless given."""

    def mount(self, *, read_only: bool = False) -> SpiffsCore:
        """Mount with the firmware's resources; raises ``SpiffsError``."""
        return SpiffsCore(
            self.device,
            self.geometry,
            read_only=read_only,
            faithful=True,
            max_files=self.max_files,
            cache_pages=self.cache_pages,
        )

    def format(self) -> None:
        """Write an empty file system; raises ``SpiffsError``."""
        SpiffsCore.format(self.device, self.geometry)


class UserFlash:
    """Flash that a MicroPython program provides: ``read``, ``write``, ``erase`` of its object.

    Its methods get a buffer, a length and an address (``erase``: length and address). What they
    raise passes through to the program.
    """

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._read, self._write = provider.read, provider.write
        self.size = index(provider.fs_size)
        self.erase_size = index(provider.erase_block)

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes."""
        buffer = bytearray(length)
        self._read(buffer, length, address)
        return bytes(buffer)

    def program(self, address: int, data: Buffer) -> None:
        """Pass ``data`` to the program's ``write``."""
        self._write(bytearray(data), len(data), address)

    def erase(self, address: int, length: int) -> None:
        """Erase unit by unit, as SPIFFS does."""
        for unit in range(address, address + length, self.erase_size):
            self._provider.erase(self.erase_size, unit)

    def window(self) -> memoryview | None:
        """Return ``None``: every read has to go through the program."""
        return None


def user_area(provider: Any) -> Area:
    """Return the area of ``uos.VfsSpiffs(provider)``.

    ``provider`` has ``fs_size``, ``erase_block``, ``log_block_size`` and ``log_page_size`` in
    bytes: raises ``AttributeError`` if one is missing, ``TypeError`` if one is not an integer
    and ``GeometryError`` if they contradict each other.

    The firmware allocates four bytes per page of a block for descriptors of 64 bytes each
    (docs/SPEC.md, section 10), and as much for the cache, which uses 24 bytes and 20 per page
    for itself; ``statvfs`` counts in the blocks of ``/flash``, whatever the block size here.
    """
    geometry = replace(
        PRESETS["maixpy"],
        base=0,
        size=index(provider.fs_size),
        block_size=index(provider.log_block_size),
        page_size=index(provider.log_page_size),
        erase_size=index(provider.erase_block),
    )
    room = geometry.pages_per_block * 4
    return Area(
        UserFlash(provider),
        geometry,
        max_files=room // _DESCRIPTOR_BYTES,
        cache_pages=max(0, room - _CACHE_HEAD) // (geometry.page_size + _CACHE_PAGE_HEAD),
        unit=PRESETS["maixpy"].block_size,
    )


# The driver


class VfsSpiffs(NativeDriver):
    """A SPIFFS as a driver of ``Vfs``.

    ``fs`` is a mounted ``SpiffsCore``, an ``Area`` to be mounted later, or what a MicroPython
    program passes to ``uos.VfsSpiffs`` (``user_area``). ``on_quirk(key, sentence)`` is called
    once for each quirk of the firmware (``SENTENCES``), ``on_message(line)`` with what the
    firmware prints, newline included. Methods raise ``VfsError``.
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
        """Mount (again): open files lose what is in RAM, and their descriptors.

        The firmware ignores ``mkfs`` and prints the outcome.
        """
        if mkfs:
            self._quirks.report("mkfs-ignored")
        try:
            self._mount(read_only=bool(readonly))
        except SpiffsError as error:
            raise error_of(error) from error

    def _mount(self, *, read_only: bool = False) -> None:
        if self._fs is not None:
            # Not unmounted, which would write: the firmware overwrites the state of the old
            # mount, so that data in its cache never reaches the flash.
            self._fs.abandon()
        for raw in self._files:
            raw.forget()
        self._files.clear()
        outcome = "failed"
        try:
            self._fs = self._area.mount(read_only=read_only)
            outcome = "successful"
        finally:
            self._print(f"[MAIXPY]:Spiffs Mount {outcome} \n")

    def umount(self) -> None:
        """Do nothing: the firmware keeps the file system usable through this object and files."""

    @staticmethod
    def mkfs(volume: VfsSpiffs, /) -> None:
        """Format ``volume`` if mounting it gives -10025 (no file system); mount it otherwise.

        Another failure is EIO and formats nothing. After formatting it is not mounted.
        """
        if not isinstance(volume, VfsSpiffs):
            # The firmware reads the object as a volume without a check and dies.
            raise TypeError(f"can't convert '{type(volume).__name__}' object to VfsSpiffs")
        try:
            volume._mount()
        except SpiffsError as error:
            if error.code != Code.NOT_A_FS:
                raise volume._printed(error) from error
            try:
                volume._format()
            except SpiffsError as failure:
                raise volume._printed(failure) from failure

    def flash_format(self) -> bool | None:
        """Unmount, format and mount: all files are lost (``uos.flash_format``).

        Return True on success, False if formatting failed, ``None`` if mounting did.
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
        # SPIFFS refuses to format a mounted volume, and unmounting writes what files hold.
        if self._fs is not None and self._fs.mounted:
            self._fs.unmount()
        self._print("[MAIXPY]:Spiffs Unmount.\n")
        self._print("[MAIXPY]:Spiffs Formating...\n")
        outcome = "failed"
        try:
            self._area.format()
            outcome = "successful"
        finally:
            self._print(f"[MAIXPY]:Spiffs Format {outcome} \n")

    def statvfs(self, path: object, /) -> Stat:
        """Return block size twice, blocks, free blocks twice, zeros, and the name field's bytes.

        Any path is accepted.
        """
        c_string(path)
        try:
            info = self.fs.info()
        except SpiffsError as error:
            raise error_of(error) from error
        geometry = self._area.geometry
        block = self._area.unit or geometry.block_size
        # A volume that is more than full has a negative rest, which the firmware takes for an
        # unsigned 32-bit number.
        free = (info.total - info.used) % (1 << 32) // block
        return (block, block, info.total // block, free, free, 0, 0, 0, 0, geometry.name_length)

    # Directories: SPIFFS does not have them

    def ilistdir(self, path: object = "", /) -> Iterator[tuple[Any, int, int, int]]:
        """Iterate over all files, whatever the path, as (name, mode, 0, size).

        Names lose their leading slashes; a name without one is skipped. A bytes path gives bytes
        names.
        """
        c_string(path)
        if self._fs is None or not self._fs.mounted:
            raise VfsError(Errno.ENOTDIR)
        return _listing(self._fs, as_bytes=isinstance(path, bytes))

    def mkdir(self, path: object, /) -> None:
        """Raise ``NotImplementedError`` with the firmware's text."""
        raise NotImplementedError("SPIFFS not support")

    def rmdir(self, path: object, /) -> None:
        """Raise EIO, as the firmware does."""
        raise VfsError(Errno.EIO)

    def chdir(self, path: object, /) -> None:
        """Do nothing: every name starts at the root."""

    def getcwd(self) -> str:
        """Return the empty string, so that ``uos.getcwd`` gives the mount point."""
        return ""

    # Files

    def open(self, path: object, mode: object, /) -> FileIO | TextIOWrapper:
        """Open a file; every failure is ENOENT.

        Each letter of ``mode`` counts: r reads, w and x create and empty (x too!), a appends to
        an existing file, + reads and writes, b and t choose the class (the last one wins).
        """
        name, letters = stored_name(path), c_string(mode)
        flags = open_flags(letters)
        self._warn_of_truncation(name, letters, flags)  # before the open, which truncates
        try:
            descriptor = self.fs.open_descriptor(encode(name), flags)
        except SpiffsError as error:
            self._explain_refusal(name, letters, error)
            raise error_of(error, Errno.ENOENT) from error
        return self._files.add(SpiffsFile(descriptor, self._quirks), letters)

    def _warn_of_truncation(self, name: str, letters: str, flags: OpenFlag) -> None:
        unexpected = flags & OpenFlag.TRUNC and {"x", "r"} & set(letters)
        if unexpected and self._exists(name):
            self._quirks.report("x-truncates" if "x" in letters else "rw-truncates", name, letters)

    def _explain_refusal(self, name: str, letters: str, error: SpiffsError) -> None:
        if error.code != Code.NOT_FOUND:
            self._quirks.report("open-hides-reason", name, error)
        elif "a" in letters:
            self._quirks.report("append-needs-file", name)

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
            raise self._printed(error) from error

    def rename(self, old: object, new: object, /) -> None:
        """Rename a file; an existing file of the new name is removed first, even if it is this."""
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
        # The firmware removes the target without a look at the source and ignores the result,
        # then tries again: renaming a file onto itself destroys it. Kept, as the board has it.
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
                self._quirks.report(key, old, new)
            raise

    def stat(self, path: object, /) -> Stat:
        """Return mode and size; ``""``, ``/`` and any path starting with ``./`` is a directory."""
        # The firmware compares the text of the path: "./x" is a directory even if /x is a file.
        text = c_string(path)
        if text in ("", "/") or text.startswith("./"):
            return (S_IFDIR, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        try:
            entry = self.fs.stat(encode(stored_name(text)))
        except SpiffsError as error:
            raise error_of(error) from error
        return (_mode(entry), 0, 0, 0, 0, 0, entry.size, 0, 0, 0)

    def import_stat(self, path: str) -> ImportStat:
        """Return what ``import`` finds: for ``/x.py`` always nothing, for ``x.py`` the file.

        The firmware stats an empty name if the path is absolute, so that modules are only found
        through the current directory.
        """
        name = b"" if path.startswith("/") else encode(stored_name(path))
        try:
            entry = self.fs.stat(name)
        except SpiffsError:
            return ImportStat.NONE
        return ImportStat.DIRECTORY if _mode(entry) == S_IFDIR else ImportStat.FILE

    def collect(self) -> int:
        """Close the files whose objects are gone; return their number.

        A close that fails is ignored, and its descriptor stays in use.
        """
        return self._files.collect()

    def _printed(self, error: SpiffsError) -> VfsError:
        """Print a failure as the firmware does and return what a program sees."""
        self._print(f"[MaixPy]:SPIFFS Error Code {int(error.code)}\n")
        return error_of(error)

    def _print(self, line: str) -> None:
        if self._on_message is not None:
            self._on_message(line)


def _listing(fs: SpiffsCore, *, as_bytes: bool) -> Iterator[tuple[str | bytes, int, int, int]]:
    """Yield SPIFFS's entries as MicroPython's.

    An error, an empty name and the end of the mount end the listing, as in the firmware.
    """
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
    return S_IFDIR if entry.type == _TYPE_DIRECTORY else S_IFREG
