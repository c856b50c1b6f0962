#!/usr/bin/env python3
"""Everything a contributor runs, from a fresh clone and with nothing but Python.

    python3 dev.py demo     boot a virtual board and run a program on it (--fresh: on a new board)
    python3 dev.py test     the test suite; further arguments go to pytest
    python3 dev.py lint     style, types and import floors; what the tests do not see
    python3 dev.py bench    the benchmark table; further arguments go to bench/run.py
    python3 dev.py cuts     power cuts at every operation that is recorded, for some ten minutes
    python3 dev.py damage   write into 4,000 damaged areas: does another file lose bytes?
    python3 dev.py pairs    1,000 pairs of commands at the same time: is an update lost or torn?
    python3 dev.py mutants  change the drivers in many places, one by one; do the tests notice?
    python3 dev.py setup    only make the environment

All but demo first make .venv beside this file, or bring it up to date when pyproject.toml or
requirements-dev.txt changed. Nothing is installed outside of it. demo needs no environment: it
fetches two small packages into .venv/demo and runs the source as it is.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this line is for those who have an older one
    sys.exit(
        "dev.py needs Python 3.11 or newer and this is "
        + sys.version.split()[0]
        + ", run it with a newer one, for example: python3.12 "
        + " ".join(sys.argv)
    )

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "installed.json"
PIP_LOG = VENV / "pip.log"
BOARD = ROOT / "demo-board"
LIBRARIES = VENV / "demo"

PROJECT = ["--editable", "."]
TOOLS = [*PROJECT, "--requirement", "requirements-dev.txt"]
MUTATION = [*TOOLS, "cosmic-ray==8.7.0"]
RUNNING = ("click", "tomli-w")
"""The dependencies that `maixfs run` imports; numpy and rich are large, and it needs neither."""
UNREACHABLE = ("connection", "timed out", "No matching distribution", "ProxyError", "resolve")
LINTERS = [
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy"],
    ["lint-imports", "--no-logo"],
]


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    name, *rest = arguments or ["--help"]
    command = COMMANDS.get(name)
    if command is None:
        print(__doc__)
        return 0 if name in {"-h", "--help", "help"} else 2
    os.chdir(ROOT)
    try:
        return command(rest)
    except KeyboardInterrupt:
        return 130


def demo(arguments: list[str]) -> int:
    """Boot a board that lives in demo-board/ and run the documentation's program on it."""
    if set(arguments) - {"--fresh"}:
        return fail(f"demo knows only --fresh, not {' '.join(arguments)}")
    python, environment = runner()
    if "--fresh" in arguments and BOARD.exists():
        shutil.rmtree(BOARD)
    kept = BOARD.exists()
    line = ["run", "examples/hello_flash.py", "--board", BOARD.name]
    print(f"$ maixfs {' '.join(line)}", flush=True)
    code = run([python, "-m", "maixfs", *line], environment=environment)
    if code != 0:
        return code
    program = (BIN / "maixfs").relative_to(ROOT)
    if kept:
        print("\nThe board was switched on again; its first listing shows that test.txt survived.")
        first = "" if BIN in python.parents else "python3 dev.py setup, then "
        print(f"Look at it yourself: {first}{program} ls {BOARD.name}:/flash")
    else:
        print("\nA new board formatted its flash, wrote test.txt and is switched off again.")
        print("Run `python3 dev.py demo` once more: test.txt is still there.")
    return 0


def test(arguments: list[str]) -> int:
    """Run the test suite: all of it on every core, chosen tests in one process."""
    prepare(TOOLS)
    chosen = any(not argument.startswith("--durations") for argument in arguments)
    cores = [] if chosen else ["--numprocesses", "auto"]
    return run([PYTHON, "-m", "pytest", *cores, *arguments])


def lint(arguments: list[str]) -> int:
    """Run every linter, also after one of them found something."""
    if arguments:
        return fail("lint takes no arguments")
    prepare(TOOLS)
    red = []
    for line in LINTERS:
        print(f"$ {' '.join(line)}", flush=True)
        if run([BIN / line[0], *line[1:]]) != 0:
            red.append(line[0] if line[1:2] != ["format"] else "ruff format")
    if red:
        return fail("found something: " + ", ".join(red))
    print("lint: clean")
    return 0


def bench(arguments: list[str]) -> int:
    """Print the benchmark table."""
    prepare(TOOLS)
    return run([PYTHON, "bench/run.py", *arguments])


def cuts(arguments: list[str]) -> int:
    """Cut power everywhere and print what each cut costs."""
    prepare(TOOLS)
    return run([PYTHON, "bench/power_cuts.py", *arguments])


def damage(arguments: list[str]) -> int:
    """Write into damaged areas and look at the other files."""
    prepare(TOOLS)
    return run([PYTHON, "bench/damaged_areas.py", *arguments])


def pairs(arguments: list[str]) -> int:
    """Run pairs of commands on one medium at the same time."""
    prepare(TOOLS)
    return run([PYTHON, "bench/command_pairs.py", *arguments])


