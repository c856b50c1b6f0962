"""The targets that a copy touches, each opened once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from maixfs.errors import NotFoundError
from maixfs.image.address import TargetPath
from maixfs.image.content import Content, host_content
from maixfs.image.entries import Kind, Where
from maixfs.image.errors import AmbiguousError
from maixfs.image.image import Image
from maixfs.image.opening import open_mounted

if TYPE_CHECKING:
    from maixfs.spiffs import Geometry


class Sessions:
    """Opens targets when they are asked for and closes them at the end of a ``with``.

    ``goal`` is the target that a copy goes to (``None``: the host); with ``writable`` it is
    opened for changing, and a source in the same file is then read from it as well. ``where``
    is said of the goal, or of the sources where that is the host; ``known`` are geometries that
    were found before, by real path; ``images`` are open already and stay their owner's.
    """

    def __init__(
        self,
        goal: TargetPath | None,
        where: Where,
        *,
        known: Mapping[str, Geometry] | None = None,
        writable: bool = False,
        images: Sequence[Image] = (),
    ) -> None:
        self._goal = goal
        self._where = where
        self._known = known or {}
        self._writable = writable
        self._stack = ExitStack()
        self._targets = {_key(image.place): image for image in images}

    def target(self, place: TargetPath) -> Image:
        """Return the open target of a place; raises as ``open_mounted``."""
        key = _key(place)
        if key not in self._targets:
            target = self._open(place, key)
            # Left by an exception, what was not committed is discarded.
            self._targets[key] = self._stack.enter_context(target)
        return self._targets[key]

    @property
    def geometries(self) -> dict[str, Geometry]:
        """The geometry of each flash and SPIFFS image that is open."""
        return {
            key: target.spiffs.geometry
            for key, target in self._targets.items()
            if target.kind in (Kind.FLASH_IMAGE, Kind.SPIFFS_IMAGE)
        }

    @property
    def notes(self) -> list[str]:
        """What is to be said of the targets that are open."""
        return [note for target in self._targets.values() for note in target.said()]

    def _open(self, place: TargetPath, key: str) -> Image:
        is_goal = self._goal is not None and self.is_same(place, self._goal)
        where = self._where if is_goal or self._goal is None else Where()
        if key in self._known:
            where = Where(self._known[key])
        writable = self._writable and is_goal
        try:
            return open_mounted(
                place,
                "r+" if writable else "r",
                geometry=where.geometry,
                base=where.base,
                drives=self._where.drives,
                force=self._where.force,
            )
        except NotFoundError as error:
            if is_goal and not place.host.exists():
                host = place.host
                error.hint = (
                    f"maixfs mkfs {host} makes an image, maixfs new {host} a board,"
                    f" maixfs sd new SIZE {host} a card"
                )
            raise
        except AmbiguousError as error:
            if not is_goal and self._goal is not None:
                host = place.host
                error.hint = f"take its files out first: maixfs unpack --base ADDRESS {host} DIR"
            raise

    def is_same(self, one: TargetPath, other: TargetPath) -> bool:
        """Tell whether two places are in the same target."""
        return _key(one) == _key(other)

    def content(self, place: TargetPath) -> Content:
        """Return what is in a file, of the host's or in a target; it is read when needed."""
        if place.path is None:
            return host_content(place.host)
        return self.target(place).content(place.path)

    def __enter__(self) -> Sessions:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def _key(place: TargetPath) -> str:
    slot = "" if place.slot is None else f"@{place.slot}"
    return f"{os.path.realpath(place.host)}{slot}"
