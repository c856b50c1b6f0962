"""maixfs for fsspec: files inside an image, for pandas, zarr, dask and other users of fsspec.

    fsspec.open("maixfs://flash/main.py::file:///tmp/dump.bin")
    fsspec.filesystem("maixfs", fo="card.img", mode="r+").put("models/", "/sd/", recursive=True)
    fsspec.filesystem("maixfs", fs=Spiffs(flash, geometry)).cat("/main.py")

Paths inside an image are those of a board: SPIFFS is ``/flash``, the volumes of a card are
``/sd``, ``/sd2`` and so on. With ``fs=`` they are those of that file system.

With ``mode="r+"`` changes are in an overlay of the image until ``close``.
"""

from __future__ import annotations

import errno
import io
import os
import weakref
from contextlib import ExitStack, nullcontext, suppress
from glob import has_magic
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from maixfs.errors import (
    ExistsError,
    FileSystemError,
    NotFoundError,
    UsageError,
)
from maixfs.filesystem import Entry, is_folder, no_entry, normalise, parent_of
from maixfs.streams import RawFile

try:
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem
    from fsspec.spec import AbstractFileSystem
    from fsspec.transaction import Transaction
except ImportError as error:  # pragma: no cover - the suite runs with fsspec
    raise ImportError("maixfs.fsspec needs fsspec: pip install fsspec") from error

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from maixfs.filesystem import FileSystem
    from maixfs.image.image import Image
    from maixfs.image.volume import Volume
    from maixfs.spiffs.geometry import Geometry

_PIECE = 1 << 20
"""Bytes that are copied in one go."""


class _Transaction(Transaction):  # type: ignore[misc]
    """Stores the files of an fsspec transaction: all of them or, after an error, none."""

    def complete(self, commit: bool = True) -> None:
        """End the transaction."""
        with self.fs.whole() if commit else nullcontext():
            super().complete(commit)


class MaixfsFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """The file systems of an image, or one mounted ``FileSystem``, as an fsspec file system.

    ``fo`` is the image, as ``maixfs.open`` takes it, or a URL with ``target_protocol`` and
    ``target_options``, which is fetched whole and can only be read. ``mode`` is ``r`` or ``r+``.
    ``geometry`` is that of the SPIFFS area where it cannot be recognised. Instead of an image
    ``fs`` takes a mounted ``Spiffs`` or ``Fat``, which stays its owner's to close.

    ``close``, or leaving a ``with`` block, commits and releases the image; leaving it by an
    exception discards the changes. Raises as ``maixfs.open``.
    """

    protocol = "maixfs"
    root_marker = "/"
    cachable = False  # two users of one image must not share a mount without knowing
    transaction_type = _Transaction

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
        self._fs = fs
        self._image: Image | None = None
        self._volumes: dict[str, Volume] = {}
        resources = ExitStack()
        if fs is None:
            from maixfs.image.opening import open_mounted

            with resources:
                path = _local_path(fo, mode, target_protocol, target_options, resources)
                self._image = open_mounted(path, mode, geometry=geometry)
                resources.callback(self._image.close)
                self._volumes = _volumes_of(self._image)
                resources = resources.pop_all()
        # An object that is dropped must not keep its image locked until the process ends.
        self._release = weakref.finalize(self, resources.close)

    # The image

    def close(self) -> None:
        """Commit what was changed and release the image."""
        self._release()

    def whole(self) -> AbstractContextManager[None]:
        """Undo what was done in the body in an image where an exception ends it."""
        if self._image is None or not self._image.writable:
            return nullcontext()
        return self._image.transaction()

    def __enter__(self) -> MaixfsFileSystem:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._image is not None:
            self._image.release()
        self.close()

    # Paths

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        text = os.fspath(path)
        return normalise(text.removeprefix("maixfs://").removeprefix("maixfs:"))

    def _find(self, path: str) -> tuple[FileSystem[Any] | None, str]:
        """Return the file system of a path and the path in it; none for the root of an image."""
        path = self._strip_protocol(path)
        if self._fs is not None:
            return self._fs, path
        name, _, rest = path[1:].partition("/")
        if not name:
            return None, "/"
        if name not in self._volumes:
            raise no_entry(path)
        from maixfs.image.media import CardMedium

        volume = self._volumes[name]
        if isinstance(volume.medium, CardMedium) and volume.medium.is_torn:
            volume.medium.refresh()  # another process has written the card
        return volume.fs, f"/{rest}"

    def _on_volume(self, path: str, *, change: bool = False) -> tuple[FileSystem[Any], str]:
        fs, inside = self._find(path)
        if fs is None:
            raise is_folder(path)
        if change and self.mode == "r+" and self._fs is None:
            self._volumes[self._strip_protocol(path)[1:].partition("/")[0]].refuse_hazards(path)
        return fs, inside

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
            entries = [self.info(f"/{name}") for name in self._volumes]
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
        volume, inside = self._on_volume(path, change=mode != "rb")
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
        target, path = self._on_volume(path2, change=True)
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
                self._on_volume(path2, change=True)
                if target.isdir(new) and new != old:
                    new = normalise(f"{new}/{old.rpartition('/')[2]}")
                source.stat(old)  # no folders for a file that is missing
                target.makedirs(parent_of(new), exist_ok=True)
                source.replace(old, new)
                return
        super().mv(path1, path2, recursive=recursive, **options)

    def _rm(self, path: str) -> None:
        volume, inside = self._on_volume(path, change=True)
        if volume.isdir(inside):
            volume.rmdir(inside)
        else:
            volume.remove(inside)

    # Folders

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Make a folder."""
        volume, inside = self._on_volume(path, change=True)
        if create_parents and inside != "/":
            volume.makedirs(parent_of(inside), exist_ok=True)
        volume.mkdir(inside)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder and those above it."""
        if self._find(path)[0] is not None:
            volume, inside = self._on_volume(path, change=True)
            volume.makedirs(inside, exist_ok=exist_ok)
        elif not exist_ok:
            raise ExistsError(f"{path}: the folder exists", errno=errno.EEXIST)

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        volume, inside = self._on_volume(path, change=True)
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


def _local_path(
    fo: str | os.PathLike[str],
    mode: str,
    protocol: str | None,
    options: dict[str, Any] | None,
    resources: ExitStack,
) -> str:
    """Return the local path of an image; one from elsewhere is fetched into ``resources``."""
    text = os.fspath(fo)
    if protocol and "://" not in text:
        text = f"{protocol}://{text}"
    system, path = url_to_fs(text, **(options or {}))
    if type(system) is LocalFileSystem:
        return str(path)
    if mode != "r":
        raise UsageError(
            "an image of another computer can only be read", hint="copy it here first"
        )
    copy = Path(resources.enter_context(TemporaryDirectory(prefix="maixfs-")), "image")
    system.get_file(path, str(copy))
    return str(copy)


def _volumes_of(image: Image) -> dict[str, Volume]:
    """Return the file systems of an image by the names that a board has for them."""
    from maixfs.fat import FatError
    from maixfs.image.fatplaces import all_places
    from maixfs.image.fatvolume import FatVolume
    from maixfs.image.names import Mount

    main = image.main
    if not isinstance(main, FatVolume):
        return {(*volume.mount.parts, "flash")[0]: volume for volume in image.volumes.all()}
    volumes: dict[str, Volume] = {main.place.name: main}
    if image.place.slot is not None:
        return volumes
    # Of a whole card an image mounts the first volume; here all of them are shown.
    for place in all_places(main.medium.device):
        with suppress(FatError):
            if place.start != main.place.start:
                mount = Mount((place.name,))
                volumes[place.name] = FatVolume(image.host, main.medium, place, mount)
    return volumes
