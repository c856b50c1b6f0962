"""``pack``, ``unpack`` and ``copy``: whole tasks as plain functions, over paths or open images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from maixfs.errors import UsageError
from maixfs.image.address import TargetPath, parse_target
from maixfs.image.entries import Progress, Where, Written
from maixfs.image.image import Image
from maixfs.image.opening import open_image
from maixfs.spiffs.geometry import PRESETS, Geometry
from maixfs.transfer.copying import Copied, CopyOptions, copy_files
from maixfs.transfer.unpacking import unpack_files, unpack_place

if TYPE_CHECKING:
    from maixfs.transfer.packing import Packed, PackedCard

StrPath: TypeAlias = str | os.PathLike[str]
Place: TypeAlias = StrPath | Image | tuple[Image, str]
"""A path of the host, ``TARGET:PATH``, an open image, or an open image and a path in it."""


@overload
def pack(
    folder: StrPath,
    image: StrPath,
    *,
    geometry: Geometry | str = ...,
    flash_size: int | None = ...,
    spare_blocks: int = ...,
    follow_links: bool = ...,
    force: bool = ...,
    progress: Progress | None = ...,
) -> Packed: ...
@overload
def pack(
    folder: StrPath,
    image: StrPath,
    *,
    format: Literal["card"],
    size: int | None = ...,
    fat_type: int | None = ...,
    cluster_size: int | None = ...,
    label: str = ...,
    keep_times: bool = ...,
    follow_links: bool = ...,
    force: bool = ...,
    progress: Progress | None = ...,
) -> PackedCard: ...
def pack(
    folder: StrPath,
    image: StrPath,
    *,
    format: str = "spiffs",  # noqa: A002 - the word of the command line and of shutil
    geometry: Geometry | str | None = None,
    flash_size: int | None = None,
    spare_blocks: int | None = None,
    size: int | None = None,
    fat_type: int | None = None,
    cluster_size: int | None = None,
    label: str | None = None,
    keep_times: bool | None = None,
    follow_links: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> Packed | PackedCard:
    """Write a new image that holds the files of a folder; the same files give the same bytes.

    A SPIFFS has a ``geometry`` (a ``Geometry`` or the name of a preset, default ``"maixpy"``) and
    ``spare_blocks`` that stay empty (default 2); with ``flash_size`` (bytes) it lies at its
    address in a flash of that size. ``format="card"`` makes a card with one FAT partition:
    ``size`` (bytes, default: as small as possible), ``fat_type`` (12, 16, 32), ``cluster_size``
    (bytes), ``label``, ``keep_times``.

    Raises ``FitError`` if the files do not fit, ``OccupiedError`` if ``image`` holds something
    else and ``force`` is not given, ``UsageError`` for names that cannot be stored.
    """
    source, out = _host_path("folder", folder), _host_path("image", image)
    spiffs: dict[str, object] = {
        "geometry": geometry,
        "flash_size": flash_size,
        "spare_blocks": spare_blocks,
    }
    card: dict[str, object] = {
        "size": size,
        "fat_type": fat_type,
        "cluster_size": cluster_size,
        "label": label,
        "keep_times": keep_times,
    }
    for name, value in (spiffs | card).items():
        _check_type(name, value, (*_OPTION_TYPES.get(name, (int,)), type(None)))
    if format not in ("spiffs", "card"):
        raise UsageError(f"unknown format: {format!r}", hint="spiffs or card")
    # An option of the other format is refused: ignored, it would seem to work.
    own, foreign = (card, spiffs) if format == "card" else (spiffs, card)
    wrong = [name for name, value in foreign.items() if value is not None]
    if wrong:
        raise UsageError(f"{', '.join(wrong)} does not apply to format {format!r}")
    options = {name: value for name, value in own.items() if value is not None}
    common = {"follow_links": follow_links, "force": force, "progress": progress}
    make = _pack_card if format == "card" else _pack_spiffs
    return make(source, out, options, common)


_OPTION_TYPES: dict[str, tuple[type, ...]] = {
    "geometry": (Geometry, str),
    "label": (str,),
    "keep_times": (bool,),
}


def _pack_spiffs(
    folder: Path, out: Path, options: dict[str, Any], common: dict[str, Any]
) -> Packed:
    from maixfs.transfer.packing import pack_folder

    geometry = options.get("geometry", "maixpy")
    if isinstance(geometry, str):
        if geometry not in PRESETS:
            raise UsageError(f"unknown preset: {geometry!r}", hint=f"one of {', '.join(PRESETS)}")
        geometry = PRESETS[geometry]
    return pack_folder(
        folder,
        out,
        geometry,
        spare_blocks=options.get("spare_blocks", 2),
        whole_flash=options.get("flash_size") or False,
        **common,
    )


def _pack_card(
    folder: Path, out: Path, options: dict[str, Any], common: dict[str, Any]
) -> PackedCard:
    from maixfs.transfer.packing import CardShape, pack_card

    shape = {name: value for name, value in options.items() if name != "keep_times"}
    keep_times = options.get("keep_times", False)
    return pack_card(folder, out, CardShape(**shape), keep_times=keep_times, **common)


def unpack(
    image: StrPath | Image,
    folder: StrPath,
    *,
    path: str | None = None,
    geometry: Geometry | None = None,
    base: int | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> list[Written]:
    """Write the files of an image into a folder of the host; return what was written.

    ``path`` is a folder or file in the image (default: all of its main file system); a text
    such as ``board:/flash/lib`` names it too. Each partition of a card with several goes into a
    folder of its own. A file that exists and differs is replaced only with ``force``.

    Raises ``TakenError`` before anything is written, ``UnpackError`` after writing all files
    that can be read if some cannot, and what ``maixfs.open`` raises.
    """
    goal = _host_path("folder", folder)
    _check_type("path", path, (str, type(None)))
    if isinstance(image, Image):
        return unpack_files(image, path, goal, force=force, progress=progress)
    place = parse_target(image) if isinstance(image, str) else TargetPath(_path("image", image))
    if path is not None:
        place = place._replace(path=path)
    with open_image(place, geometry=geometry, base=base) as whole:
        return unpack_place(whole, place, goal, open_image, force=force, progress=progress)


def copy(
    sources: Place | Sequence[Place],
    destination: Place,
    *,
    geometry: Geometry | None = None,
    base: int | None = None,
    follow_links: bool = False,
    drives: bool = False,
    progress: Progress | None = None,
) -> Copied:
    """Copy files and folders between the host and images, or between two images.

    ``TARGET:PATH`` (``board:/flash/main.py``, ``card.img@2:/``) names a file or folder in an
    image, a text without a colon one of the host; patterns (``*``, ``?``, ``[...]``) are expanded.
    ``(image, path)`` is in an image that is open, and ``image`` alone all of its main file
    system. Folders are copied with their contents, and land in a folder under their own name, or
    without it if they end in ``/.``. ``geometry`` and ``base`` describe the SPIFFS of the
    destination, or of the source if the destination is a folder of the host.

    A destination image gets all files or none. One that is open keeps the change until its
    ``commit``. Raises ``UsageError`` if no image takes part, ``MissingError``, ``TakenError``,
    ``FitError``, ``ReadOnlyError`` and what ``maixfs.open`` raises.
    """
    several = isinstance(sources, Sequence) and not isinstance(sources, str)
    is_place = isinstance(sources, tuple) and len(sources) == 2 and isinstance(sources[0], Image)
    given: Sequence[Any] = sources if several and not is_place else [sources]  # type: ignore[assignment]
    images: list[Image] = []
    ends = [_end(place, images) for place in (*given, destination)]
    options = CopyOptions(
        recursive=True, where=Where(geometry, base, drives), follow_links=follow_links
    )
    return copy_files(ends[:-1], ends[-1], options, progress=progress, images=images)


def _end(place: Any, images: list[Image]) -> str | Path | TargetPath:
    """Return one side of a copy for ``copy_files``; add an open image to ``images``."""
    if isinstance(place, str):
        return place
    image, path = place if isinstance(place, tuple) and len(place) == 2 else (place, None)
    if not isinstance(image, Image):
        return _path("a place", place)
    _check_type("path", path, (str, type(None)))
    images.append(image)
    return image.place._replace(path=image.mount_point if path is None else path)


def _host_path(name: str, path: StrPath) -> Path:
    return Path(path) if isinstance(path, str) else _path(name, path)


def _path(name: str, path: object) -> Path:
    if not isinstance(path, os.PathLike):
        raise TypeError(f"{name} must be a str or a path, not {type(path).__name__}")
    return Path(path)


def _check_type(name: str, value: object, kinds: tuple[type, ...]) -> None:
    # To Python ``True`` is an ``int``: a size of ``True`` bytes is a mistake.
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        expected = " or ".join(kind.__name__ for kind in kinds if kind is not type(None))
        raise TypeError(f"{name} must be {expected}, not {type(value).__name__}")
