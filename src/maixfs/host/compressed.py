"""Image files read as bytes, also when they are compressed: gzip, xz, bzip2, zstd, zip.

    with open_image_bytes(Path("dump.bin.gz")) as image:
        image.compression          # ("gzip",)
        image.view[0xD00000:]      # the unpacked bytes

Unpacked bytes stay in memory up to 64 MiB, the largest flash. More of them (a card) go to a
temporary file without a name. How much is unpacked is bounded, so that a small file that unpacks
to terabytes ends with an error and not with a full disk.
"""

from __future__ import annotations

import errno
import io
import mmap
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from maixfs.errors import DeviceError
from maixfs.host.drives import drive_size
from maixfs.host.errors import host_error, reason_of
from maixfs.host.files import open_for_reading
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    import zipfile
    from typing import Self

MOST_IN_MEMORY = 64 << 20
"""Bytes; no flash of these boards is larger."""
_RESERVE = 256 << 20
"""Bytes of the temporary folder's file system that stay free."""
_CHUNK = 1 << 18
_XZ_MEMORY = 512 << 20
"""Bytes of the dictionary that an xz file may ask for; ``xz -9`` asks for 65 MiB."""
_MOST_LAYERS = 4


class _Decoder(Protocol):
    """What ``bz2``, ``lzma`` and ``compression.zstd`` have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gunzip:
    """``zlib``'s decoder of gzip members with the interface of ``bz2``'s."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        piece = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        # Full output may leave more inside although all input was taken.
        self.needs_input = len(piece) < max_length
        return piece


class _DamagedError(Exception):
    """The compressed data is cut short or wrong; the text says which."""


class UnsupportedError(DeviceError):
    """The file is compressed in a way that cannot be read here (ENOTSUP)."""


class Compression(NamedTuple):
    """A compression format."""

    name: str
    magic: bytes
    unpack: str
    """The command that unpacks ``{file}`` to ``{out}``."""


COMPRESSIONS = (
    Compression("gzip", b"\x1f\x8b\x08", "gunzip < {file} > {out}"),
    Compression("xz", b"\xfd7zXZ\x00", "unxz < {file} > {out}"),
    Compression("bzip2", b"BZh", "bunzip2 < {file} > {out}"),
    Compression("zstd", b"\x28\xb5\x2f\xfd", "unzstd < {file} > {out}"),
    Compression("zip", b"PK\x03\x04", "unzip {file}"),
)
FLASH_LIST = "flash-list.json"
"""The file by which a flashing package (kfpkg) differs from other zip archives."""
_BY_NAME = {compression.name: compression for compression in COMPRESSIONS}
_SUFFIXES = frozenset({".gz", ".xz", ".bz2", ".zst", ".zip"})


def unpack_command(path: Path, compression: tuple[str, ...]) -> str:
    """Return the command that undoes the outermost compression of a file."""
    from shlex import quote

    out = path.stem if path.suffix.lower() in _SUFFIXES else f"{path.name}.unpacked"
    return _BY_NAME[compression[0]].unpack.format(
        file=quote(str(path)), out=quote(str(path.with_name(out)))
    )


class ImageBytes:
    """The bytes of an image file, read-only; a context manager.

    A map that is handed in is closed with it; other buffers stay the caller's. ``view`` has all
    bytes: mapped, or unpacked. ``compression`` names the compressions that were undone, the
    outermost first. ``damage`` is why the unpacked bytes end early, ``None`` if they are
    complete. ``complete`` is False where unpacking stopped at a limit.
    """

    def __init__(
        self,
        path: Path,
        content: mmap.mmap | bytes | bytearray | memoryview,
        compression: tuple[str, ...] = (),
        damage: str | None = None,
        *,
        complete: bool = True,
    ) -> None:
        self.path = path
        self.view = memoryview(content).toreadonly()
        self._map = content if isinstance(content, mmap.mmap) else None
        self.compression = compression
        self.damage = damage
        self.complete = complete

    def __len__(self) -> int:
        return len(self.view)

    def refuse_writing(self) -> None:
        """Raise ``DeviceError`` (EROFS) for a compressed file, with the command to unpack it."""
        if self.compression:
            raise host_error(
                self.path,
                f"is compressed ({', '.join(self.compression)}): it is only read",
                errno.EROFS,
                hint=f"unpack it first: {unpack_command(self.path, self.compression)}",
            )

    def close(self) -> None:
        """Release the bytes; views of them that others hold keep theirs."""
        self.view.release()
        if self._map is not None:
            try:
                self._map.close()
            except BufferError:
                # Somebody has a view of the bytes; the map goes with the last one.
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_image_bytes(path: Path) -> ImageBytes:
    """Open an image file, and undo its compression if it has any.

    A zip archive is read if it has exactly one member; other archives, and files that only
    begin like a compressed one, are opened as they are. Data that ends early gives what there
    is, with ``damage``.

    Raises ``DeviceError``: what the host refuses; EFBIG where the unpacked bytes do not fit into
    the temporary folder; EINVAL where nothing can be unpacked; ``UnsupportedError`` for zstd
    where Python cannot read it.
    """
    return unpack_layers(map_image(path))


