"""The one family of errors that leaves this package.

Every error says in one line what is wrong, where (hex addresses) and, where there is one, the
mend in ``hint``. Errors that a program may want to catch as a builtin are also that builtin.
"""

from __future__ import annotations


class MaixfsError(Exception):
    """Base of all errors of maixfs.

    ``hint`` is one more line for a person: what to do about it, or ``None``.
    """

    hint: str | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class ImageError(MaixfsError, ValueError):
    """An image, a dump or a record in it is not what it should be."""


class UsageError(MaixfsError, ValueError):
    """The caller asked for something that cannot be (exit code 2 at the command line)."""