def mutants(arguments: list[str]) -> int:
    """Run the tests of the drivers against mutants of them and print the survivors."""
    prepare(MUTATION)
    return run([PYTHON, "bench/mutants.py", *arguments])


def setup(arguments: list[str]) -> int:
    """Make the environment and say where it is."""
    if arguments:
        return fail("setup takes no arguments")
    prepare(TOOLS)
    print(f"ready: {BIN.relative_to(ROOT) / 'maixfs'} --help")
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "demo": demo,
    "test": test,
    "lint": lint,
    "bench": bench,
    "cuts": cuts,
    "damage": damage,
    "pairs": pairs,
    "mutants": mutants,
    "setup": setup,
}


def prepare(wanted: list[str]) -> None:
    """Make sure that .venv holds what ``wanted`` (arguments of pip install) asks for.

    Leaves with one line on stderr where that cannot be.
    """
    installed = read_stamp()
    state = fingerprint()
    if installed.get("state") == state and set(wanted) <= set(installed.get("wanted", [])):
        return
    if not runs(PYTHON):
        make_venv()
    install(PYTHON, wanted)
    STAMP.write_text(json.dumps({"state": state, "wanted": wanted}), encoding="utf-8")


def runner() -> tuple[Path, dict[str, str]]:
    """Return a Python that can run the source, and the variables that it needs.

    That is the one of .venv where the project is installed. A fresh clone takes this one, with
    the few packages of RUNNING beside it: making an environment takes ten times as long.
    """
    state = fingerprint()
    stamp = read_stamp()
    if stamp.get("state") == state and set(PROJECT) <= set(stamp.get("wanted", [])):
        return PYTHON, {}
    if importlib.util.find_spec("pip") is None:  # Debian's Python; an environment brings its own
        prepare(PROJECT)
        return PYTHON, {}
    marker = LIBRARIES / "installed.txt"
    if not marker.is_file() or marker.read_text(encoding="utf-8") != state:
        shutil.rmtree(LIBRARIES, ignore_errors=True)
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        wanted = [line for line in project["dependencies"] if line.startswith(RUNNING)]
        LIBRARIES.mkdir(parents=True)
        install(Path(sys.executable), ["--target", str(LIBRARIES), *wanted])
        marker.write_text(state, encoding="utf-8")
    return Path(sys.executable), {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{LIBRARIES}"}


def install(python: Path, wanted: list[str]) -> None:
    """Run pip; leaves with one line on stderr where it fails."""
    print("dev.py: installing into .venv (only when something changed) ...", flush=True)
    environment = {"PIP_RETRIES": "2", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **os.environ}
    done = subprocess.run(
        [python, "-m", "pip", "install", "--no-input", *wanted],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env=environment,
        check=False,
    )
    PIP_LOG.write_bytes(done.stdout)
    if done.returncode != 0:
        sys.exit(f"dev.py: {explain(done.stdout.decode(errors='replace'))}")


def read_stamp() -> dict[str, list[str] | str]:
    """Return what was installed last, or nothing where that is not known."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and runs(PYTHON) else {}


def fingerprint() -> str:
    """Return what decides whether the environment is still the right one.

    The place counts too: an environment does not survive that its folder is moved.
    """
    digest = hashlib.sha256(str(ROOT).encode())
    for name in ("pyproject.toml", "requirements-dev.txt"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def make_venv() -> None:
    """Make .venv anew with this Python."""
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            "dev.py: this Python cannot make environments (it has no ensurepip); "
            "on Debian and Ubuntu: sudo apt install python3-venv"
        )
    try:
        venv.create(VENV, clear=True, with_pip=True, symlinks=os.name != "nt")
    except (OSError, subprocess.CalledProcessError) as reason:
        sys.exit(f"dev.py: cannot make {VENV}: {reason}")


def explain(log: str) -> str:
    """Return in one line why pip failed."""
    if any(word in log for word in UNREACHABLE):
        what = "the packages could not be fetched (no network, or the index does not answer)"
    else:
        errors = [line for line in log.splitlines() if line.startswith("ERROR:")]
        what = "pip failed" + (f": {errors[-1][7:]}" if errors else "")
    return f"{what}; all that pip said is in {PIP_LOG.relative_to(ROOT)}"


def runs(python: Path) -> bool:
    """Tell whether there is a Python at that path that starts."""
    if not python.exists():
        return False
    return run([python, "-c", ""], quiet=True) == 0


def run(
    line: list[str | Path], *, quiet: bool = False, environment: dict[str, str] | None = None
) -> int:
    """Run a program in the project's folder and return its exit code."""
    sink = subprocess.DEVNULL if quiet else None
    variables = {**os.environ, **(environment or {})}
    try:
        words = [str(word) for word in line]
        return subprocess.call(words, stdout=sink, stderr=sink, env=variables)
    except OSError as reason:
        return fail(f"cannot run {line[0]}: {reason.strerror}")


def fail(message: str) -> int:
    """Say what is wrong and return the exit code for it."""
    print(f"dev.py: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
