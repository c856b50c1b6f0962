"""The firmware on the flash: a board starts only if it is intact or missing."""

from __future__ import annotations

import io
import struct

import pytest

from board.desk import Desk
from board.models import put_raw
from maixfs.board import BoardConfig, BoardError
from maixfs.firmware import wrap
from maixfs.spiffs import PRESETS

PAYLOAD = b"\x21\xa8\xef\xbe\xad\xde" + bytes(range(250)) * 80
GOOD = wrap(PAYLOAD)


def boot_log(desk: Desk) -> str:
    log = io.StringIO()
    desk.run("", boot_log=log)
    return log.getvalue()


def test_blank_flash_starts(desk: Desk) -> None:
    desk.run("")
    for content in (b"", bytes(64)):
        put_raw(desk, content, 0)
        output = desk.run("print(1)")
        assert (output.out, output.err) == ("1\n", "")
        assert boot_log(desk).count("no firmware is on the flash") == 1
    put_raw(desk, GOOD, 0)
    assert "no firmware" not in boot_log(desk)


@pytest.mark.parametrize("dio", [False, True])
def test_intact_firmware_starts(desk: Desk, dio: bool) -> None:
    put_raw(desk, wrap(PAYLOAD, dio=dio), 0)
    assert desk.run("print(1)").out == "1\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (GOOD[:-1] + b"x", "SHA-256 is wrong"),
        (PAYLOAD, "has no header"),
        (b"\x09" + GOOD[1:], "flags 0x09"),
        (b"\0\0\0\0\x7f" + GOOD, "length 0x7f000000"),
        (b"\0\0\0\x50\0" + GOOD, "ends at 0x"),
        (b"text", "no firmware at 0x0"),
    ],
)
def test_damaged_firmware_does_not_start(desk: Desk, content: bytes, reason: str) -> None:
    put_raw(desk, content, 0)
    with pytest.raises(BoardError, match="the board does not start: ") as caught:
        desk.run("print(1)")
    assert reason in str(caught.value)
    assert desk.run("print(1)", ignore_firmware=True).out == "1\n"
    path = desk.folder / "board.toml"
    path.write_text(path.read_text() + "\n[boot]\nignore_firmware = true\n")
    assert desk.run("print(1)").out == "1\n"
    config = BoardConfig.load(desk.folder)
    assert BoardConfig.parse(config.dump()) == config


def kboot(desk: Desk, application: bytes, address: int = 0x80000) -> None:
    """Write Kboot to the flash, with an application in its configuration."""
    put_raw(desk, wrap(b"stage 0 of the loader"), 0)
    put_raw(desk, wrap(b"\0\0\0\0Kboot_v1.4.1\0" + bytes(99)), 0x1000)
    entry = struct.pack(">4I8s2I", 0x5AA5D0C5, address, 0x1AA000, 0, b"firmware", 0, 0)
    put_raw(desk, entry + bytes(4096 - 32), 0x4000)
    put_raw(desk, application, address)


def test_kboot_starts_its_application(desk: Desk) -> None:
    kboot(desk, GOOD)
    assert desk.run("print(1)").out == "1\n"


def test_kboot_application_at_a_high_address_starts(desk: Desk) -> None:
    desk.folder = desk.folder.parent / "whole"
    desk.create(flash_size=1 << 24, geometry=PRESETS["maixpy"])
    kboot(desk, wrap(PAYLOAD * 20), 0x7F8000)
    assert desk.run("print(1)").out == "1\n"


def test_kboot_without_an_intact_application_does_not_start(desk: Desk) -> None:
    kboot(desk, GOOD[:-1] + b"x")
    with pytest.raises(BoardError, match=r"Kboot_v1\.4\.1 finds no application: .*0x10000"):
        desk.run("print(1)")
