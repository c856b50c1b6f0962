"""The overview, the help of each verb, and how little has to be loaded for them."""

from __future__ import annotations

import shlex
import subprocess
import sys

import click
import pytest

import maixfs as package
from maixfs.cli.catalogue import SECTIONS, VERBS
from maixfs.cli.group import EXAMPLES, maixfs
from maixfs.cli.layout import PRESETS as LAYOUT_PRESETS
from maixfs.cli.verb import Verb
from maixfs.nor import DRIVERS
from maixfs.spiffs import PRESETS

from .conftest import Run

HEAVY = ("rich", "numpy", "maixfs.board", "maixfs.spiffs", "maixfs.image", "maixfs.nor", "json")


def command_of(name: str) -> Verb:
    context = click.Context(maixfs)
    command = maixfs.get_command(context, name)
    assert isinstance(command, Verb)
    return command


def test_the_overview_names_every_verb(run: Run) -> None:
    text = run("--help").stdout
    for section, verbs in SECTIONS.items():
        assert f"{section}:" in text
        for name, entry in verbs.items():
            assert f"  {name} " in text
            assert entry.sentence in text
    assert text.count("\n      ") >= len(EXAMPLES)
    assert run("-h").stdout == text
    assert run().stdout == text


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_has_a_help_with_two_examples(name: str, run: Run) -> None:
    text = run(name, "--help").stdout
    assert VERBS[name].sentence in text
    assert "--color" in text and "--plain" in text and "--debug" in text
    assert max(map(len, text.splitlines())) <= 80
    command = command_of(name)
    assert len(command.examples) == 2
    for line, meaning in command.examples:
        assert f"  {line}\n      {meaning}" in text


@pytest.mark.parametrize(
    "line",
    [line for line, _ in EXAMPLES]
    + [line for name in VERBS for line, _ in command_of(name).examples],
)
def test_examples_have_only_options_that_there_are(line: str) -> None:
    words = shlex.split(line.removeprefix('eval "$(').removesuffix(')"').partition(" > ")[0])
    assert words.pop(0) == "maixfs"
    name = words.pop(0) if words[0] in VERBS else "info"
    context = command_of(name).make_context(name, words, resilient_parsing=True)
    assert context.info_name == name


@pytest.mark.parametrize("name", VERBS)
def test_reading_verbs_have_json(name: str) -> None:
    options = {option for param in command_of(name).params for option in param.opts}
    writes_text_alone = name in {"run", "completion"}
    assert ("--json" in options) is not writes_text_alone


def test_options_name_what_the_library_has() -> None:
    assert set(LAYOUT_PRESETS) == set(PRESETS)
    driver = next(param for param in command_of("new").params if param.name == "driver")
    assert isinstance(driver.type, click.Choice)
    assert set(driver.type.choices) == set(DRIVERS)


def test_the_version(run: Run) -> None:
    assert run("--version").stdout == f"maixfs {package.__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["ls", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from maixfs.cli.group import maixfs\n"
        f"maixfs.main({arguments!r}, standalone_mode=False)\n"
        "print(*sorted(sys.modules), sep='\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    loaded = set(done.stdout.split())
    assert "maixfs.cli.group" in loaded
    heavy = {
        name for name in loaded if name in HEAVY or name.startswith(tuple(f"{x}." for x in HEAVY))
    }
    assert not heavy
    verbs = {name for name in loaded if name.startswith("maixfs.cli.verbs.")}
    assert verbs <= {"maixfs.cli.verbs.ls"}


def test_a_verb_that_is_none(run: Run) -> None:
    result = run("sl", code=2)
    assert result.stdout == ""
    assert result.stderr == (
        "error: 'sl' is no verb, and there is no such file\n"
        "  hint: did you mean split or sd? maixfs --help lists the verbs\n"
    )
    assert "did you mean" not in run("qqqqqqq", code=2).stderr


def test_a_target_alone_is_looked_at(run: Run, place: object) -> None:
    assert run("board").stdout == run("info", "board").stdout
    assert run("./dump.bin", "--json").stdout == run("info", "./dump.bin", "--json").stdout
    assert run("missing.bin", code=1).stderr == "error: missing.bin does not exist\n"
