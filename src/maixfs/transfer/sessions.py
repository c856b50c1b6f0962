"""The images of a copy, each opened once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType

from maixfs.errors import Command, NotFoundError
from maixfs.image.address import TargetPath
from maixfs.image.content import Content, host_content
from maixfs.image.entries import Where
from maixfs.image.errors import AmbiguousError
from maixfs.image.image import Image
from maixfs.image.opening import open_mounted


class Sessions:
    """Opens images on first use and closes them at the end of a ``with``.

    ``goal`` is the image to copy to, ``None`` for a local path. With ``writable`` it is opened
    for writing, and sources in the same file are read through it. ``where`` describes the goal,
    or the sources if the goal is local. ``images`` are open already and are left open.
    """

    def __init__(
        self,
        goal: TargetPath | None,
        where: Where,
        *,
        writable: bool = False,
        images: Sequence[Image] = (),
    ) -> None:
        self._goal = goal
        self._where = where
        self._writable = writable
        self._stack = ExitStack()
        self._targets = {_key(image.place): image for image in images}

    def target(self, place: TargetPath) -> Image:
        """Return the open image of a path; raises the errors of ``open_mounted``."""
        key = _key(place)
        if key not in self._targets:
            target = self._open(place)
            # An exception that leaves the ``with`` discards all changes that are not committed.
            self._targets[key] = self._stack.enter_context(target)
        return self._targets[key]

    @property
    def notes(self) -> list[str]:
        """Remarks about the open images, for the user."""
        return [note for target in self._targets.values() for note in target.remarks()]

    def _open(self, place: TargetPath) -> Image:
        is_goal = self._goal is not None and self.is_same(place, self._goal)
        # Geometry and base of the command are for one image only: the others are detected.
        where = self._where if is_goal or self._goal is None else Where()
        # Only the destination is locked: several copies may read one source at the same time.
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
                host = str(place.host)
                error.hint = "make an image, a board or a card first"
                error.fix = (
                    Command("mkfs", (host,)),
                    Command("new", (host,)),
                    Command("sd new", ("SIZE", host)),
                )
            raise
        except AmbiguousError as error:
            if not is_goal and self._goal is not None:
                # The base of the command is that of the goal: it cannot choose here.
                error.bases = ()
                error.hint = "unpack the area first, then copy its files"
                error.fix = (Command("unpack", ("--base", "ADDRESS", str(place.host), "DIR")),)
            raise

    def is_same(self, first: TargetPath, second: TargetPath) -> bool:
        """Return True if two paths are in the same image."""
        return _key(first) == _key(second)

    def content(self, place: TargetPath) -> Content:
        """Return the content of a file, local or in an image; it is read when needed."""
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
    # Two paths to one file must share a session: a second one could not lock it.
    slot = "" if place.slot is None else f"@{place.slot}"
    return f"{os.path.realpath(place.host)}{slot}"
