"""The doctor tells of each complaint that an image can show, and of none in a sound one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.doctor_cases import CASES, V3_AND_V4, flash, loading
from image.whole_image import make_flash
from kmodel.make_models import make_v3, make_v4
from maixfs.board.compiler import newer_syntax
from maixfs.doctor import Diagnosis, examine, make_patient
from maixfs.doctor.records import series
from maixfs.image.flash import FlashImage
from maixfs.spiffs import PRESETS
from maixfs.spiffs.pack import pack

TABLE = Path(__file__).parents[2] / "docs" / "COMPLAINTS.md"


def diagnoses(image: bytes | bytearray, **about: bool) -> list[Diagnosis]:
    patient = make_patient(FlashImage(bytes(image)), "dump.bin", **about)  # type: ignore[arg-type]
    return examine(patient, newer_syntax)


@pytest.mark.parametrize("name", CASES)
def test_complaint(name: str) -> None:
    case = CASES[name]
    found = [one for one in diagnoses(case.build()) if one.key == case.key]
    assert found, name
    said = [one for one in found if case.words in f"{one.what} {one.why}"]
    assert said, found
    assert said[0].is_problem is case.is_problem
    assert said[0].what[-1] != "." and "\n" not in said[0].what
    if case.is_problem:
        assert said[0].why or said[0].mend


@pytest.mark.parametrize(
    "image",
    [flash(), loading(make_v3()), loading(make_v4(), firmware=V3_AND_V4)],
    ids=["plain", "v3", "v4"],
)
def test_a_sound_flash_has_no_problem(image: bytearray) -> None:
    assert [one for one in diagnoses(image) if one.is_problem] == []


def test_problems_come_first() -> None:
    found = [one.is_problem for one in diagnoses(CASES["gc-heap"].build())]
    assert found == sorted(found, reverse=True)


def test_the_table_of_complaints_names_each_case_and_what_is_said() -> None:
    rows = [line.split(" | ") for line in TABLE.read_text(encoding="utf-8").splitlines()]
    told = {row[-1].strip(" |`"): row for row in rows if len(row) == 4 and "`test_" in row[-1]}
    ours = {f"test_complaint[{name}]": case for name, case in CASES.items()}
    assert told.keys() >= ours.keys()
    for test, case in ours.items():
        assert f"`{case.key}`" in told[test][1], test


def test_a_virtual_board_needs_no_firmware() -> None:
    found = diagnoses(flash(b""), is_board=True)
    assert [one.key for one in found if one.is_problem] == []


def test_a_file_system_that_nothing_mounts_is_told() -> None:
    area = bytearray(pack([("/a", b"x")], PRESETS["maixpy"]))
    for block in (3, 7):
        area[block * 0x20000 + 0xFFC] ^= 0xFF
    found = {one.key: one for one in diagnoses(area)}
    assert found["no-mount"].is_problem and "lost its magic" in found["no-mount"].why
    blank = make_patient(
        FlashImage(bytes(make_flash({}, firmware=b"", models={}))[:0xD00000] + b"\xff" * 0x300000),
        "board",
        geometry=PRESETS["maixpy"],
        is_board=True,
    )
    assert [(one.key, one.is_problem) for one in examine(blank)] == [("blank", False)]


def test_an_image_of_one_file_system_is_not_asked_for_firmware() -> None:
    esp = pack([("/a", b"x")], PRESETS["esp-idf"].with_size(0x20000))
    found = diagnoses(esp)
    assert [one.key for one in found] == ["foreign"]
    assert "block" in found[0].what and not found[0].is_problem
    assert diagnoses(pack([("/main.py", b"x = 1")], PRESETS["maixpy"])) == []


def test_long_series_are_cut() -> None:
    assert series(["/a"]) == "/a"
    assert series(["/a", "/b"]) == "/a and /b"
    assert series([*"abcde"]) == "a, b, c and 2 more"


@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_no_damage_stops_the_doctor(data: st.DataObject) -> None:
    image = bytearray(CASES["v5-model"].build())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.sampled_from([0, 0x300000, 0xD00000, 0xD01000, 0xD20000, 0xD02000]))
        at += data.draw(st.integers(0, 600))
        junk = data.draw(st.binary(min_size=1, max_size=64))
        image[at : at + len(junk)] = junk
    assert isinstance(diagnoses(image), list)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(program=st.binary(max_size=80) | st.text(max_size=60).map(str.encode))
def test_any_bytes_may_be_a_program(program: bytes) -> None:
    image = pack([("/boot.py", program), ("/freq.conf", program)], PRESETS["maixpy"])
    assert isinstance(diagnoses(image), list)
