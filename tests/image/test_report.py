"""What is known of a target, as values and as a dictionary for JSON."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from image.places import (
    FILES,
    MAIXPY,
    SMALL,
    Place,
    findings_of,
    flash_of,
    make_bare,
    make_image,
)
from maixfs.finding import Command
from maixfs.image.entries import Kind
from maixfs.image.opening import open_image
from maixfs.image.report import FirmwareFacts, firmware_facts, make_report
from maixfs.spiffs import PRESETS
from maixfs.spiffs.pack import pack


def firmware(program: bytes, flags: int = 0) -> bytes:
    head = bytes([flags]) + len(program).to_bytes(4, "little") + program
    return head + hashlib.sha256(head).digest()


def test_report_has_only_json_values(place: Place) -> None:
    with open_image(place.host) as target:
        report = make_report(target)
    values = json.loads(json.dumps(report.as_dict()))
    assert values["kind"] == str(report.kind)
    assert values["target"] == str(place.host)
    assert values["geometry"]["base"] == place.geometry.base
    assert values["room"]["files"] == len(FILES)
    assert findings_of(place.host) == []
    assert (values["confidence"] is None) is (report.kind is Kind.BOARD)
    assert f"-b {place.geometry.block_size}" in values["mkspiffs"]
    assert f"--page-size {place.geometry.page_size}" in values["spiffsgen"]


def test_erase_counts_are_those_of_the_blocks(tmp_path: Path) -> None:
    host = make_bare(tmp_path, SMALL).host
    image = bytearray(host.read_bytes())
    for block, count in enumerate([5, 7, 0xFFFF, 9, 9, 9, 9, 9]):
        at = block * SMALL.block_size + SMALL.magic_offset + 2
        image[at : at + 2] = count.to_bytes(2, "little")
    host.write_bytes(image)
    with open_image(host) as target:
        counts = make_report(target).block_erases
        assert counts == (5, pytest.approx(57 / 7), 9)


def test_area_without_erase_counts_has_none(tmp_path: Path) -> None:
    host = make_bare(tmp_path, SMALL).host
    image = bytearray(host.read_bytes())
    for block in range(SMALL.blocks):
        at = block * SMALL.block_size + SMALL.magic_offset + 2
        image[at : at + 2] = b"\xff\xff"
    host.write_bytes(image)
    with open_image(host) as target:
        assert make_report(target).block_erases is None


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (b"\xff" * 100, None),
        (bytes(100), None),
        (b"\x08\x10\0\0\0" + bytes(100), None),
        (b"\x00\xff\xff\xff\x7f" + bytes(100), None),
        (b"\x00", None),
        (firmware(b"program" * 9), FirmwareFacts(100, False, True, None)),
        (firmware(b"program" * 9, 3), FirmwareFacts(100, True, True, None)),
        (firmware(b"program" * 9)[:-1] + b"\0", FirmwareFacts(100, False, False, None)),
    ],
)
def test_firmware_is_known_by_its_header(start: bytes, found: FirmwareFacts | None) -> None:
    assert firmware_facts(memoryview(start.ljust(len(start), b"\xff"))) == found


def test_report_names_the_boot_loader(tmp_path: Path) -> None:
    image = bytearray(flash_of(SMALL, 0x100000, FILES))
    image[:100] = firmware(b"program" * 9)
    image[0x1009:0x1015] = b"Kboot_v1.4.1"
    host = tmp_path / "dump"
    host.write_bytes(image)
    with open_image(host) as target:
        report = make_report(target)
        assert report.firmware == FirmwareFacts(100, False, True, "Kboot_v1.4.1")
        assert report.written_outside == 0x3000


def test_unlikely_second_file_system_is_noted(tmp_path: Path) -> None:
    second = replace(SMALL, base=0xC0000, size=0x40000)
    image = bytearray(flash_of(SMALL, 0x100000, FILES))
    image[second.base :] = pack([], second)
    host = tmp_path / "dump"
    host.write_bytes(image)
    with open_image(host) as target:
        assert target.spiffs.geometry == SMALL
        by_key = {each.key: each for each in findings_of(target.host)}
        finding = by_key["other-area"]
        assert not finding.is_problem
        assert finding.where == second.base
        assert finding.fix == (Command("info", ("{image}", "--base", "0xc0000")),)
    with open_image(host, base=second.base) as target:
        assert target.spiffs.geometry == second


def test_report_on_a_dump_copies_no_bytes(tmp_path: Path) -> None:
    """The file is mapped: what Python itself holds stays far below its size."""
    import tracemalloc

    host = make_image(tmp_path, MAIXPY, 0x1000000).host
    with open_image(host) as target:
        make_report(target)
    tracemalloc.start()
    try:
        with open_image(host) as target:
            target.scandir(recursive=True)
            make_report(target)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_reading_images_loads_no_board_module(tmp_path: Path) -> None:
    import subprocess

    host = make_bare(tmp_path, PRESETS["esp-idf"].with_size(0x40000)).host
    code = (
        "import sys, maixfs; before = len(sys.modules);"
        "assert before < 100, before;"
        "from maixfs.image.report import make_report; make_report(maixfs.open(sys.argv[1]));"
        "names = [name for name in sys.modules if name.startswith('maixfs.')];"
        "assert not [n for n in names if n.split('.')[1] in ('board', 'vfs', 'cli')], names;"
        "assert 'difflib' not in sys.modules and 'rich' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(host)], check=True)
