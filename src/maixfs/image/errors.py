"""What can be wrong with a target: its host file, what it holds, a path in it, its room."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from maixfs.errors import ImageError, MaixfsError

if TYPE_CHECKING:
    from maixfs.errors import Step
    from maixfs.finding import Finding
    from maixfs.image.identify import Identification


class TargetError(MaixfsError):
    """A target cannot do what was asked; the message says where."""


class NoFileSystemError(TargetError, ImageError):
    """The host's file holds no SPIFFS that could be found or that fits.

    ``identification`` is what it is instead, where that was found out.
    """

    identification: Identification | None = None


class AmbiguousError(TargetError, ImageError):
    """The image holds several file systems; ``bases`` are their addresses."""

    bases: tuple[int, ...] = ()


class MissingError(TargetError, FileNotFoundError):
    """There is no file of that path in the target, or nothing at all on the host."""

    errno = errno.ENOENT


class TakenError(TargetError, FileExistsError):
    """There is something of that path already."""

    errno = errno.EEXIST


class FolderError(TargetError, IsADirectoryError):
    """The path is a folder, where a file is needed."""

    errno = errno.EISDIR


class ImageBusyError(TargetError):
    """Another process is changing the image; ``pid`` is that process, ``None``: not known."""

    def __init__(self, message: str, pid: int | None, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.pid = pid


class UnreadableError(TargetError):
    """The file is there, but its pages are damaged."""


class UnsoundError(TargetError):
    """An edit of a damaged file system could destroy other files; ``findings`` says how."""

    def __init__(
        self, message: str, findings: tuple[Finding, ...], *, fix: tuple[Step, ...]
    ) -> None:
        steps = [step for step in findings[0].fix if isinstance(step, str)]
        super().__init__(message, hint="; ".join(steps), fix=fix)
        self.findings = findings
