"""Fixes by name: each changes as few files of /flash as can be, and loses none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maixfs.image.image import Image

Fix = Callable[["Image"], Iterator[str]]
"""Changes an open target; yields a sentence for each thing that it did."""
_PUT_ASIDE = ".off"


def _freq(target: Image) -> Iterator[str]:
    """Correct the values in ``/freq.conf`` that hang the board; keep all others."""
    from maixfs.firmware import FreqConf
    from maixfs.firmware.freqconf import examine

    path = _path(target, "freq.conf")
    if not target.exists(path):
        return
    # From what is stored, not from what the board uses: values that it replaces silently stay as
    # they are.
    stored = examine(target.read_bytes(path)).stored
    fixed = stored.fixed()
    if fixed == stored:
        return
    target.write_bytes(path, fixed.pack())
    for field, old, new in zip(FreqConf.fields, stored, fixed, strict=True):
        if old != new:
            yield f"{path}: {field.name} {old} is {new} now"


def _aside(name: str) -> Fix:
    """Return the fix that gives a file another name, under which nothing looks for it."""

    def fix(target: Image) -> Iterator[str]:
        path = _path(target, name)
        if target.exists(path):
            new = _free_name(target, path + _PUT_ASIDE)
            target.rename(path, new)
            yield f"{path} is called {new} now"

    return fix


def _ide(target: Image) -> Iterator[str]:
    """Remove the file that puts the board into its IDE's mode, as the board itself would."""
    path = _path(target, "ide_mode.conf")
    if target.exists(path):
        target.remove(path)
        yield f"{path} is gone"


def _names(target: Image) -> Iterator[str]:
    """Give names a slash in front, and slashes for backslashes."""
    volume = target.spiffs
    taken = {entry.native.raw_name for entry in volume.files()}
    # A copy: each rename moves an index header, and the list of files with it.
    for entry in list(volume.files()):
        old = entry.native.raw_name
        new = b"/" + old.replace(b"\\", b"/").lstrip(b"/")
        # Tools that take a path for a name store the mount point too.
        new = new.removeprefix(b"/flash") if new.startswith(b"/flash/") else new
        # Two files may be meant by one name; renaming onto an existing one would lose it.
        while new != old and new in taken:
            new += _PUT_ASIDE.encode()
        if new == old or len(new) >= volume.geometry.name_length:
            continue
        target.rename(entry.path, volume.label(new))
        taken.add(new)
        shown = (name.decode("utf-8", "backslashreplace") for name in (old, new))
        yield " is called ".join(shown) + " now"


FIXES: dict[str, Fix] = {
    "freq": _freq,
    "boot": _aside("boot.py"),
    "main": _aside("main.py"),
    "config": _aside("config.json"),
    "ide": _ide,
    "names": _names,
}
"""By the name that findings use."""


def _path(target: Image, name: str) -> str:
    return f"{target.spiffs.mount.point.rstrip('/')}/{name}"


def _free_name(target: Image, path: str) -> str:
    while target.exists(path):
        path += _PUT_ASIDE
    return path
