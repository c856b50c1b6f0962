"""``import maixfs``: the public names, whatever was imported before them, and how fast it is."""

from __future__ import annotations

import importlib
import importlib.util
import json
import pkgutil
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

import maixfs

OPTIONAL = {"maixfs.fsspec": "fsspec", "maixfs.pytest_plugin": "pytest"}
SUBMODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(maixfs.__path__, "maixfs.")
    if name != "maixfs.__main__"
]
FRESH = ("maixfs.image", "maixfs.board.board", "maixfs.transfer.copying", "maixfs.recipes")

CHECK = """
import json, sys
from importlib import import_module
everything, *modules = sys.argv[1:]
answers = {}
for first in modules:
    for name in [name for name in sys.modules if name.partition(".")[0] == "maixfs"]:
        del sys.modules[name]
    import_module(first)
    import maixfs
    here = {} if everything else vars(maixfs)
    answers[first] = {
        name: "%s.%s" % (getattr(value, "__module__", type(value)), getattr(value, "__name__", ""))
        for name in maixfs.__all__
        if everything or name in here
        for value in [getattr(maixfs, name)]
    }
print(json.dumps(answers))
"""


def names_after(*modules: str, everything: bool = True) -> dict[str, dict[str, str]]:
    """Return what the public names are after the import of each module, each from the start.

    Without ``everything`` only those that the import has set: the others are loaded from where
    the package says, whatever came before.
    """
    command = [sys.executable, "-c", CHECK, "1" if everything else "", *modules]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answers: dict[str, dict[str, str]] = json.loads(done.stdout)
    return answers


def test_public_names_are_sorted_and_exist() -> None:
    assert len(set(maixfs.__all__)) == len(maixfs.__all__)
    for name in maixfs.__all__:
        assert not isinstance(getattr(maixfs, name), ModuleType)
        assert name in dir(maixfs)


def test_names_of_the_issue_of_a_program_are_there() -> None:
    expected = (
        "open identify Board Image FileSystem Entry Finding Examination Severity pack unpack copy"
        " build diff Spiffs Fat Geometry PRESETS NorChip RamSectors FileSectors MaixfsError"
        " __version__"
    )
    assert set(expected.split()) <= set(maixfs.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        maixfs.no_such_name  # type: ignore[attr-defined]


def test_submodule_imported_first_leaves_the_public_names_as_they_are() -> None:
    missing = {name for name, needs in OPTIONAL.items() if not importlib.util.find_spec(needs)}
    modules = [name for name in SUBMODULES if name not in missing]
    expected = names_after("maixfs")["maixfs"]
    for first, names in names_after(*modules, everything=False).items():
        assert names == {name: expected[name] for name in names}, first


@pytest.mark.parametrize("first", FRESH)
def test_submodule_in_a_fresh_interpreter_leaves_the_public_names(first: str) -> None:
    assert names_after(first)[first] == names_after("maixfs")["maixfs"]


def test_no_submodule_has_the_name_of_a_public_function() -> None:
    top = {name.removeprefix("maixfs.") for name in SUBMODULES if name.count(".") == 1}
    assert not top & set(maixfs.__all__)


def test_import_loads_no_other_module_of_the_package() -> None:
    program = "import sys, maixfs; print(*[n for n in sys.modules if n.startswith('maixfs')])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == {"maixfs", "maixfs.lazy"}


def test_star_import_gives_the_public_names() -> None:
    namespace: dict[str, Any] = {}
    exec("from maixfs import *", namespace)
    assert set(maixfs.__all__) <= set(namespace)
    assert namespace["Image"] is importlib.import_module("maixfs.image.image").Image
