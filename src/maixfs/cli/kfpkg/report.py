"""What is said of a plan: who comes to lie where, and what would go wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from maixfs.cli.screen import Column, Screen, Text
from maixfs.cli.wording import hex_text

if TYPE_CHECKING:
    from maixfs.recipes import Conflict, Plan

_COLUMNS = (
    Column("address"),
    Column("end"),
    Column("size", right=True),
    Column("kind"),
    Column("name"),
    Column("owner", spare=True),
)


def draw_plan(screen: Screen, planned: Plan) -> None:
    """Write who comes to lie where."""
    rows = [
        (
            hex_text(one.start),
            hex_text(one.end),
            screen.cell(one.end - one.start),
            one.kind,
            one.name,
            Text(", ".join(one.owners) or "nobody", "dim"),
        )
        for one in planned.spans
    ]
    screen.table(_COLUMNS, rows)


def draw_conflicts(screen: Screen, conflicts: Iterable[Conflict]) -> None:
    """Write to stderr what is refused, and what is only told."""
    for one in conflicts:
        if one.is_error:
            screen.error(one.message, one.hint)
        else:
            screen.note(one.message + (f"; {one.hint}" if one.hint else ""))


def refused(screen: Screen, planned: Plan) -> bool:
    """Write what would go wrong; tell whether nothing may be written."""
    if screen.json:
        if planned.errors:
            screen.emit({"written": None, **plan_json(planned)})
        return bool(planned.errors)
    draw_conflicts(screen, planned.conflicts)
    if planned.errors:
        screen.note("nothing was written")
    return bool(planned.errors)


def plan_json(planned: Plan) -> dict[str, Any]:
    """Return what ``--json`` says of a plan."""
    return {
        "layout": planned.layout.name,
        "chip_size": planned.size,
        "flasher": planned.flasher.name if planned.flasher else None,
        "parts": [
            {
                "name": one.name,
                "kind": one.kind,
                "start": one.start,
                "end": one.end,
                "padding": one.padding,
                "owners": list(one.owners),
            }
            for one in planned.spans
        ],
        "conflicts": [conflict_json(one) for one in planned.conflicts],
    }


def conflict_json(conflict: Conflict) -> dict[str, Any]:
    """Return what ``--json`` says of something that would go wrong."""
    return dict(conflict._asdict())
