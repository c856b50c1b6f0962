"""``maixfs kboot``: shown as Kboot judges, changed without leaving a board that starts nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from maixfs.firmware import entry_for, make_config, wrap

from .conftest import Run

PROGRAM = b"\x21\xa8\xef\xbe\xad\xde\x01\x00\x01\x00" + bytes(range(256)) * 80
SLOTS = (0x80000, 0x90000)


def make_krux(size: int = 0x100000, slots: tuple[int, int] = SLOTS, *, entries: int = 1) -> bytes:
    """Return a flash with Kboot and two applications, of which the first starts."""
    image = bytearray(b"\xff" * size)

    def put(address: int, data: bytes) -> None:
        image[address : address + len(data)] = data

    put(0, wrap(b"\x6f\x00" + bytes(600)))
    stage = bytearray(b"\x6f\x00\x00\x00Kboot_v1.4.1\0" + bytes(6000))
    put(0x1000, wrap(bytes(stage)))
    for number, slot in enumerate(slots):
        put(slot, wrap(PROGRAM + bytes([number])))
    configured = [
        entry_for(image, slot, "firmware", number=number)
        for number, slot in enumerate(slots[:entries])
    ]
    put(0x4000, make_config(configured))
    put(0x5000, make_config([]))
    return bytes(image)


@pytest.fixture
def flash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a flash with Kboot, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    place = Path("krux.bin")
    place.write_bytes(make_krux())
    return place


def show(run: Run, place: Path, code: int = 0) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        run("kboot", "show", str(place), "--json", code=code).stdout
    )
    return document


def test_show_lists_the_entries(run: Run, flash: Path) -> None:
    before = flash.read_bytes()
    about = show(run, flash)
    assert about["version"] == "Kboot_v1.4.1"
    assert about["choice"]["address"] == SLOTS[0]
    (entry,) = about["entries"]
    assert entry["ok"] and entry["active"] and entry["checks"] == ["size", "sha256"]
    text = run("kboot", "show", str(flash)).stdout
    assert "Kboot_v1.4.1" in text
    assert "0x080000" in text
    assert "yes" in text
    assert flash.read_bytes() == before


def test_set_address_starts_another_application(run: Run, flash: Path) -> None:
    text = run("kboot", "set", str(flash), "0", "--address", "0x90000", "--name", "new").stdout
    assert "'new' at 0x090000" in text
    assert "sha256" in text
    assert show(run, flash)["choice"]["address"] == SLOTS[1]
    run("kboot", "set", str(flash), "0", "--address", "512K", "--config", "both")
    entries = show(run, flash)["entries"]
    assert [(one["config"], one["address"]) for one in entries] == [
        ("main", SLOTS[0]),
        ("backup", SLOTS[0]),
    ]
    assert entries[0]["name"] == "new"


def test_set_changes_the_boot_flags(run: Run, flash: Path) -> None:
    run("kboot", "set", str(flash), "--boot-pin", "16")
    assert show(run, flash)["boot_pin"] == 16
    run("kboot", "set", str(flash), "--silent")
    assert show(run, flash)["silent"]
    assert "silent" in run("kboot", "show", str(flash)).stdout


def test_set_refuses_to_leave_nothing_that_starts(run: Run, flash: Path) -> None:
    before = flash.read_bytes()
    for change in (("--active", "no"), ("--clear",)):
        result = run("kboot", "set", str(flash), "0", *change, code=2)
        assert "Kboot would start nothing" in result.stderr
        assert flash.read_bytes() == before
    run("kboot", "set", str(flash), "0", "--active", "no", "--force")
    assert show(run, flash, code=1)["choice"]["source"] == "halt"
    assert "nothing: " in run("kboot", "show", str(flash), code=1).stdout
    run("kboot", "set", str(flash), "0", "--active", "yes")
    assert flash.read_bytes() == before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("0",), "nothing to change"),
        (("--name", "x"), "number of the entry"),
        (("0", "--clear", "--name", "x"), "removed and changed"),
        (("3", "--name", "x"), "no entry 3"),
        (("0", "--silent", "--boot-pin", "3"), "ignores the boot pin"),
        (("0", "--name", "a name that is too long"), "15 ASCII characters"),
        (("9", "--clear"), "9"),
    ],
)
def test_set_refuses_contradictions(
    run: Run, flash: Path, line: tuple[str, ...], words: str
) -> None:
    before = flash.read_bytes()
    assert words in run("kboot", "set", str(flash), *line, code=2).stderr
    assert flash.read_bytes() == before


def test_set_refuses_an_address_without_application(run: Run, flash: Path) -> None:
    result = run("kboot", "set", str(flash), "1", "--address", "0xA0000", code=1)
    assert "nothing at 0xa0000" in result.stderr


def test_image_without_kboot_is_an_error(run: Run, place: Path) -> None:
    assert "no Kboot" in run("kboot", "show", "dump.bin", code=1).stderr
    assert "no Kboot" in run("kboot", "set", "dump.bin", "0", "--clear", code=1).stderr
