"""What a real MicroPython answered to VFS programs, and what ours answers.

Each case is a program in steps. It runs twice: as v1.11, which MaixPy has, and as the release of
today, where that one answered otherwise.
"""

from __future__ import annotations

import json
import lzma
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from golden.corpus import golden_root
from golden.vfs_program import Outcome, Program

SECTOR = 512

# v1.11 does not look at what a Python block device returns; a driver that does is the truth.
BROKEN_DEVICE = re.compile(r"\.fail_(read|write)\b")


def folder() -> Path:
    """Return where the cases are."""
    return golden_root() / "vfs"


@cache
def collection() -> dict[str, Any]:
    """Return ``cases.json``; nothing where there is none."""
    path = folder() / "cases.json"
    if not path.exists():
        return {"cases": []}
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


@cache
def image(name: str) -> tuple[int, dict[int, bytes]]:
    """Return a disk image as the programs take it: number of sectors, and those that are not 0."""
    about = collection()["images"][name]
    raw = lzma.decompress((folder() / about["file"]).read_bytes())
    assert len(raw) == about["sectors"] * SECTOR
    numbers = about["nonzero_sectors"]
    return about["sectors"], {n: raw[n * SECTOR : (n + 1) * SECTOR] for n in numbers}


def images() -> dict[str, Any]:
    """Return fresh copies of all images: programs write into them."""
    found = {name: image(name) for name in collection()["images"]}
    return {name: (sectors, dict(blocks)) for name, (sectors, blocks) in found.items()}


def answer(step: dict[str, Any], *, modern: bool) -> Outcome:
    """Return what the reference answered to a step."""
    told = step.get("modern", step) if modern else step
    return Outcome(told.get("value"), told.get("type"), told.get("error"), told.get("errno"))


def check(case: dict[str, Any], profile: str) -> None:
    program = Program(profile, images())
    program.run(collection()["prelude"])
    program.run(collection()["profiles"][case["profile"]]["setup"])
    broken = any(BROKEN_DEVICE.search(step["code"]) for step in case["steps"])
    for number, step in enumerate(case["steps"], 1):
        wanted = answer(step, modern=broken or profile == "modern")
        got = program.step(step["kind"], step["code"])
        assert got == wanted, f"step {number}: {step['code']}: {got}, not {wanted}"


CASES = [pytest.param(case, id=case["id"]) for case in collection()["cases"]]


@pytest.mark.parametrize("case", CASES)
def test_as_v1_11(case: dict[str, Any]) -> None:
    check(case, "maixpy")


@pytest.mark.parametrize("case", CASES)
def test_as_modern(case: dict[str, Any]) -> None:
    check(case, "modern")
