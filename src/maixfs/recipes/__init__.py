"""Whole flash images: built from a recipe, checked before anything is written, split again.

    built = build("recipe.toml")          # or a table: {"firmware": "maixpy.bin", ...}
    Path("flash.bin").write_bytes(built.image)

    parts = split(flash)                  # files, and the recipe that builds the same flash

``plan`` shows what would be written where, with all conflicts; ``assemble`` and ``apply`` carry it
out. The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.recipes.compose import (
        Built,
        ComposeError,
        Plan,
        Span,
        apply,
        assemble,
        build,
        guess_layout,
        plan,
    )
    from maixfs.recipes.conflicts import FLASHERS, Conflict, Flasher
    from maixfs.recipes.pieces import Piece, RecipeError, kind_of, parts_of, pieces_of
    from maixfs.recipes.recipe import Recipe, make_recipe, named_layout, read_recipe
    from maixfs.recipes.splitting import RECIPE_NAME, Split, SplitPart, split

__all__ = [
    "FLASHERS",
    "RECIPE_NAME",
    "Built",
    "ComposeError",
    "Conflict",
    "Flasher",
    "Piece",
    "Plan",
    "Recipe",
    "RecipeError",
    "Span",
    "Split",
    "SplitPart",
    "apply",
    "assemble",
    "build",
    "guess_layout",
    "kind_of",
    "make_recipe",
    "named_layout",
    "parts_of",
    "pieces_of",
    "plan",
    "read_recipe",
    "split",
]

__getattr__ = lazy_names(
    __name__,
    {
        "compose": (
            "Built",
            "ComposeError",
            "Plan",
            "Span",
            "apply",
            "assemble",
            "build",
            "guess_layout",
            "plan",
        ),
        "conflicts": ("FLASHERS", "Conflict", "Flasher"),
        "pieces": ("Piece", "RecipeError", "kind_of", "parts_of", "pieces_of"),
        "recipe": ("Recipe", "make_recipe", "named_layout", "read_recipe"),
        "splitting": ("RECIPE_NAME", "Split", "SplitPart", "split"),
    },
)
