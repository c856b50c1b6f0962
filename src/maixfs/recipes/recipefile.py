"""A table of a recipe: every value is checked, and each error names its key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from maixfs.recipes.ingredients import RecipeError

_HIGHEST = 1 << 32


class RecipeTable:
    """A table of a recipe; ``where`` is what errors call it."""

    def __init__(self, values: Any, where: str, known: Sequence[str]) -> None:
        self.where = where
        if not isinstance(values, Mapping):
            self.fail("", "is no table")
        self._values = values
        for key in values:
            if key not in known:
                self.fail(str(key), "is no key here", hint=f"there are {', '.join(known)}")

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def fail(self, key: str, what: str, *, hint: str | None = None) -> NoReturn:
        """Raise the error about ``key``."""
        name = f"{self.where}: {key}" if key else self.where
        raise RecipeError(f"{name} {what}", hint=hint)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text; without default it must be there."""
        value = self._values.get(key, default)
        if not isinstance(value, str) or (not value and default is None) or "\0" in value:
            self.fail(key, "is missing" if value is None else "is no text")
        return value

    def number(self, key: str, default: int | None = None) -> int:
        """Return a number from 0 to 2^32 - 1; without default it must be there."""
        value = self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(key, "is missing" if value is None else "is no whole number")
        if not 0 <= value < _HIGHEST:
            self.fail(key, f"is not from 0 to {_HIGHEST - 1:#x}")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """Return true or false."""
        value = self._values.get(key, default)
        if not isinstance(value, bool):
            self.fail(key, "is neither true nor false")
        return value

    def one_of(self, first: str, second: str) -> str:
        """Return the text of the one key of the two that is there."""
        if (first in self) is (second in self):
            self.fail("", f"needs either {first} or {second}")
        return self.text(first if first in self else second)

    def tables(self, key: str, known: Sequence[str]) -> list[RecipeTable]:
        """Return the tables ``[[key]]``."""
        return self.given(key, self._values.get(key, []), known)

    def given(self, key: str, rows: Any, known: Sequence[str]) -> list[RecipeTable]:
        """Return ``rows`` as tables."""
        if isinstance(rows, Mapping):  # [key], a table alone
            rows = [rows]
        if not isinstance(rows, list):
            self.fail(key, f"is no table: write [[{key}]]")
        many = len(rows) > 1
        return [
            RecipeTable(row, f"{self.where}: {key}{f' {nr}' if many else ''}", known)
            for nr, row in enumerate(rows, 1)
        ]
