"""maixfs for fsspec: files inside an image, for pandas, zarr, dask and other users of fsspec.

    fsspec.open("maixfs://flash/main.py::file:///tmp/dump.bin")
    fsspec.filesystem("maixfs", fo="card.img", mode="r+").put("models/", "/sd/", recursive=True)
    fsspec.filesystem("maixfs", fs=Spiffs(flash, geometry)).cat("/main.py")

Paths inside an image are those of a board: SPIFFS is ``/flash``, the volumes of a card are
``/sd``, ``/sd2`` and so on. With ``fs=`` they are those of that file system.
"""

from __future__ import annotations

import errno
import io
import os
import weakref
from contextlib import ExitStack, suppress
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maixfs.errors import (
    ExistsError,
    FileSystemError,
    ImageError,
    NotFoundError,
    UsageError,
)
from maixfs.filesystem import Entry, is_folder, no_entry, normalise, parent_of
from maixfs.streams import RawFile

try:
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem
    from fsspec.spec import AbstractFileSystem
except ImportError as error:  # pragma: no cover - the suite runs with fsspec
    raise ImportError("maixfs.fsspec needs fsspec: pip install fsspec") from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from maixfs.filesystem import FileSystem
    from maixfs.nor.device import NorDevice
    from maixfs.sd.device import SectorDevice
    from maixfs.spiffs.geometry import Geometry

_PATIENCE = 0.5
"""Seconds for which another user of an image is waited for."""
_PIECE = 1 << 20
"""Bytes that are copied in one go."""


class MaixfsFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """The volumes of an image, or one mounted ``FileSystem``, as an fsspec file system.

    ``fo`` is the image: a path of this computer, or a URL with ``target_protocol`` and
    ``target_options``, which is fetched whole and can only be read. ``mode`` is ``r`` or ``r+``.
    ``geometry`` is that of the SPIFFS area where it cannot be recognised. Instead of an image
    ``fs`` takes a mounted ``Spiffs`` or ``Fat``, which stays its owner's to close.

    ``close``, or leaving a ``with`` block, releases the image. Raises ``ImageError`` for an image
    without a volume.
    """

    protocol = "maixfs"
    root_marker = "/"
    cachable = False  # two users of one image must not share a mount without knowing

    def __init__(
        self,
        fo: str | os.PathLike[str] = "",
        *,
        fs: FileSystem[Any] | None = None,
        mode: str = "r",
        geometry: Geometry | None = None,
        target_protocol: str | None = None,
        target_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if (fs is None) == (not fo):
            raise UsageError("either an image (fo) or a file system (fs) is needed")
        if mode not in ("r", "r+"):
            raise UsageError(f"invalid mode: {mode!r}", hint="r or r+")
        self.mode = mode
        self._resources = ExitStack()
        self._mounts: dict[str, FileSystem[Any]]
        self._release: Callable[[], object] = self._resources.close
        if fs is not None:
            self._mounts = {"": fs}
            return
        holder, path = _locate(fo, target_protocol, target_options)
        try:
            if type(holder) is LocalFileSystem:
                self._mounts = self._mount_file(path, geometry)
            else:
                self._mounts = self._mount_content(holder.cat_file(path), geometry)
        except BaseException:
            self._resources.close()
            raise
        if not self._mounts:
            self._resources.close()
            raise ImageError(f"{fo} holds neither a SPIFFS nor a FAT volume that can be mounted")
        for mount in self._mounts.values():
            self._resources.callback(mount.close)
        # An object that is dropped must not keep its image locked until the process ends.
        self._release = weakref.finalize(self, self._resources.close)

    # The image

    def _mount_file(self, path: str, geometry: Geometry | None) -> dict[str, FileSystem[Any]]:
        from maixfs.nor import NorChip
        from maixfs.sd import FileSectors
        from maixfs.sd.journal import as_finished, finish

        read_only = self.mode == "r"
        self._lock(Path(path), read_only=read_only)
        if not read_only:
            finish(Path(path))  # what a killed process left half written
        with FileSectors.open(path, read_only=True) as card:
            is_card = geometry is None and bool(volumes_of(as_finished(Path(path), card)))
        if is_card:
            card = self._keep(FileSectors.open(path, read_only=read_only))
            return _mount_card(as_finished(Path(path), card), read_only=read_only)
        return _mount_flash(
            self._keep(NorChip.open(path, read_only=read_only)), geometry, read_only=read_only
        )

    def _lock(self, path: Path, *, read_only: bool) -> None:
        """Keep other writers out: of the file, and of the board whose flash or card it is."""
        from maixfs.board import Board
        from maixfs.host.locks import FileLock
        from maixfs.image.boardlock import BoardLock

        if not read_only and Board.exists(path.parent):
            self._resources.enter_context(BoardLock(path.parent))
        self._resources.enter_context(FileLock(path, shared=read_only, wait=_PATIENCE))

    def _mount_content(
        self, content: bytes, geometry: Geometry | None
    ) -> dict[str, FileSystem[Any]]:
        from maixfs.nor import NorChip
        from maixfs.sd import SECTOR, RamSectors

        if self.mode != "r":
            raise UsageError(
                "an image of another computer can only be read", hint="copy it here first"
            )
        card = RamSectors(
            max(len(content) // SECTOR, 1), content[: len(content) // SECTOR * SECTOR]
        )
        if geometry is None and volumes_of(card):
            return _mount_card(card, read_only=True)
        return _mount_flash(NorChip.in_memory(content=content), geometry, read_only=True)

    def _keep(self, device: Any) -> Any:
        self._resources.callback(device.close)
        return device

    def close(self) -> None:
        """Unmount what was mounted here, after writing everything, and release the image."""
        self._release()

    def __enter__(self) -> MaixfsFileSystem:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Paths

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        text = os.fspath(path)
        return normalise(text.removeprefix("maixfs://").removeprefix("maixfs:"))

    def _find(self, path: str) -> tuple[FileSystem[Any] | None, str]:
        """Return the volume of a path and the path in it; no volume for the root of an image."""
        path = self._strip_protocol(path)
        if "" in self._mounts:
            return self._mounts[""], path
        name, _, rest = path[1:].partition("/")
        if not name:
            return None, "/"
        if name not in self._mounts:
            raise no_entry(path)
        return self._mounts[name], f"/{rest}"

    def _on_volume(self, path: str) -> tuple[FileSystem[Any], str]:
        volume, inside = self._find(path)
        if volume is None:
            raise is_folder(path)
        return volume, inside

    # Looking

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return name, size, type and mtime (seconds, ``None`` without one) of a path."""
        path = self._strip_protocol(path)
        volume, inside = self._find(path)
        if volume is None:
            return _info(Entry("/", is_dir=True, size=0, modified=None, native=None), path)
        return _info(volume.stat(inside), path)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """Return what is in a folder, or the file itself."""
        path = self._strip_protocol(path)
        volume, inside = self._find(path)
        if volume is None:
            entries = [self.info(f"/{name}") for name in self._mounts]
        elif volume.isdir(inside):
            base = path.rstrip("/")
            entries = [_info(entry, f"{base}/{entry.name}") for entry in volume.scandir(inside)]
        else:
            entries = [self.info(path)]
        return entries if detail else [entry["name"] for entry in entries]

    def modified(self, path: str) -> Any:
        """Return the time of the last write (aware, UTC); raises where there is none."""
        from datetime import UTC, datetime

        seconds = self.info(path)["mtime"]
        if seconds is None:
            raise FileSystemError(f"{path}: no time is stored for this file", errno=errno.ENOTSUP)
        return datetime.fromtimestamp(seconds, UTC)

    # Files

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **_: Any,
    ) -> Any:
        volume, inside = self._on_volume(path)
        if volume.isdir(inside):
            raise is_folder(path)
        if mode[0] != "r" and not autocommit:
            files = self.transaction.files
            written = [file for file in files if isinstance(file, _Deferred)]
            return _Deferred(volume, inside, mode, written)
        if mode[0] != "r":
            volume.makedirs(parent_of(inside), exist_ok=True)  # as fsspec's object stores
        # fsspec's transactions hold back new files only: an update is written at once.
        stream: Any = volume.open(inside, mode)
        if mode[0] == "r":
            stream.size = volume.stat(inside).size  # what cat_file and read_block look for
        stream.filesystem = self  # which is released with its last stream
        return stream

    def open(self, path: str, mode: str = "rb", *arguments: Any, **options: Any) -> Any:
        """Return a stream; ``close`` writes also what a text stream holds."""
        stream = super().open(path, mode, *arguments, **options)
        if isinstance(stream, io.TextIOWrapper):
            raw = getattr(stream.buffer, "raw", None)
            if isinstance(raw, RawFile):
                raw.layers = (weakref.ref(stream), *raw.layers)
        return stream

    def touch(self, path: str, truncate: bool = True, **_: Any) -> None:
        """Make an empty file; ``truncate``: also of one that is there."""
        with self.open(path, "wb" if truncate else "ab"):
            pass

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        """Copy a file, or make a folder like the one at ``path1``; parents are made."""
        source, inside = self._on_volume(path1)
        if source.isdir(inside):
            self.makedirs(path2, exist_ok=True)
            return
        target, path = self._on_volume(path2)
        same = source is target and target.exists(path)
        if same and target.stat(path).native == source.stat(inside).native:
            return  # opening it for writing would empty what is to be read
        target.makedirs(parent_of(path), exist_ok=True)
        with source.open(inside, "rb") as reader, target.open(path, "wb") as writer:
            while piece := reader.read(_PIECE):
                writer.write(piece)

    def mv(self, path1: str, path2: str, recursive: bool = False, **options: Any) -> None:
        """Move a file or a folder; within one volume nothing is copied."""
        if isinstance(path1, str) and isinstance(path2, str) and not has_magic(path1):
            source, old = self._find(path1)
            target, new = self._find(path2)
            if source is not None and source is target:
                if target.isdir(new) and new != old:
                    new = normalise(f"{new}/{old.rpartition('/')[2]}")
                source.stat(old)  # no folders for a file that is missing
                target.makedirs(parent_of(new), exist_ok=True)
                source.replace(old, new)
                return
        super().mv(path1, path2, recursive=recursive, **options)

    def _rm(self, path: str) -> None:
        volume, inside = self._on_volume(path)
        if volume.isdir(inside):
            volume.rmdir(inside)
        else:
            volume.remove(inside)

    # Folders

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Make a folder."""
        volume, inside = self._on_volume(path)
        if create_parents and inside != "/":
            volume.makedirs(parent_of(inside), exist_ok=True)
        volume.mkdir(inside)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder and those above it."""
        volume, inside = self._find(path)
        if volume is not None:
            volume.makedirs(inside, exist_ok=exist_ok)
        elif not exist_ok:
            raise ExistsError(f"{path}: the folder exists", errno=errno.EEXIST)

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        volume, inside = self._on_volume(path)
        volume.rmdir(inside)

    def ukey(self, path: str) -> str:
        """Return a value that changes with the file."""
        return str(self.info(path))


class _Deferred(io.BytesIO):
    """A file written inside an fsspec transaction: stored by ``commit``, otherwise discarded."""

    def __init__(
        self, volume: FileSystem[Any], path: str, mode: str, before: list[_Deferred]
    ) -> None:
        """``before`` are the files that the transaction has written until now, in order."""
        super().__init__()
        self._volume = volume
        self._path = path
        self._appends = "a" in mode
        self._content = b""
        earlier = [file for file in before if file._volume is volume and file._path == path]
        if "x" in mode and (earlier or volume.exists(path)):
            raise ExistsError(f"{path}: the file exists", errno=errno.EEXIST)
        if self._appends and earlier:
            self.write(earlier[-1].content)
        elif self._appends:
            with suppress(NotFoundError):
                self.write(volume.read_bytes(path))

    @property
    def content(self) -> bytes:
        """What was written until now."""
        return self._content if self.closed else self.getvalue()

    def write(self, data: Any, /) -> int:
        """Write ``data`` at the position, in an append mode at the end."""
        if self._appends:
            self.seek(0, io.SEEK_END)
        return super().write(data)

    def close(self) -> None:
        """Keep the content for ``commit``."""
        self._content = self.content
        super().close()

    def commit(self) -> None:
        """Write the content to the volume."""
        self.close()
        self._volume.makedirs(parent_of(self._path), exist_ok=True)
        self._volume.write_bytes(self._path, self._content)

    def discard(self) -> None:
        """Forget the content."""
        self._content = b""


def _info(entry: Entry[Any], path: str) -> dict[str, Any]:
    kind = "directory" if entry.is_dir else "file"
    return {"name": path, "size": entry.size, "type": kind, "mtime": entry.modified}


def _locate(
    fo: str | os.PathLike[str], protocol: str | None, options: dict[str, Any] | None
) -> tuple[AbstractFileSystem, str]:
    """Return the fsspec file system that holds an image, and the path in it."""
    text = os.fspath(fo)
    if protocol and "://" not in text:
        text = f"{protocol}://{text}"
    system, path = url_to_fs(text, **(options or {}))
    return system, path


def volumes_of(card: SectorDevice) -> dict[str, int]:
    """Return the first sectors of the FAT volumes of a card by the names that a board mounts."""
    from maixfs.fat import FatError, FResult, find_volume

    volumes: dict[str, int] = {}
    for part in range(5):
        try:
            start = find_volume(card, part)
        except FatError as error:
            if error.result != FResult.NO_FILESYSTEM:
                raise  # a card that cannot be read is no card without volumes
            continue
        if start not in volumes.values():
            name = "sd" if not volumes else f"sd{len(volumes) + 1}"
            volumes[name] = start
    return volumes


def _mount_card(card: SectorDevice, *, read_only: bool) -> dict[str, FileSystem[Any]]:
    from maixfs.fat import Fat

    return {
        name: Fat(card, start, read_only=read_only) for name, start in volumes_of(card).items()
    }


def _mount_flash(
    chip: Any, geometry: Geometry | None, *, read_only: bool
) -> dict[str, FileSystem[Any]]:
    from maixfs.nor import make_driver
    from maixfs.spiffs import Spiffs
    from maixfs.spiffs.detect import detect

    if geometry is None:
        areas = detect(chip.window())
        if not areas:
            return {}
        geometry = areas[0].geometry
    device: NorDevice = make_driver("ideal", chip)
    return {"flash": Spiffs(device, geometry, read_only=read_only)}
