"""The command of the longer run, over a part of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cuts.campaign import main, runs
from cuts.fat_operations import KINDS
from cuts.fat_operations import OPERATIONS as FAT_OPERATIONS


def test_chosen_names_are_cut_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--every", "2", "fat/fat12/remove", "spiffs/maix/create"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[:-1]] == [
        "spiffs/maix/create",
        *(f"fat/fat12/{name}" for name in FAT_OPERATIONS if name.startswith("remove")),
    ]
    assert lines[0].startswith("spiffs/maix/create: cuts 9, states 8, ")


def test_all_operations_and_sets_have_a_run() -> None:
    names = [name for name, _ in runs()]
    assert len(set(names)) == len(names) > 250
    assert sum(name.startswith("fat/") for name in names) == len(FAT_OPERATIONS) * len(KINDS)


@pytest.mark.parametrize(
    ("identifier", "found"),
    [
        ("spiffs/maix/overwrite@cut3.half", []),
        ("fat/fat16/remove@cut0.1", []),
        ("spiffs-set/maixpy512@cut20000.none", ["the file in flight: old"]),
        ("fat-faithful/fat16/remove@cut0.1", []),
        ("fat-set/fat16@cut0.1", ["the file in flight: old"]),
        ("fat-own/fat16@cut0.0", ["the file in flight: old"]),
    ],
)
def test_one_cut_is_replayed_by_its_name(
    identifier: str, found: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([identifier]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == identifier
    assert [line.strip() for line in lines[1:] if "is lost" not in line] == found


def test_a_lost_file_makes_the_run_fail(capsys: pytest.CaptureFixture[str]) -> None:
    """A set of which the C loses files cannot be without losses: take away its figures."""
    from cuts import spiffs_sets

    measured = spiffs_sets.load("maixpy512-literal").manifest["read_as_it_is"]
    changed = {**measured, "lost": measured["lost"] + 1, "every": 50}
    with pytest.MonkeyPatch.context() as patch:
        manifest = spiffs_sets.load("maixpy512-literal").manifest
        patch.setitem(manifest, "read_as_it_is", changed)
        assert main(["--every", "50", "spiffs-set/maixpy512-literal"]) == 1
    assert "NOT AS EXPECTED" in capsys.readouterr().out


def test_the_script_of_the_command_starts() -> None:
    """It is run as a file, without the paths that the test run has."""
    script = Path(__file__).parent.parent.parent / "bench" / "power_cuts.py"
    line = [sys.executable, str(script), "fat/fat12/remove@cut0.1"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "fat/fat12/remove@cut0.1")
