"""Packages for flashers: the recipe that makes one again, and what other flashers destroy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from maixfs.recipes.compose import Plan, guess_layout, plan
from maixfs.recipes.conflicts import FLASHERS, Conflict
from maixfs.recipes.pieces import Piece, pieces_of

if TYPE_CHECKING:
    from maixfs.kfpkg import Part


def package_recipe(parts: Sequence[Part], names: Mapping[str, str]) -> str:
    """Return a recipe for a package whose files were extracted under ``names``."""
    return "\n".join(_recipe_lines(parts, names)) + "\n"


def _recipe_lines(parts: Sequence[Part], names: Mapping[str, str]) -> Iterator[str]:
    yield f'layout = "{guess_layout(pieces_of(tuple(parts))).name}"'
    for part in parts:
        yield ""
        # Not by contents: what had a header added must get one again, and nothing else may.
        yield "[[firmware]]" if part.sha256_prefix else "[[raw]]"
        yield f"file = {json.dumps(names[part.name])}"
        yield f"address = 0x{part.address:06X}"
        if part.is_reversed and not part.sha256_prefix:
            yield "reverse = true"


def padding_conflicts(pieces: tuple[Piece, ...], planned: Plan) -> list[Conflict]:
    """Return as warnings what the zeros that other flashers add would destroy."""
    warnings: dict[str, Conflict] = {}
    for name in FLASHERS:
        # The package is made for one flasher, and nothing keeps others from using it: what their
        # padding destroys is a warning.
        other = plan(pieces, planned.layout, flasher=name, size=planned.size)
        for conflict in other.errors:
            if conflict.key == "padding":
                text = f"not with the flasher {name}: {conflict.message}"
                warning = conflict._replace(is_error=False, message=text)
                warnings.setdefault(conflict.message, warning)
    return list(warnings.values())
