"""What verbs write to: lines, tables, JSON. No name can drive the terminal from here.

Text is made of parts; each part is stripped of what a terminal would obey before colours are
put around it, so a verb may hand over names as they lie on flash.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, TextIO, TypeAlias

import click

from maixfs.cli.settings import Settings, is_terminal
from maixfs.cli.wording import cell_width, count_text, printable, size_text

SCHEMA = 1
"""Version of what ``--json`` prints; goes up when a key changes its meaning or goes away."""

ROLES: dict[str, dict[str, Any]] = {
    "folder": {"fg": "blue", "bold": True},
    "heading": {"bold": True},
    "dim": {"dim": True},
    "good": {"fg": "green"},
    "warning": {"fg": "yellow"},
    "bad": {"fg": "red", "bold": True},
    "hint": {"fg": "cyan"},
}
"""Colours by meaning; the words say the same without them."""


BAR_WIDTH = 12
"""Columns of a bar."""
_BAR = ("▇", "▁")
_TYPED_BAR = ("#", ".")
_GAP = "  "


class Text(NamedTuple):
    """A piece of text with a role of ``ROLES``."""

    text: str
    role: str


Part: TypeAlias = str | Text


class Column(NamedTuple):
    """A column of a table."""

    heading: str
    right: bool = False
    """Whether its cells end at one edge, as numbers do."""
    spare: bool = False
    """Whether it goes where the terminal is too narrow for all."""


class Screen:
    """Stdout and stderr for one run of one verb."""

    def __init__(self, settings: Settings, verb: str) -> None:
        self.settings = settings
        self.verb = verb

    @property
    def json(self) -> bool:
        """Whether the result goes out as JSON instead of text."""
        return self.settings.json

    @property
    def plain(self) -> bool:
        """Whether to do without drawings and alignment (for screen readers)."""
        return self.settings.plain

    def size(self, size: int) -> str:
        """Return a size in bytes in the unit that the user wants."""
        return count_text(size, "byte") if self.settings.bytes else size_text(size)

    def cell(self, size: int) -> str:
        """Return the same for a table, where exact sizes are bare numbers."""
        return str(size) if self.settings.bytes and not self.plain else self.size(size)

    def emit(self, result: dict[str, Any]) -> None:
        """Write the result as JSON, with the version of its schema and the verb in front."""
        import json

        self.settings.emitted = True
        document = {"maixfs": SCHEMA, "verb": self.verb, **result}
        click.echo(json.dumps(document, indent=2))

    def line(self, *parts: Part) -> None:
        """Write one line to stdout."""
        self._write(sys.stdout, parts)

    def note(self, *parts: Part) -> None:
        """Write one line to stderr that is no error."""
        self._write(sys.stderr, ("note: ", *parts))

    def error(self, message: str, hint: str | None = None) -> None:
        """Write an error, and under it what to do about it, to stderr."""
        self._write(sys.stderr, (Text("error:", "bad"), " ", message))
        if hint:
            self._write(sys.stderr, ("  ", Text("hint:", "hint"), " ", hint))

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[Part]]) -> None:
        """Write rows under headings; a table without headings has only rows.

        With ``plain`` each row is a line of headings and cells, without padding.
        """
        if self.plain:
            for row in rows:
                self.line(*_spoken(columns, row))
            return
        grid = list(rows)
        if any(column.heading for column in columns):
            grid.insert(0, [Text(column.heading, "dim") for column in columns])
        widths = [
            max((cell_width(shown(row[at])) for row in grid), default=0)
            for at in range(len(columns))
        ]
        kept = [*range(len(columns))]
        if sum(widths) + len(_GAP) * (len(widths) - 1) > self.width():
            kept = [at for at in kept if not columns[at].spare]
        for row in grid:
            self.line(*_aligned([(columns[at], row[at], widths[at]) for at in kept]))

    def facts(self, rows: Sequence[tuple[str, Part]]) -> None:
        """Write names and values under a heading; on a terminal long values are folded."""
        width = max((len(name) for name, _ in rows), default=0)
        for name, value in rows:
            if self.plain:
                self.line(f"{name}: ", value)
                continue
            self.paragraph("  ", Text(name.ljust(width), "dim"), value, gap=2)

    def paragraph(self, indent: str, label: Text, value: Part, gap: int = 1) -> None:
        """Write a label and what it is about; on a terminal folded under its first letter."""
        start = len(indent) + cell_width(shown(label)) + gap
        first, *rest = _folded(value, self.width() - start)
        self.line(indent, label, " " * gap, first)
        for part in rest:
            self.line(" " * start, part)

    def width(self) -> int:
        """Return the columns of the terminal; a pipe takes lines of any length."""
        if not is_terminal(sys.stdout):
            return sys.maxsize
        import shutil

        return shutil.get_terminal_size().columns

    def bar(self, part: int, whole: int, role: str = "dim") -> Part:
        """Return a bar for a share; none in plain text, where the percentage stands beside it."""
        if self.plain or whole <= 0:
            return ""
        full, empty = _BAR if self.can_draw("".join(_BAR)) else _TYPED_BAR
        filled = min(BAR_WIDTH, -(-part * BAR_WIDTH // whole))
        return Text(full * filled + empty * (BAR_WIDTH - filled), role)

    def gauge(self, part: int, whole: int) -> Part:
        """Return a bar that is green, from three quarters yellow, from nine tenths red."""
        role = "good" if part * 4 < whole * 3 else "warning" if part * 10 < whole * 9 else "bad"
        return self.bar(part, whole, role)

    def can_draw(self, characters: str) -> bool:
        """Tell whether stdout has these characters."""
        try:
            characters.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            return False
        return True

    def _write(self, stream: TextIO | None, parts: Sequence[Part]) -> None:
        colored = self.settings.colored(stream)
        text = "".join(_rendered(part, colored) for part in parts)
        click.echo(text.rstrip() if not colored else text, file=stream, color=colored)


def shown(part: Part) -> str:
    """Return a part as it is seen."""
    return printable(part.text if isinstance(part, Text) else part)


def _rendered(part: Part, colored: bool) -> str:
    text = shown(part)
    if not colored or not isinstance(part, Text) or not text:
        return text
    return click.style(text, **ROLES[part.role])


def _folded(part: Part, width: int) -> list[Part]:
    """Return a part in lines of at most ``width`` columns; long words stay whole."""
    text = shown(part)
    if cell_width(text) <= width:
        return [part]
    import textwrap

    lines = textwrap.wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False)
    return [Text(line, part.role) if isinstance(part, Text) else line for line in lines]


def _aligned(cells: list[tuple[Column, Part, int]]) -> list[Part]:
    """Return a row with its blanks; none behind its last cell that is not empty."""
    while cells and not shown(cells[-1][1]):
        cells.pop()
    parts: list[Part] = []
    for column, cell, width in cells:
        room = " " * (width - cell_width(shown(cell)))
        parts += [_GAP, room, cell] if column.right else [_GAP, cell, room]
    return parts[1:] if not cells or cells[-1][0].right else parts[1:-1]


def _spoken(columns: Sequence[Column], row: Sequence[Part]) -> list[Part]:
    parts: list[Part] = []
    for column, cell in zip(columns, row, strict=True):
        if not shown(cell).strip():
            continue
        label = f"{column.heading} " if column.heading else ""
        parts += [", " if parts else "", label, cell]
    return parts
