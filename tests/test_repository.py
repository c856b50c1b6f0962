"""Rules of the house that a machine can hold: sizes, words, links, numbers that must agree."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import grimp
import pytest

import maixfs
from maixfs.cli.table import ROWS

ROOT = Path(__file__).parent.parent
FILE_LINES = 800
FUNCTION_LINES = 60
# Folders of somebody's machine, and the index or proxy of a package registry in a file.
NEVER = re.compile(
    r"(?<![\w.~-])/(?:work|root|home)/|(?:index-url|registry|resolved) *[=:] *.?https?:"
)
COMMAND_LINE = re.compile(
    rf"\bmaixfs (?:{'|'.join({row.name.split()[0] for row in ROWS})})\b|(?<![\w-])--[a-z]"
    r"|(?:^|[\s(`])-[a-zA-Z](?=$|[\s.,;:)`])"
)
POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
SKIPPED = {".git", ".venv", "__pycache__", "demo-board", "dist", "build"}


@cache
def files() -> list[Path]:
    """Return the repository's files: what git tracks, or what lies there where git is none."""
    line = ["git", "-C", str(ROOT), "ls-files", "-z"]
    try:
        listed = subprocess.run(line, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        found = [path for path in ROOT.rglob("*") if not SKIPPED & set(path.parts)]
    else:
        found = [ROOT / name for name in listed.decode().split("\0") if name]
    return sorted(path for path in found if path.is_file())


def named(suffix: str, *under: str) -> list[Path]:
    """Return the repository's files with a suffix, under the named folders or anywhere."""
    places = [ROOT / place for place in under] or [ROOT]
    return [
        path
        for path in files()
        if path.suffix == suffix and any(path.is_relative_to(place) for place in places)
    ]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def long_functions(text: str) -> Iterator[str]:
    """Yield name and length of each function that is too long."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{node.name} (line {node.lineno}): {length} lines"


@pytest.mark.parametrize("path", named(".py"), ids=name_of)
def test_files_and_functions_are_small(path: Path) -> None:
    text = read(path)
    assert text.count("\n") <= FILE_LINES
    assert not list(long_functions(text))


def test_a_long_function_is_noticed() -> None:
    text = "def f():\n" + "    pass\n" * FUNCTION_LINES
    assert list(long_functions(text)) == [f"f (line 1): {FUNCTION_LINES + 1} lines"]


@pytest.mark.parametrize("path", named(".py", "src"), ids=name_of)
def test_modules_load_on_every_system(path: Path) -> None:
    """Nothing that only POSIX has is imported when a module is loaded."""
    for node in ast.parse(read(path)).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not POSIX_ONLY & {name.partition(".")[0] for name in names}, node.lineno


@cache
def imports() -> dict[str, set[str]]:
    """Return what each module of maixfs imports, under TYPE_CHECKING and in functions too."""
    graph = grimp.build_graph("maixfs", cache_dir=None)
    return {
        module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules
    }


def in_cycles(waiting: dict[str, set[str]]) -> set[str]:
    """Return the modules that cannot be put into an order: those in cycles and above them."""
    while free := {module for module, names in waiting.items() if not names & waiting.keys()}:
        waiting = {module: names for module, names in waiting.items() if module not in free}
    return set(waiting)


def test_there_is_no_import_cycle() -> None:
    """Not even one for the type checker: every module can be read after those that it names."""
    assert not in_cycles(imports())


def test_an_import_cycle_is_noticed() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}
    assert in_cycles(graph) == {"a", "b", "c"}


def design_floors() -> list[set[str]]:
    """Return the packages of each floor in docs/DESIGN.md, the highest floor first."""
    rows = re.findall(r"^\| \d+ \| ([^|]+) \|", read(ROOT / "docs/DESIGN.md"), re.MULTILINE)
    floors = [part for row in rows for part in row.split(";")]
    return [set(re.findall(r"`(\w+)(?:/|\.py)`", floor)) for floor in floors]


def test_floors_of_the_documentation_are_those_of_the_contract() -> None:
    tools = tomllib.loads(read(ROOT / "pyproject.toml"))["tool"]
    floors, libraries = tools["importlinter"]["contracts"]
    assert floors["exhaustive"]
    layers = [set(layer.split(" | ")) for layer in floors["layers"]]
    assert layers == [{"__main__"}, *design_floors()]
    below = {f"maixfs.{name}" for layer in layers for name in layer - {"__main__", "cli"}}
    assert set(libraries["source_modules"]) == below


FUNCTIONS = {"build", "copy", "diff", "identify", "open", "pack", "unpack"}
"""What ``maixfs`` itself offers."""
LAZY = ("firmware", "kmodel", "kfpkg", "recipes", "explain", "compare", "draw")


@pytest.mark.parametrize("name", LAZY)
def test_public_names_do_not_depend_on_the_order_of_imports(name: str) -> None:
    """A submodule would hide the function of its name as soon as somebody imports it."""
    package = importlib.import_module(f"maixfs.{name}")
    modules = {path.stem for path in Path(package.__path__[0]).glob("*.py")}
    assert not modules & {*package.__all__, *FUNCTIONS}
    assert sorted(package.__all__) == sorted(set(package.__all__))
    assert all(hasattr(package, public) for public in package.__all__)


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
    left = [name_of(path) for path in named(".py") if marks.search(read(path))]
    assert not left


def test_no_file_names_a_machine_or_a_package_index() -> None:
    data = ROOT / "tests" / "data"
    found = []
    for path in files():
        if path.is_relative_to(data):
            continue
        text = path.read_bytes().decode("utf-8", errors="replace")
        found += [f"{name_of(path)}: {match[0]}" for match in NEVER.finditer(text)]
    assert not found


@pytest.mark.parametrize("folder", ["work", "root", "home"])
def test_a_machine_path_is_noticed(folder: str) -> None:
    assert NEVER.search(f"see /{folder}/notes")
    assert not NEVER.search(f"board:/a/{folder}/b or ~/{folder}/x")


def test_library_names_neither_commands_nor_options() -> None:
    # The flags of mkspiffs and spiffsgen are those of other programs, and part of the geometry.
    allowed = {"src/maixfs/spiffs/geometry.py"}
    found = [
        f"{name_of(path)}:{node.lineno}: {node.value[:60]}"
        for path in named(".py", "src/maixfs")
        if "cli" not in path.parts and name_of(path) not in allowed
        for node in messages_of(ast.parse(read(path)))
        if COMMAND_LINE.search(node.value)
    ]
    assert found == []


def messages_of(tree: ast.Module) -> Iterator[Any]:
    """Yield the texts of a module but docstrings and the arguments of ``Command``."""
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            skipped.add(node.value)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Command":
            skipped.update(ast.walk(node))
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and node not in skipped:
            yield node


def test_command_line_in_a_message_is_noticed() -> None:
    text = 'error("no", hint=f"maixfs mkfs {host} makes one")\nCommand("rm", ("--force",))\n'
    texts = [node.value for node in messages_of(ast.parse(text + '"""use --force"""\n'))]
    assert [text for text in texts if COMMAND_LINE.search(text)] == ["maixfs mkfs "]


def test_changelog_starts_with_this_version() -> None:
    first = re.search(r"^## (\S+)", read(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert first is not None
    assert first[1] == maixfs.__version__


@pytest.mark.parametrize("path", named(".md"), ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", read(path)):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_files_that_the_text_names_exist() -> None:
    """Paths into the repository, in documents and code, are those of files that are there."""
    pattern = re.compile(
        r"\b(?:tests/data|docs|examples|bench)/[a-z0-9_][\w.-]*(?:/[\w.-]*\w)*", re.I
    )
    missing = []
    for path in [*named(".md"), *named(".py")]:
        for name in pattern.findall(read(path)):
            if not (ROOT / name.rstrip(".")).exists():
                missing.append(f"{name_of(path)}: {name}")
    assert not missing


def test_sections_that_the_code_cites_exist() -> None:
    """``docs/SPEC.md, section 3`` in code leads to a heading ``## 3. ...`` there."""
    sections = set(re.findall(r"^#+ (\d+(?:\.\d+)?)\b", read(ROOT / "docs/SPEC.md"), re.MULTILINE))
    cite = re.compile(r"SPEC\.md,\s+sections?\s+([\d.]*\d)(?:\s+(?:and|to)\s+([\d.]*\d))?")
    for path in [*named(".py"), *named(".md")]:
        text = re.sub(r"\n\s*#?\s*", " ", read(path))
        cited = {number for match in cite.findall(text) for number in match if number}
        assert cited <= sections, name_of(path)


def test_extras_that_the_readme_names_exist() -> None:
    project = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]
    groups = re.findall(r"maixfs\[([\w,-]+)\]", read(ROOT / "README.md"))
    named_there = {extra for group in groups for extra in group.split(",")}
    assert named_there <= project.get("optional-dependencies", {}).keys()


