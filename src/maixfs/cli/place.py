"""The argument ``TARGET:PATH``: what stands for it when it is left out, and its completion."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.failures import WrongUsage

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

DEFAULT_BOARD = "board"
"""The board's folder that is meant where none is named."""


def default_board() -> str | None:
    """Return the board beside the user, ``None`` where there is none."""
    marker = os.path.join(DEFAULT_BOARD, "board.toml")  # noqa: PTH118 - no pathlib for --help
    return DEFAULT_BOARD if os.path.isfile(marker) else None  # noqa: PTH113


def missing_target(verb: str) -> WrongUsage:
    """Return the error for a verb without a target where there is no board beside the user."""
    return WrongUsage(
        f"{verb} of what? There is no board in the folder {DEFAULT_BOARD!r} here",
        hint=f"name a target: maixfs {verb} IMAGE; or make a board: maixfs new {DEFAULT_BOARD}",
    )


class PlaceType(click.ParamType):  # type: ignore[type-arg]
    """``TARGET`` or ``TARGET:PATH`` as text; ``:PATH`` becomes a path on the default board."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Put the default board in where the text begins with a colon."""
        text = str(value)
        if not text.startswith(":"):
            return text
        board = default_board()
        if board is None:
            raise missing_target(ctx.info_name or "" if ctx else "")
        return board + text

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete host files, and names in a target behind its colon."""
        from maixfs.cli.completing import complete_place

        return complete_place(incomplete)


class WholeType(click.ParamType):  # type: ignore[type-arg]
    """A whole target, there or to be made, as text: no path in one."""

    name = "target"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse ``TARGET:PATH``; of ``TARGET:`` the colon goes."""
        from maixfs.image.address import parse_target

        place = parse_target(str(value))
        if place.path:
            text = f"{value!r} names a path in a target; {place.whole} is the whole one"
            self.fail(text, param, ctx)
        return str(value) if place.path is None else str(place.whole)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Leave it to the shell: it is a file of the host."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


PLACE = PlaceType()
WHOLE = WholeType()


def places_or_default(places: tuple[str, ...], verb: str) -> tuple[str, ...]:
    """Return ``places``, or the default board where there are none."""
    if places:
        return places
    board = default_board()
    if board is None:
        raise missing_target(verb)
    return (board,)
