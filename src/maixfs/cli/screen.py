"""What a run writes: text, tables, progress and JSON; and the choices that decide how."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

import click

from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class Settings:
    """The choices for a run; options write them, the screen reads them.

    ``color`` is ``auto``, ``always`` or ``never``.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self.color = "auto"
        self.plain = False
        self.json = False
        self.bytes = False
        self.verb = ""
        self.emitted = False
        """Whether the JSON document of this run was printed."""
        self.debug = self._environment.get("MAIXFS_DEBUG", "") not in {"", "0"}

    def colored(self, stream: TextIO | None) -> bool:
        """Return True if ``stream`` gets colours.

        ``--color`` decides, then ``NO_COLOR`` (no-color.org), then ``FORCE_COLOR``; otherwise
        terminals get them, except dumb ones. ``--plain`` has none.
        """
        if self.plain or self.color == "never":
            return False
        if self.color == "always":
            return True
        if self._environment.get("NO_COLOR"):
            return False
        if self._environment.get("FORCE_COLOR", "0") != "0":
            return True
        return is_terminal(stream) and self._environment.get("TERM") != "dumb"


def is_terminal(stream: TextIO | None) -> bool:
    """Return True if a stream is a terminal."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def size_text(size: int) -> str:
    """Return a size in bytes as ``512 B``, ``1.5 KiB``, ``3.0 MiB``."""
    if abs(size) < 1024:
        return f"{size} B"
    amount, unit = size / 1024, "KiB"
    for larger in ("MiB", "GiB"):
        if abs(amount) >= 1023.95:
            amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}"


def unit_text(size: int) -> str:
    """Return a size in the largest unit that is exact: ``3 MiB``, ``128 KiB``, ``256 bytes``."""
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if size and size % unit == 0:
            return f"{size // unit} {name}"
    return count_text(size, "byte")


def hex_text(address: int) -> str:
    """Return an address as ``0xD00000``."""
    return f"0x{address:06X}"


def range_text(start: int, end: int) -> str:
    """Return a range of addresses as ``0x300000-0x4D2000``."""
    return f"{hex_text(start)}-{hex_text(end)}"


def count_text(count: int, one: str, many: str | None = None) -> str:
    """Return ``1 file``, ``5 files``."""
    return f"{count} {one}" if count == 1 else f"{count} {many or one + 's'}"


def percent_text(part: int, whole: int) -> str:
    """Return a share as ``41 %``; a share that rounds to zero is ``<1 %``."""
    if whole <= 0 or part <= 0:
        return "0 %"
    share = part * 100 // whole
    return f"{share} %" if share else "<1 %"


def printable(text: str) -> str:
    r"""Return ``text`` with control and unprintable characters as escapes.

    Invalid UTF-8 (surrogate escapes) and ASCII controls become ``\xNN``, other unprintable
    characters ``\uNNNN``.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(ord(char)) for char in text)


