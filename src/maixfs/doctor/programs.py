"""Rules about what runs, or does not, when a board starts: programs, settings, and the card."""

from __future__ import annotations

from collections.abc import Iterator

from maixfs.doctor.boot import CONFIG_JSON, IDE_MODE
from maixfs.doctor.subject import Subject
from maixfs.finding import Command, Cost, Finding, Severity, Step, kind, rule
from maixfs.firmware import freqconf

BOOT, MAIN = "/boot.py", "/main.py"
_NO_UPLOAD = (
    "it runs at each start, before a tool can reach the board: erasing all of the flash"
    " is what people do then, and it is not needed"
)


def _fix(name: str) -> tuple[Step, ...]:
    return (Command("doctor", ("{image}", "--fix", name, "{output}")),)


FREQ_CONF = kind(
    "freq-conf",
    Severity.ERROR,
    "/freq.conf holds values with which the board hangs, or which the firmware replaces.",
    why="the firmware takes the size of its heap from this file without looking at it",
    fix=_fix("freq"),
)


@rule("board", Cost.METADATA, FREQ_CONF)
def _freq_conf(subject: Subject) -> Iterator[Finding]:
    content = subject.read(freqconf.NAME)
    if content is None:
        return
    report = freqconf.examine(content)
    for problem in report.problems:
        yield FREQ_CONF.found(f"{freqconf.NAME}: {problem}", paths=[freqconf.NAME])
    for remark in report.remarks:
        text = f"{freqconf.NAME}: {remark}"
        yield FREQ_CONF.found(text, severity=Severity.NOTE, why="", fix=(), paths=[freqconf.NAME])


CONFIG_NOT_JSON = kind(
    "config-json",
    Severity.WARNING,
    "/config.json is not valid JSON.",
    why="it names pins of the board; the firmware cannot read it",
    fix=_fix("config"),
)
CONFIG_SD = kind(
    "config-sd",
    Severity.NOTE,
    "/config.json names the pins of the card.",
    why="with the file of another board no card mounts until the flash is erased",
    fix=_fix("config"),
)


@rule("board", Cost.CONTENT, CONFIG_NOT_JSON, CONFIG_SD)
def _config_json(subject: Subject) -> Iterator[Finding]:
    import json  # not at the top: a shallow examination needs none of these

    content = subject.programs.get(CONFIG_JSON)
    if content is None:
        return
    try:
        settings = json.loads(content)
    except (ValueError, RecursionError) as error:
        text = f"{CONFIG_JSON} is not valid JSON: {error}"
        yield CONFIG_NOT_JSON.found(text, paths=[CONFIG_JSON])
        return
    if isinstance(settings, dict) and any("sd" in str(key).lower() for key in settings):
        yield CONFIG_SD.found(f"{CONFIG_JSON} names the pins of the card", paths=[CONFIG_JSON])


WAITS_FOR_IDE = kind(
    "ide-mode",
    Severity.WARNING,
    "/ide_mode.conf makes the board wait for its IDE at its next start.",
    why="the IDE leaves it when it connects; neither boot.py nor main.py runs, once",
    fix=_fix("ide"),
)


@rule("board", Cost.METADATA, WAITS_FOR_IDE)
def _ide_mode(subject: Subject) -> Iterator[Finding]:
    if _has(subject, IDE_MODE):
        text = f"{IDE_MODE} is there: at its next start the board waits for its IDE"
        yield WAITS_FOR_IDE.found(text, paths=[IDE_MODE])


SYNTAX = kind(
    "syntax",
    Severity.NOTE,
    "A program does not compile on the board; an error for boot.py and main.py.",
    why="the board prints the error, and goes on to its prompt",
)


@rule("board", Cost.CONTENT, SYNTAX)
def _syntax_of_programs(subject: Subject) -> Iterator[Finding]:
    for name, content in subject.programs.items():
        if name.endswith(".py"):
            yield from _syntax(name, content)


