"""Finding what a path names, component by component, as FatFs follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from maixfs.fat.errors import FResult, fat_error
from maixfs.fat.names import make_name, oem_to_unicode, path_text, split_path

if TYPE_CHECKING:
    from maixfs.fat.directory import Directory
    from maixfs.fat.names import NewName
    from maixfs.fat.slots import Item
    from maixfs.fat.volume import Volume

Path = bytes | str


class Place(NamedTuple):
    """Where a path ended.

    ``item`` is what it names, ``None`` if there is nothing of that name in ``directory``, or if
    the path names the directory itself from within (``/``, an empty path, dots at the root):
    then ``name`` is ``None`` too.
    """

    directory: Directory
    item: Item | None
    name: NewName | None

    @property
    def has_no_name(self) -> bool:
        """Whether the path ends in dots or names the place where it starts."""
        return self.name is None or self.name.dot


def shown(path: Path) -> str:
    """Return a path for a message."""
    return path if isinstance(path, str) else oem_to_unicode(path)


def follow(volume: Volume, path: Path) -> Place:
    """Follow ``path`` from the root or the current directory.

    Raises ``NO_PATH`` where a folder on the way is missing or is a file, ``INVALID_NAME``,
    ``INT_ERR``, ``DISK_ERR``. As in FatFs, a name is looked at before its folder is.
    """
    text = path if isinstance(path, str) else path_text(path)
    folder = text[: text.rfind("/") + 1]
    known = volume.folders.get(folder)
    if known is not None:
        place = _in_folder(volume, known, text[len(folder) :])
        if place is not None:
            return place
    absolute, names = split_path(text)
    cluster = 0 if absolute else volume.cwd
    last = len(names) - 1
    for index, component in enumerate(names):
        name = make_name(component)
        directory = volume.directory(cluster)
        item = directory.find(name)
        if index == last and folder + component == text:
            volume.remember_folder(folder, cluster)
        if item is None:
            if not name.dot:
                if index < last:
                    raise fat_error(FResult.NO_PATH, shown(path))
                return Place(directory, None, name)
            # The root has no dot entries: whoever asks for them stays where he is.
            if index == last:
                return Place(directory, None, None)
            continue
        if index == last:
            return Place(directory, item, name)
        if not directory.is_folder(item):
            raise fat_error(FResult.NO_PATH, shown(path), "a file is taken for a folder")
        cluster = directory.first_cluster(item)
    return Place(volume.directory(cluster), None, None)


def _in_folder(volume: Volume, cluster: int, component: str) -> Place | None:
    """Return where a path ends whose folder is known; ``None`` for a longer look."""
    if not component or "\\" in component:
        return None
    name = make_name(component)
    directory = volume.directory(cluster)
    item = directory.find(name)
    return None if item is None and name.dot else Place(directory, item, name)


def find(volume: Volume, path: Path) -> tuple[Directory, Item]:
    """Return what ``path`` names; raises ``NO_FILE``, and ``INVALID_NAME`` for an origin."""
    place = follow(volume, path)
    if place.name is None:
        raise fat_error(FResult.INVALID_NAME, shown(path), "this names no entry")
    if place.item is None:
        raise fat_error(FResult.NO_FILE, shown(path))
    return place.directory, place.item


def find_named(volume: Volume, path: Path) -> tuple[Directory, Item]:
    """Return what ``path`` names, which must not be dots (``INVALID_NAME``)."""
    place = follow(volume, path)
    if place.item is not None and place.has_no_name:
        raise fat_error(FResult.INVALID_NAME, shown(path), "dots name no entry here")
    if place.name is None:
        raise fat_error(FResult.INVALID_NAME, shown(path), "this names no entry")
    if place.item is None:
        raise fat_error(FResult.NO_FILE, shown(path))
    return place.directory, place.item


def find_slot(volume: Volume, folder: int, slot: int) -> tuple[Directory, Item]:
    """Return the entry in ``slot`` of the folder at cluster ``folder``; raises ``NO_FILE``."""
    directory = volume.directory(folder)
    item = directory.item_at(slot)
    if item is None:
        raise fat_error(FResult.NO_FILE, f"slot {slot} of the folder at cluster {folder:#x}")
    return directory, item


def find_directory(volume: Volume, path: Path) -> Directory:
    """Return the folder that ``path`` names; raises ``NO_PATH`` if there is none."""
    place = follow(volume, path)
    if place.name is None:
        return place.directory
    if place.item is None:
        raise fat_error(FResult.NO_PATH, shown(path))
    if not place.directory.is_folder(place.item):
        raise fat_error(FResult.NO_PATH, shown(path), "this is a file")
    return volume.directory(place.directory.first_cluster(place.item))