def unpack_layers(image: ImageBytes, *, preview: bool = False) -> ImageBytes:
    """Undo the compressions of bytes; return ``image`` itself where there are none.

    With ``preview`` at most 64 MiB are unpacked. Raises as ``open_image_bytes`` does, and then
    ``image`` is closed.
    """
    try:
        while image.complete and len(image.compression) < _MOST_LAYERS:
            layer = _layer_of(image.view)
            if layer is None:
                break
            inner = _unpacked(image, layer, preview=preview)
            image.close()
            image = inner
    except BaseException:
        image.close()
        raise
    return image


def map_image(path: Path) -> ImageBytes:
    """Open a file as it is, compressed or not; raises ``DeviceError``."""
    with open_for_reading(path) as stream:
        try:
            size = stream.seek(0, os.SEEK_END) or drive_size(stream.fileno())
            if not size:  # which mmap refuses
                return ImageBytes(path, b"")
            mapped = mmap.mmap(stream.fileno(), size, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as reason:
            raise host_error(path, f"cannot be read: {reason_of(reason)}", reason) from reason
    return ImageBytes(path, mapped)


def compression_of(head: bytes | memoryview) -> str | None:
    """Return the name of the compression that bytes begin with, ``None`` without any."""
    start = bytes(head[:16])
    found = next((entry.name for entry in COMPRESSIONS if start.startswith(entry.magic)), None)
    if found == "bzip2" and not (start[3:4].isdigit() and start[4:10] == b"1AY&SY"):
        return None
    return found


def _layer_of(view: memoryview) -> str | None:
    """Return the compression to undo; ``None`` if there is none, and for other archives."""
    name = compression_of(view)
    if name == "zip":
        return name if _only_member(view) is not None else None
    if name == "gzip":
        # Three bytes may begin a SPIFFS look-up page too: the first bytes must unpack.
        try:
            _Gunzip().decompress(bytes(view[:_CHUNK]), 1)
        except zlib.error:
            return None
    return name


def _only_member(view: memoryview) -> zipfile.ZipInfo | None:
    """Return the one file of a zip archive that is no flashing package."""
    import zipfile

    try:
        with zipfile.ZipFile(ViewFile(view)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, LookupError, NotImplementedError):
        return None
    if len(members) != 1 or members[0].filename.rpartition("/")[2] == FLASH_LIST:
        return None
    return members[0]


class ViewFile(io.RawIOBase):
    """A view as a file that can be read and searched, without a copy."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position; raises ``OSError`` for one before the start."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self._view)}[whence]
        if start + offset < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._at = start + offset
        return self._at

    def readinto(self, buffer: object) -> int:
        """Fill ``buffer`` as far as the view goes; return the bytes."""
        target = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        piece = self._view[self._at : self._at + len(target)]
        target[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, all for a negative size."""
        end = len(self._view) if size is None or size < 0 else self._at + size
        piece = bytes(self._view[self._at : end])
        self._at += len(piece)
        return piece


def _unpacked(image: ImageBytes, layer: str, *, preview: bool) -> ImageBytes:
    path = image.path
    store = _Store(path, preview=preview)
    damage = image.damage
    try:
        for piece in _pieces(path, image.view, layer):
            if not store.add(piece):
                break
    except _DamagedError as error:
        damage = f"the {layer} data {error}; {store.size:#x} bytes come out"
        if not store.size:
            store.close()
            raise host_error(path, f"cannot be unpacked: {damage}", errno.EINVAL) from None
    except BaseException:
        store.close()
        raise
    chain = (*image.compression, layer)
    return ImageBytes(path, store.content(), chain, damage, complete=not store.full)


class _Store:
    """Where unpacked bytes go: memory, and from 64 MiB on a temporary file."""

    def __init__(self, path: Path, *, preview: bool) -> None:
        self.size = 0
        self.full = False
        self._path = path
        self._preview = preview
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._most = MOST_IN_MEMORY

    def add(self, piece: bytes) -> bool:
        """Append; return False where a preview has enough."""
        if self.size + len(piece) > self._most:
            if self._preview:
                self.full = True
                return False
            self._move_to_file()
        self.size += len(piece)
        if self._file is not None:
            self._file.write(piece)
        else:
            self._memory += piece
        return True

    def content(self) -> bytearray | mmap.mmap:
        if self._file is None:
            return self._memory
        self._file.flush()
        with self._file as file:
            return mmap.mmap(file.fileno(), self.size, access=mmap.ACCESS_READ)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _move_to_file(self) -> None:
        if self._file is not None:
            raise self._too_large()
        import shutil
        import tempfile

        free = shutil.disk_usage(tempfile.gettempdir()).free - _RESERVE
        if free <= self._most:
            raise self._too_large()
        self._most = free
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the map
        self._file.write(self._memory)
        self._memory = bytearray()

    def _too_large(self) -> DeviceError:
        return host_error(
            self._path,
            f"unpacks to more than {self._most:#x} bytes, for which this computer has no room",
            errno.EFBIG,
            hint="unpack it on a disk with enough space, if you trust the image",
        )


def _pieces(path: Path, view: memoryview, layer: str) -> Iterator[bytes]:
    """Yield the unpacked bytes in bounded pieces; raises ``_DamagedError``."""
    if layer == "gzip":
        return _decoded(view, layer, _Gunzip, zlib.error)
    if layer == "bzip2":
        import bz2

        # Damaged data is an OSError there.
        return _decoded(view, layer, bz2.BZ2Decompressor, OSError)
    if layer == "xz":
        import lzma

        def new_decoder() -> _Decoder:
            return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

        return _decoded(view, layer, new_decoder, lzma.LZMAError)
    return _member_pieces(view) if layer == "zip" else _zstd_pieces(path, view)


def _decoded(
    view: memoryview,
    layer: str,
    new_decoder: Callable[[], _Decoder],
    wrong: type[Exception],
) -> Iterator[bytes]:
    """Yield what the members (streams, frames) of a file unpack to, one after the other."""
    source, decoder, data = ViewFile(view), new_decoder(), b""
    while True:
        if decoder.eof:
            data = (decoder.unused_data or source.read(_CHUNK)).lstrip(b"\0")
            # Zeros may pad the end, as on a tape. What else follows a member is ignored, as the
            # tools do.
            if not data.startswith(_BY_NAME[layer].magic):
                return
            decoder = new_decoder()
        elif decoder.needs_input and not data:
            data = source.read(_CHUNK)
            if not data:
                raise _DamagedError("is cut short")
        try:
            piece = decoder.decompress(data, _CHUNK)
        except wrong as error:
            raise _DamagedError(f"is damaged ({error})") from None
        data = b""
        if piece:
            yield piece


def _member_pieces(view: memoryview) -> Iterator[bytes]:
    import zipfile

    member = _only_member(view)
    if member is None:
        return
    reasons = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)
    with zipfile.ZipFile(ViewFile(view)) as archive:
        try:
            with archive.open(member) as stream:
                while piece := stream.read(_CHUNK):
                    yield piece
        except reasons as error:  # NotImplementedError is a RuntimeError
            raise _DamagedError(f"is damaged ({error})") from None


def _zstd_pieces(path: Path, view: memoryview) -> Iterator[bytes]:
    try:
        # From Python 3.14 on.
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        yield from _zstandard_pieces(path, view)
    else:
        yield from _decoded(view, "zstd", zstd.ZstdDecompressor, zstd.ZstdError)


def _zstandard_pieces(path: Path, view: memoryview) -> Iterator[bytes]:
    try:
        import zstandard
    except ImportError:
        error = UnsupportedError(
            f"{path} is compressed with zstd, which this Python does not read",
            errno=errno.ENOTSUP,
            hint=f"unpack it first: {unpack_command(path, ('zstd',))}; or install maixfs[zstd]",
        )
        error.filename = str(path)
        raise error from None
    decoder, size = zstandard.ZstdDecompressor(), 0
    with decoder.stream_reader(ViewFile(view), read_across_frames=True) as stream:
        try:
            while piece := stream.read(_CHUNK):
                size += len(piece)
                yield piece
            expected = zstandard.frame_content_size(bytes(view[:18]))
        except zstandard.ZstdError as error:
            raise _DamagedError(f"is damaged ({error})") from None
    # The package ends quietly where a frame is cut short; the frame's header knows its length.
    if size < expected:
        raise _DamagedError("is cut short")