def _escaped(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def as_escapes(error: UnicodeError) -> tuple[str, int]:
    """Encode characters that a stream cannot encode as the escapes of their UTF-8 bytes.

    A path can be typed as it was printed. For ``codecs.register_error``.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    raw = error.object[error.start : error.end].encode("utf-8", "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in raw), error.end


def cell_width(text: str) -> int:
    """Return the columns that ``text`` takes on a terminal."""
    if all(letter < "\u0300" or "\u2500" <= letter <= "\u259f" for letter in text):
        return len(text)  # Latin letters, and what trees and bars are drawn with
    from rich.cells import cell_len

    return cell_len(text)


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
"""Colours by meaning; the text says the same without them."""


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
    """Whether its cells are aligned to the right, as numbers are."""
    spare: bool = False
    """Whether it is dropped on a narrow terminal."""


class Screen:
    """Stdout and stderr for one run of one verb."""

    def __init__(self, settings: Settings, verb: str) -> None:
        self.settings = settings
        self.verb = verb

    @property
    def json(self) -> bool:
        """Whether the result is printed as JSON."""
        return self.settings.json

    @property
    def plain(self) -> bool:
        """Whether drawings and alignment are off, for screen readers."""
        return self.settings.plain

    def size(self, size: int) -> str:
        """Return a size in bytes in the unit that the user chose."""
        return count_text(size, "byte") if self.settings.bytes else size_text(size)

    def cell(self, size: int) -> str:
        """Return a size for a table; with ``--bytes`` it is a bare number."""
        return str(size) if self.settings.bytes and not self.plain else self.size(size)

    def emit(self, result: dict[str, Any]) -> None:
        """Print the result as JSON, after the version of its schema and the verb."""
        import json

        # Set first: an error while this is printed must not add a second document.
        self.settings.emitted = True
        document = {"maixfs": SCHEMA, "verb": self.verb, **result}
        click.echo(json.dumps(document, indent=2))

    def line(self, *parts: Part) -> None:
        """Write one line to stdout."""
        self._write(sys.stdout, parts)

    def note(self, *parts: Part) -> None:
        """Write a note to stderr."""
        self._write(sys.stderr, ("note: ", *parts))

    def error(self, message: str, *hints: str | None) -> None:
        """Write an error to stderr, and under it what to do about it, a line for each hint."""
        self._write(sys.stderr, (Text("error:", "bad"), " ", message))
        for hint in filter(None, hints):
            self._write(sys.stderr, ("  ", Text("hint:", "hint"), " ", hint))

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[Part]]) -> None:
        """Print rows under headings; a table without headings has only rows.

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
        """Print names and values; on a terminal long values are folded."""
        width = max((len(name) for name, _ in rows), default=0)
        for name, value in rows:
            if self.plain:
                self.line(f"{name}: ", value)
                continue
            self.paragraph("  ", Text(name.ljust(width), "dim"), value, gap=2)

    def paragraph(self, indent: str, label: Text, value: Part, gap: int = 1) -> None:
        """Print a label and a text; on a terminal the text is folded beside the label."""
        start = len(indent) + cell_width(shown(label)) + gap
        first, *rest = _folded(value, self.width() - start)
        self.line(indent, label, " " * gap, first)
        for part in rest:
            self.line(" " * start, part)

    def width(self) -> int:
        """Return the columns of the terminal; a pipe has no limit."""
        if not is_terminal(sys.stdout):
            return sys.maxsize
        import shutil

        return shutil.get_terminal_size().columns

    def bar(self, part: int, whole: int, role: str = "dim") -> Part:
        """Return a bar for a share, or ``""`` in plain text, which has the percentage."""
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
        """Return True if stdout can encode these characters."""
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
    """Return a part as it is printed, without colours."""
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
    """Return a row padded to its columns, without trailing blanks."""
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


PATIENCE = 0.5
"""Seconds before the bar appears."""
INTERVAL = 0.1
"""Seconds between two drawings."""


class Progress:
    """A bar for work that takes over half a second: on stderr, on a terminal.

    Called with ``(phase, done, total)``; the bar disappears at the end of the ``with``.

    With ``--plain`` each phase is named once, on a line of its own. ``rates`` is for counts of
    bytes: it adds the rate and the time left. ``clock`` returns seconds.
    """

    def __init__(
        self,
        screen: Screen,
        clock: Callable[[], float] = time.monotonic,
        *,
        rates: bool = False,
    ) -> None:
        self._screen = screen
        self._rates = rates
        self._clock = clock
        # Not stdout: the bar is of use while the result goes into a file.
        self._visible = is_terminal(sys.stderr)
        self._started = clock()
        self._drawn = 0.0
        self._phase = ""
        self._bar: Bar | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Show the progress of a phase."""
        now = self._clock()
        if not self._visible or now - self._started < PATIENCE:
            return
        if self._screen.plain:
            self._name(phase)
        # The last step is always drawn, so that a phase does not end at 99 %.
        elif phase != self._phase or done >= total or now - self._drawn >= INTERVAL:
            self._drawn = now
            self._draw(phase, done, total)

    def _name(self, phase: str) -> None:
        if phase != self._phase:
            self._phase = phase
            click.echo(f"{phase} ...", err=True)

    def _draw(self, phase: str, done: int, total: int) -> None:
        if self._bar is None:
            # Only now: importing rich takes longer than most verbs run.
            self._bar = _make_bar(self._screen, self._rates)
            self._bar.start()
        if phase != self._phase:
            self._phase = phase
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(phase, total=total)
        self._bar.update(self._bar.task_ids[-1], completed=done, total=total)
        self._bar.refresh()


def _make_bar(screen: Screen, rates: bool) -> Bar:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        ProgressColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bar

    console = Console(
        file=sys.stderr, no_color=not screen.settings.colored(sys.stderr), highlight=False
    )
    columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False), BarColumn()]
    columns.append(TaskProgressColumn())
    if rates:
        columns += [TransferSpeedColumn(), TimeRemainingColumn()]
    return Bar(*columns, console=console, auto_refresh=False, transient=True)
