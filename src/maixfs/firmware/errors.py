"""Errors of firmware images."""

from __future__ import annotations

from maixfs.errors import ImageError


class FirmwareError(ImageError):
    """No firmware image, or not one that would start.

    ``kind`` says why: ``blank``, ``zero``, ``cut``, ``flags``, ``length``, ``header`` (a payload
    without one), ``hash``, ``key``.
    """

    def __init__(self, message: str, *, kind: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