def _syntax(name: str, content: bytes) -> Iterator[Finding]:
    from maixfs.board.compiler import newer_syntax

    fault = _fault(content)
    # MicroPython 1.11 is older than this Python: what compiles here can be new to the board.
    newer = [] if fault else newer_syntax(content)
    if not fault and not newer:
        return
    text = f"{name} does not compile: {fault}" if fault else f"{name}: {newer[0]}"
    # These two run at each start; any other program may be unused, or text that only ends in .py.
    if name in (BOOT, MAIN):
        why, fix = (_NO_UPLOAD if name == BOOT else None), _fix(name[1:-3])
        yield SYNTAX.found(text, severity=Severity.ERROR, why=why, fix=fix, paths=[name])
        return
    fix = ("correct it", Command("cp", ("FILE", f"{{image}}:{name}")))
    yield SYNTAX.found(text, fix=fix, paths=[name])


def _fault(content: bytes) -> str:
    """Return why a program does not compile; empty if it does."""
    import ast
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(content)
    except SyntaxError as error:
        line = f"line {error.lineno}: " if error.lineno else ""
        return f"{line}{error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error) or "it is nested too deep"
    return ""


NO_MAIN = kind(
    "no-main",
    Severity.NOTE,
    "There is no main.py on /flash.",
    why="MaixPy writes its default one, which then runs; a card with main.py goes before it",
)


@rule("board", Cost.METADATA, NO_MAIN)
def _main_program(subject: Subject) -> Iterator[Finding]:
    check = subject.mounted
    if check is None or _has(subject, MAIN):
        return
    if check.geometry.block_size == 0x20000 and check.geometry.page_size == 0x1000:
        yield NO_MAIN.found(f"there is no {MAIN}: MaixPy writes its default one, which then runs")


def _has(subject: Subject, name: str) -> bool:
    return subject.mounted is not None and name.encode() in subject.mounted.names


_STARTS = ("boot.py", "main.py")

CARD_MISSING = kind(
    "card",
    Severity.ERROR,
    "The card in the slot of a board cannot be read.",
    why="board.toml names a file or drive that is missing or damaged",
    fix=(Command("sd eject", ("{image}",)),),
)


@rule("board", Cost.METADATA, CARD_MISSING)
def _card_in_slot(subject: Subject) -> Iterator[Finding]:
    if subject.card is not None and subject.card.fault is not None:
        yield CARD_MISSING.found(str(subject.card.fault))


CARD_FIRST = kind(
    "sd-first",
    Severity.NOTE,
    "A program on /flash does not run while the card is in.",
    why="a card that mounts is the current directory, and programs start from there",
)
COVER = kind(
    "cover",
    Severity.NOTE,
    "A cover file replaces a program on /flash, or has no effect there.",
    why="a file cover.NAME replaces NAME on /flash only if it is on a card",
)


@rule("board", Cost.METADATA, CARD_FIRST)
def _order_of_programs(subject: Subject) -> Iterator[Finding]:
    if subject.card is None or not subject.card.mounts or subject.mounted is None:
        return
    for name in _STARTS:
        if f"/{name}".encode() in subject.mounted.names:
            there = name in subject.card.names
            what = f"/flash/{name} does not run while the card is in: "
            what += f"/sd/{name} does" if there else "the card has none"
            fix = (
                Command("sd eject", ("{image}",)),
                f"or copy {name} to the card",
                Command("cp", (f"{{image}}:/flash/{name}", "{image}:/sd/")),
            )
            yield CARD_FIRST.found(what, fix=fix, paths=[f"/flash/{name}"])


@rule("board", Cost.METADATA, COVER)
def _covers(subject: Subject) -> Iterator[Finding]:
    for name in _STARTS:
        cover = f"cover.{name}"
        if subject.mounted is not None and f"/{cover}".encode() in subject.mounted.names:
            what = f"/{cover} is on /flash: it has no effect there"
            fix = ("copy it to the root of the card",)
            yield COVER.found(what, fix=fix, paths=[f"/{cover}"])
        if subject.card is not None and cover in subject.card.names:
            what = f"/sd/{cover} replaces /flash/{name} at the next start if they differ"
            yield COVER.found(what, paths=[f"/sd/{cover}"])
