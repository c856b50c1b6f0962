"""The verb table, the overview, the help of each verb, and what has to be loaded for them."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

import maixfs as package
from maixfs.cli import table
from maixfs.cli.main import print_overview
from maixfs.cli.verb import Verb, VerbGroup, maixfs
from maixfs.nor import DRIVERS
from maixfs.spiffs import PRESETS

from .conftest import Run, run_process

HEAVY = ("rich", "numpy", "maixfs.board", "maixfs.spiffs", "maixfs.image", "maixfs.nor", "json")
NAMES = [row.name for row in table.ROWS]
GROUPS = [name for name in NAMES if table.rows(name)]
SINGLE_LETTERS = {"-n", "-r", "-R", "-f", "-o", "-v", "-h"}


def command_of(name: str) -> Verb:
    """Return the command of a verb, ``"sd new"`` for one of a group."""
    command: click.Command = maixfs
    for word in name.split():
        assert isinstance(command, VerbGroup)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    assert isinstance(command, Verb)
    return command


def test_table_sections_and_groups_are_known() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for row in table.ROWS:
        head, _, _ = row.name.rpartition(" ")
        assert (row.section in table.SECTIONS) is not bool(head), row.name
        assert not head or head in NAMES
        assert len(row.sentence) <= 60 and row.sentence.endswith("."), row.name


def test_other_names_are_not_verbs() -> None:
    assert not table.OTHER_NAMES.keys() & table.rows().keys()
    for hint in table.OTHER_NAMES.values():
        words = shlex.split(hint)
        assert words[0] == "maixfs" and words[1] in table.rows()


def test_overview_names_every_verb(run: Run) -> None:
    text = run("--help").stdout
    for name, row in table.rows().items():
        assert f"  {name} " in text
        assert row.sentence in text
        assert f"{row.section}:" in text
    assert run("-h").stdout == text
    assert run().stdout == text


def test_overview_is_the_same_without_click(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in ("50", "80", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        assert print_overview()
        text = capsys.readouterr().out
        maixfs.main(["--help"], standalone_mode=False)
        assert capsys.readouterr().out == text
        assert max(map(len, text.splitlines())) <= max(80, min(int(columns), table.WIDTH))
        process = run_process("--help", env={"COLUMNS": columns})
        assert process.stdout.decode().replace("\r\n", "\n") == text


def test_overview_options_are_those_of_the_program() -> None:
    options = {name.split()[0]: text for name, text in table.OPTIONS}
    helps = options.pop("-h,")
    assert helps
    declared = {param.opts[0]: param.help for param in maixfs.params if hasattr(param, "help")}
    assert declared == options


@pytest.mark.parametrize("name", NAMES)
def test_help_has_sentence_options_and_two_examples(name: str, run: Run) -> None:
    (row,) = (row for row in table.ROWS if row.name == name)
    text = run(*name.split(), "--help").stdout
    assert row.sentence in text
    assert "--color" in text and "--plain" in text and "--debug" in text
    assert max(map(len, text.splitlines())) <= 80
    command = command_of(name)
    assert len(command.examples) == 2
    for line, meaning in command.examples:
        assert f"  {line}\n      {meaning}" in text


@pytest.mark.parametrize("name", GROUPS)
def test_group_without_a_verb_prints_its_help(name: str, run: Run) -> None:
    text = run(name).stdout
    assert text == run(name, "--help").stdout
    for verb, row in table.rows(name).items():
        assert f"  {verb} " in text
        assert row.sentence in text


@pytest.mark.parametrize("name", NAMES)
def test_options_have_one_meaning_for_a_letter(name: str) -> None:
    long_names = {
        "-n": {"--dry-run", "--length"},
        "-r": {"--recursive"},
        "-R": {"--recursive"},
        "-f": {"--force"},
        "-o": {"--output"},
        "-v": {"--verbose"},
    }
    for param in command_of(name).params:
        letters = SINGLE_LETTERS & set(param.opts)
        for letter in letters:
            assert long_names[letter] & set(param.opts), (letter, param.opts)


@pytest.mark.parametrize("name", NAMES)
def test_verbs_have_json(name: str) -> None:
    options = {option for param in command_of(name).params for option in param.opts}
    assert ("--json" in options) is (name not in {"run", "completion"})


def test_options_name_what_the_library_has() -> None:
    preset = next(param for param in command_of("pack").params if param.name == "preset")
    context = click.Context(command_of("pack"))
    assert {item.value for item in preset.shell_complete(context, "")} == set(PRESETS)
    assert all(preset.type.convert(name, preset, context) == name for name in PRESETS)
    driver = next(param for param in command_of("new").params if param.name == "driver")
    assert isinstance(driver.type, click.Choice)
    assert set(driver.type.choices) == set(DRIVERS)


def test_version_is_printed(run: Run) -> None:
    assert run("--version").stdout == f"maixfs {package.__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["--version"], ["ls", "--help"], *([*name.split(), "--help"] for name in NAMES)]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from maixfs.cli.verb import maixfs\n"
        f"maixfs.main({arguments!r}, standalone_mode=False)\n"
        "print(*sorted(sys.modules), sep='\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    loaded = set(done.stdout.split())
    assert "maixfs.cli.verb" in loaded
    heavy = {
        name for name in loaded if name in HEAVY or name.startswith(tuple(f"{x}." for x in HEAVY))
    }
    assert not heavy
    verbs = {name for name in loaded if name.startswith("maixfs.cli.verbs.")}
    assert len(verbs) <= 2


def test_overview_loads_no_click() -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from maixfs.cli.main import run\n"
        "sys.argv = ['maixfs', '--help']\n"
        "try:\n    run()\nexcept SystemExit as done:\n    assert done.code == 0\n"
        "print(*sorted(set(sys.modules) - before), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    loaded = set(done.stderr.split()) - {"__future__"}
    package = {"maixfs", "maixfs.lazy", "maixfs.cli"}
    assert loaded == package | {"maixfs.cli.main", "maixfs.cli.table"}


@pytest.mark.parametrize(
    ("line", "guess"),
    [
        (["sl"], "sd"),
        (["ifno"], "info"),
        (["sd", "docter"], "doctor"),
        (["kfpkg", "verfy"], "verify"),
    ],
)
def test_misspelt_verb_has_a_guess(line: list[str], guess: str, run: Run) -> None:
    result = run(*line, code=2)
    assert result.stdout == ""
    assert "did you mean " in result.stderr
    assert guess in result.stderr


@pytest.mark.parametrize("name", table.OTHER_NAMES)
def test_verb_of_another_tool_names_the_one_here(name: str, run: Run) -> None:
    result = run(name, "x", "y", code=2)
    assert table.OTHER_NAMES[name] in result.stderr


def test_unlike_word_has_no_guess(run: Run) -> None:
    assert "did you mean" not in run("qqqqqqq", code=2).stderr


def test_path_in_the_place_of_a_verb_is_info(run: Run, place: Path) -> None:
    assert run("board").stdout == run("info", "board").stdout
    assert run("./dump.bin", "--json").stdout == run("info", "./dump.bin", "--json").stdout
    assert run("missing.bin", code=1).stderr.startswith("error: missing.bin does not exist\n")
