"""Errors of packages."""

from __future__ import annotations

from maixfs.errors import ImageError


class KfpkgError(ImageError):
    """A package cannot be read, or cannot be made of what was given.

    ``member`` is the file in the package that it is about, or ``None``.
    """

    def __init__(
        self, message: str, *, member: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message if member is None else f"{member}: {message}", hint=hint)
        self.member = member

    def inside(self, package: str) -> KfpkgError:
        """Return the same error with the name of the package in front."""
        named = KfpkgError(f"{package}: {self}", hint=self.hint)
        named.member = self.member
        return named