# dev.py


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return dev.py as a module whose environment is in an empty folder."""
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("VENV", "BIN", "PYTHON", "STAMP", "PIP_LOG", "LIBRARIES"):
        moved = tmp_path / getattr(module, name).relative_to(ROOT)
        monkeypatch.setattr(module, name, moved)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    for name in ("pyproject.toml", "requirements-dev.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return module


def run_dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(ROOT / "dev.py"), *arguments]
    return subprocess.run(line, capture_output=True, text=True, encoding="utf-8", check=False)


def test_dev_says_what_it_can_do(dev: ModuleType) -> None:
    shown = run_dev()
    assert shown.returncode == 0
    assert all(f"dev.py {name} " in shown.stdout for name in dev.COMMANDS)
    assert run_dev("no-such-command").returncode == 2
    assert "only --fresh" in run_dev("demo", "--stale").stderr


def test_an_old_python_reads_dev_far_enough_to_say_so() -> None:
    ast.parse(read(ROOT / "dev.py"), feature_version=(3, 7))


def test_dev_without_ensurepip_says_what_to_install(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"\Adev\.py: .*apt install python3-venv\Z"):
        dev.prepare(dev.TOOLS)


def test_dev_installs_again_only_when_something_changed(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    def install(line: list[object], **options: object) -> subprocess.CompletedProcess[bytes]:
        calls.append([str(word) for word in line])
        return subprocess.CompletedProcess(line, 0, stdout=b"")

    dev.VENV.mkdir()
    monkeypatch.setattr(dev, "runs", lambda python: True)
    monkeypatch.setattr(dev.subprocess, "run", install)
    dev.prepare(dev.PROJECT)
    dev.prepare(dev.PROJECT)
    assert len(calls) == 1
    dev.prepare(dev.TOOLS)
    dev.prepare(dev.PROJECT)
    assert len(calls) == 2
    (dev.ROOT / "requirements-dev.txt").write_text("ruff\n")
    dev.prepare(dev.PROJECT)
    assert len(calls) == 3


def test_demo_installs_only_what_running_needs(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(dev, "install", lambda _python, wanted: calls.append(wanted))
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda name: name)
    for _ in range(2):
        python, environment = dev.runner()
        assert python == Path(sys.executable)
        assert str(dev.LIBRARIES) in environment["PYTHONPATH"]
    assert [word.partition(">")[0] for word in calls[0][2:]] == list(dev.RUNNING)
    assert len(calls) == 1
    (dev.ROOT / "requirements-dev.txt").write_text("ruff\n")
    dev.runner()
    assert len(calls) == 2


def test_demo_uses_the_environment_where_it_is_ready(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev.VENV.mkdir()
    stamp = {"state": dev.fingerprint(), "wanted": dev.TOOLS}
    dev.STAMP.write_text(json.dumps(stamp), encoding="utf-8")
    monkeypatch.setattr(dev, "runs", lambda python: True)
    assert dev.runner() == (dev.PYTHON, {})


def test_demo_makes_an_environment_where_python_has_no_pip(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(dev, "prepare", asked.append)
    assert dev.runner() == (dev.PYTHON, {})
    assert asked == [dev.PROJECT]


def test_running_imports_only_what_the_demo_installs(tmp_path: Path) -> None:
    code = """
import sys
for name in ("numpy", "rich", "PIL", "cryptography"):
    sys.modules[name] = None
from maixfs.__main__ import main
sys.argv = ["maixfs", "run", sys.argv[1], "--board", sys.argv[2]]
sys.exit(main())
"""
    program, board = ROOT / "examples" / "hello_flash.py", tmp_path / "board"
    line = [sys.executable, "-c", code, str(program), str(board)]
    shown = subprocess.run(line, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.endswith("read: hello text\n")


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("WARNING: Retrying after connection broken by ...\nERROR: x\n", "no network"),
        ("ERROR: No matching distribution found for ruff==9\n", "no network"),
        ("...\nERROR: Package 'maixfs' requires a different Python\n", "a different Python;"),
    ],
)
def test_dev_says_in_one_line_why_pip_failed(dev: ModuleType, log: str, line: str) -> None:
    said = dev.explain(log)
    assert line in said
    assert "\n" not in said
