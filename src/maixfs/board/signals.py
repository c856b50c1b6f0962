"""What ends a script from within: neither may be caught by ``except Exception``."""

from __future__ import annotations


class BoardReset(BaseException):
    """The script pressed reset: the board starts again from nothing but its flash."""
