"""Mutation run: change the drivers in one place at a time and see whether the tests notice.

    python3 dev.py mutants                      a sample of 60 mutants of each of spiffs, fat, vfs
    python3 dev.py mutants fat --sample 0       every mutant of fat (hours)

Mutants are made by cosmic-ray's operators, chosen by ``--seed`` among all that change what the
code does (annotations and docstrings do not count), and tried in copies of the project, one for
each job. A mutant is killed when a test of its package fails or does not end. Survivors are
printed with the line that was changed.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parent.parent
TESTS = {
    "spiffs": ["tests/spiffs", "tests/golden/test_spiffs.py", "tests/filesystem", "tests/cuts"],
    "fat": ["tests/fat", "tests/golden/test_fat.py", "tests/filesystem", "tests/cuts"],
    "vfs": ["tests/vfs", "tests/golden", "tests/board"],
}
"""What may kill a mutant of each package, the tests that fail soonest first."""
PATIENCE = 4
"""A run that takes so many times the time of the sound code hangs: the mutant is killed."""


class Mutant(NamedTuple):
    """One change: which operator, applied where it fits for the n-th time."""

    file: Path
    operator: str
    occurrence: int


def mutants_of(package: str) -> Iterator[Mutant]:
    """Yield every mutant of a package's modules."""
    for file in sorted((ROOT / "src/maixfs" / package).rglob("*.py")):
        nodes = list(ast_nodes(get_ast(file.read_text(encoding="utf-8"))))
        for name in sorted(operator_names()):
            if name.startswith("core/Variable"):
                continue  # these need to be told names
            operator = get_operator(name)()
            count = sum(len(list(operator.mutation_positions(node))) for node in nodes)
            for occurrence in range(count):
                yield Mutant(file, name, occurrence)


def mutated(mutant: Mutant) -> str | None:
    """Return the changed source, or ``None`` where the change means nothing to the interpreter."""
    source = mutant.file.read_text(encoding="utf-8")
    changed = mutate_code(source, get_operator(mutant.operator)(), mutant.occurrence)
    try:
        return changed if changed and meaning(changed) != meaning(source) else None
    except SyntaxError:
        return None


def meaning(source: str) -> str:
    """Return the syntax tree without annotations and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(0)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(0)
    return ast.dump(tree)


def copy_project(target: Path) -> Path:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target


def tests_pass(project: Path, tests: list[str], limit: float | None) -> bool:
    """Run tests in a copy of the project until one fails; one that hangs has failed."""
    line = [
        sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-o", "timeout=60",
        *[test for test in tests if (project / test).exists()],
    ]  # fmt: skip
    environment = {
        **os.environ,
        "PYTHONPATH": str(project / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        done = subprocess.run(
            line, cwd=project, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def shown(mutant: Mutant, changed: str) -> str:
    """Return the line that was changed, before and after."""
    before = mutant.file.read_text(encoding="utf-8").splitlines()
    lines = [
        line
        for line in difflib.unified_diff(before, changed.splitlines(), lineterm="", n=0)
        if line[:1] in "-+@" and not line.startswith(("---", "+++"))
    ]
    place = mutant.file.relative_to(ROOT / "src/maixfs")
    return f"{place} {' '.join(line.strip() for line in lines)[:300]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="*", default=list(TESTS), help=", ".join(TESTS))
    parser.add_argument("--sample", type=int, default=60, help="mutants of each; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if unknown := set(options.packages) - TESTS.keys():
        parser.error(f"no package {', '.join(sorted(unknown))}: {', '.join(TESTS)}")
    with tempfile.TemporaryDirectory() as folder:
        projects: Queue[Path] = Queue()
        for number in range(options.jobs):
            projects.put(copy_project(Path(folder) / str(number)))
        for package in options.packages:
            run(package, options, projects)
    return 0


def run(package: str, options: argparse.Namespace, projects: Queue[Path]) -> None:
    """Try the mutants of one package and print what became of them."""
    every = list(mutants_of(package))
    random.Random(options.seed).shuffle(every)
    project = projects.get()
    start = time.monotonic()
    if not tests_pass(project, TESTS[package], None):
        raise SystemExit(f"{package}: the tests fail without a mutant")
    limit = (time.monotonic() - start) * PATIENCE
    projects.put(project)

    def survives(mutant: Mutant, changed: str) -> bool:
        project = projects.get()
        target = project / mutant.file.relative_to(ROOT)
        try:
            target.write_text(changed, encoding="utf-8")
            return tests_pass(project, TESTS[package], limit)
        finally:
            shutil.copy2(mutant.file, target)
            projects.put(project)

    chosen: list[tuple[Mutant, str]] = []
    for mutant in every:
        if options.sample and len(chosen) == options.sample:
            break
        changed = mutated(mutant)
        if changed is not None:
            chosen.append((mutant, changed))
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda pair: survives(*pair), chosen))
    survivors = [pair for pair, alive in zip(chosen, results, strict=True) if alive]
    for mutant, changed in survivors:
        print(f"survived: {shown(mutant, changed)}")
    killed = len(chosen) - len(survivors)
    print(
        f"{package}: {killed} of {len(chosen)} mutants killed"
        f" ({100 * killed / max(len(chosen), 1):.1f} %), of {len(every)} places",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
