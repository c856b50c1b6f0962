"""``maixfs flash``: raw bytes, and whose they are; the helps of the verbs about flash."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from kmodel.make_models import make_v3
from maixfs.image.boardlock import BoardLock
from maixfs.nor import WearCounts

from .conftest import SMALL, Run

FREE = 0xF0000
"""An address in the dump that nobody owns."""


def test_read_copies_bytes_to_file_and_stdout(run: Run, place: Path) -> None:
    image = Path("dump.bin").read_bytes()
    start = SMALL.base
    line = run("flash", "read", "dump.bin", f"{start:#x}", "4K", "out.bin").stdout
    assert Path("out.bin").read_bytes() == image[start : start + 4096]
    assert "4.0 KiB" in line and "sha256" in line
    got = run("flash", "read", "board", "0x40000", "64", "-").stdout_bytes
    assert got == image[start : start + 64]
    document = json.loads(run("flash", "read", "board", "0x40000", "64", "-", "--json").stdout)
    assert base64.b64decode(document["data_base64"]) == got
    assert (
        "exists already" in run("flash", "read", "dump.bin", "0", "16", "out.bin", code=1).stderr
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("read", "dump.bin", "0x100000", "1", "-"), "is outside the flash"),
        (("read", "dump.bin", "0", "0", "-"), "length is 0"),
        (("erase", "dump.bin", "0x1001", "4K"), "not a multiple of a sector"),
        (("erase", "dump.bin", "0xF0000", "100"), "not a multiple of a sector"),
        (("erase", "dump.bin", "0xF0000", "1M"), "is outside the flash"),
        (("write", "dump.bin", "0xF0800", "new.bin"), "are 0xf0000 and 0xf1000"),
        (("write", "dump.bin", "0x40000", "new.bin"), "spiffs 0x040000-0x0E0000"),
        (("erase", "dump.bin", "0x40000", "4K"), "--force"),
        (("erase", "dump.bin", "-5", "4K"), ""),
    ],
)
def test_bad_addresses_and_owned_ranges_are_refused(
    run: Run, place: Path, line: tuple[str, ...], words: str
) -> None:
    before = Path("dump.bin").read_bytes()
    Path("new.bin").write_bytes(b"new")
    assert words in run("flash", *line, code=2).stderr
    assert Path("dump.bin").read_bytes() == before


def test_write_and_erase_change_sectors(run: Run, place: Path) -> None:
    before = Path("dump.bin").read_bytes()
    model = make_v3()
    Path("m.kmodel").write_bytes(model)
    text = run("flash", "write", "dump.bin", f"{FREE:#x}", "m.kmodel").stdout
    assert f"0x{FREE:06X}-0x{FREE + len(model):06X}" in text
    assert "1 sector changed" in text
    expected = before[:FREE] + model + before[FREE + len(model) :]
    assert Path("dump.bin").read_bytes() == expected
    again = json.loads(
        run("flash", "write", "dump.bin", f"{FREE:#x}", "m.kmodel", "--json").stdout
    )
    assert again["changed"] is False and again["sectors"] == 0
    assert "model 0x0F0000" in run("flash", "erase", "dump.bin", f"{FREE:#x}", "4K", code=2).stderr
    result = run("flash", "erase", "dump.bin", f"{FREE:#x}", "4K", "--force")
    assert "overwrote model 0x0F0000" in result.stderr
    assert Path("dump.bin").read_bytes() == before


def test_write_keeps_the_rest_of_the_last_sector(run: Run, place: Path) -> None:
    Path("a").write_bytes(bytes(range(1, 200)) * 30)
    Path("b").write_bytes(b"\x77" * 4100)
    run("flash", "write", "dump.bin", f"{FREE:#x}", "a")
    run("flash", "write", "dump.bin", f"{FREE:#x}", "b", "--force")
    image = Path("dump.bin").read_bytes()
    assert image[FREE : FREE + 4100] == b"\x77" * 4100
    assert image[FREE + 4100 : FREE + 5970] == Path("a").read_bytes()[4100:]


def test_write_to_a_board_counts_erases_and_needs_its_lock(run: Run, place: Path) -> None:
    Path("a").write_bytes(b"model" * 1000)
    run("flash", "write", "board", f"{FREE:#x}", "a")
    counts = WearCounts.open(place / "board" / "wear.bin", 256, read_only=True)
    assert counts[FREE // 4096] == 1 and counts[FREE // 4096 + 1] == 1
    counts.close()
    with BoardLock(place / "board"):
        result = run("flash", "erase", "board", f"{FREE:#x}", "4K", "--force", code=1)
    assert "powered on" in result.stderr


def test_file_system_is_only_erased_with_force(run: Run, place: Path) -> None:
    document = json.loads(
        run("flash", "erase", "board", "0x40000", "0xA0000", "--force", "--json").stdout
    )
    assert [one["kind"] for one in document["over"]] == ["spiffs"]
    assert Path("board/flash.bin").read_bytes()[0x40000:0xE0000] == b"\xff" * 0xA0000


def test_write_into_the_region_of_another_is_refused(run: Run, tmp_path: Path) -> None:
    image = tmp_path / "blank.bin"
    image.write_bytes(b"\xff" * 0x1000000)
    data = tmp_path / "data"
    data.write_bytes(b"\x11" * 0x2000)
    before = image.read_bytes()
    result = run("flash", "write", str(image), "0xCFF000", str(data), code=2)
    assert "the region of" in result.stderr and "0xD00000-0x1000000" in result.stderr
    assert image.read_bytes() == before
    run("flash", "write", str(image), "0xCFE000", str(data))
    run("flash", "write", str(image), "0xD00000", str(data))
    data.write_bytes(b"\x22" * 0x2000)
    result = run("flash", "write", str(image), "0xCFF000", str(data), "--force")
    assert "overwrote unknown 0xCFE000-0xD02000" in result.stderr
