"""``doctor``: verdict, findings and fixes, on images, boards and cards; no file is lost."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from doctor.doctor_cases import CASES
from maixfs.cli.verbs import doctor as verb
from maixfs.doctor import FIXES
from maixfs.firmware import FreqConf
from maixfs.image.opening import open_image
from maixfs.spiffs import PRESETS
from maixfs.spiffs.pack import pack

from .conftest import FILES, Run

ReadJson = Callable[..., dict[str, Any]]
ROOT = Path(__file__).parents[2]
SPIFFS = ROOT / "tests" / "data" / "spiffs"


def contents(image: Path) -> dict[str, bytes]:
    with open_image(image) as target:
        files = [one for one in target.scandir(recursive=True) if not one.is_dir]
        return {one.path: target.read_bytes(one.path) for one in files}


def flash_of(files: dict[str, bytes], place: Path) -> Path:
    """Write an image of MaixPy's file system."""
    image = place / "sick.bin"
    image.write_bytes(pack(list(files.items()), PRESETS["maixpy"]))
    return image


def test_hanging_board_is_fixed_in_one_line(run: Run, place: Path) -> None:
    (place / "sick.bin").write_bytes(CASES["gc-heap"].build())
    before = contents(place / "sick.bin")
    text = run("doctor", "sick.bin", code=1).stdout
    assert text.startswith("This board hangs when it starts.\n")
    assert "fix: maixfs doctor sick.bin --fix freq -o NEW" in text
    said = run("doctor", "sick.bin", "--fix", "freq", "-o", "new.bin").stdout
    assert said.startswith("/flash/freq.conf: gc_heap_size 5242880 is 524288 now\nwrote new.bin")
    after = contents(place / "new.bin")
    assert after.pop("/flash/freq.conf") == FreqConf().pack()
    before.pop("/flash/freq.conf")
    assert after == before
    assert "hangs" not in run("doctor", "new.bin", code=1).stdout


@pytest.mark.parametrize(
    ("fix", "files", "gone", "come"),
    [
        ("boot", {"/boot.py": b"def (", "/boot.py.off": b""}, "/boot.py", "/boot.py.off.off"),
        ("main", {"/main.py": b"x"}, "/main.py", "/main.py.off"),
        ("config", {"/config.json": b"{"}, "/config.json", "/config.json.off"),
        ("ide", {"/ide_mode.conf": b""}, "/ide_mode.conf", None),
        ("names", {"\\sd\\a.txt": b"x", "/sd/a.txt": b"y"}, None, "/sd/a.txt.off"),
        ("names", {"b.txt": b"x"}, None, "/b.txt"),
        ("names", {"\\flash\\b.txt": b"x"}, None, "/b.txt"),
    ],
)
def test_each_fix_changes_only_what_it_names(
    fix: str, files: dict[str, bytes], gone: str | None, come: str | None, run: Run, place: Path
) -> None:
    kept = {"/a.bin": bytes(9000), **files}
    image = flash_of(kept, place)
    old = image.read_bytes()
    assert run("doctor", "sick.bin", "--fix", fix, "-o", "new.bin").stdout.count("\n") == 2
    after = contents(place / "new.bin")
    assert image.read_bytes() == old
    assert after["/a.bin"] == bytes(9000)
    assert gone is None or gone not in after
    assert come is None or come in after
    assert len(after) == len(kept) - (come is None)


def test_fix_without_a_problem_writes_nothing(run: Run, place: Path) -> None:
    flash_of({"/freq.conf": FreqConf().pack()}, place)
    assert "nothing to fix" in run("doctor", "sick.bin", "--fix", "freq", "-o", "n.bin").stdout
    assert not (place / "n.bin").exists()
    before = (place / "sick.bin").read_bytes()
    run("doctor", "sick.bin", "--fix", "boot", "--fix", "ide", "--in-place")
    assert (place / "sick.bin").read_bytes() == before


def test_board_is_fixed_in_place(run: Run, place: Path, read_json: ReadJson) -> None:
    (place / "boot.py").write_bytes(b"print(")
    run("cp", "boot.py", "board:/flash/boot.py")
    assert read_json("doctor", "board", code=1)["findings"][0]["key"] == "syntax"
    document = read_json("doctor", "board", "--fix", "boot", "--in-place")
    assert document["fixed"] == ["/flash/boot.py is called /flash/boot.py.off now"]
    assert document["written"]["sha256"]
    assert contents(place / "board") == {**FILES, "/flash/boot.py.off": b"print("}
    assert run("doctor", "board").stdout.startswith("Nothing is wrong.\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["dump.bin", "--fix", "freq"], "needs the place of the fixed image"),
        (["dump.bin", "--fix", "freq", "-o", "x", "--in-place"], "needs the place"),
        (["dump.bin", "--fix", "teeth", "-o", "x"], "teeth"),
        (["dump.bin", "-o", "x"], "go with --fix"),
        (["board", "--fix", "freq", "-o", "x"], "fixed in place"),
        (["dump.bin:/main.py"], "whole target"),
    ],
)
def test_wrong_usage(line: list[str], message: str, run: Run, place: Path) -> None:
    assert message in run("doctor", *line, code=2).stderr
    assert not (place / "x").exists()


def test_fix_keeps_an_existing_output(run: Run, place: Path) -> None:
    before = (place / "esp.img").read_bytes()
    result = run("doctor", "dump.bin", "--fix", "names", "-o", "esp.img", code=1)
    assert "exists already" in result.stderr
    assert (place / "esp.img").read_bytes() == before


def test_failed_fix_leaves_no_file(run: Run, place: Path) -> None:
    (place / "blank.bin").write_bytes(b"\xff" * 0x100000)
    run("doctor", "blank.bin", "--fix", "freq", "-o", "new.bin", code=1)
    assert not (place / "new.bin").exists()


def test_fix_option_names_every_fix() -> None:
    assert set(verb.FIXES) == FIXES.keys()


def test_looking_writes_nothing(run: Run, place: Path) -> None:
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    for target in ("board", "dump.bin", "esp.img"):
        run("doctor", target)
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("case", "key"),
    [
        ("maixpy-powercut-inflight-read-error", "unreadable"),
        ("maixpy-powercut-duplicate-header", "two-headers"),
        ("idf-powercut-aborted-erase", "aborted-erase"),
        ("maixpy-heavy-k210nw", "stale-pages"),
    ],
)
def test_doctor_finds_damage_inside(case: str, key: str, read_json: ReadJson, place: Path) -> None:
    image = gzip.decompress((SPIFFS / case / "image.bin.gz").read_bytes())
    (place / "area.bin").write_bytes(image)
    code = int(key != "stale-pages")
    found = {each["key"]: each for each in read_json("doctor", "area.bin", code=code)["findings"]}
    assert found[key]["why"] and (found[key]["severity"] != "note") is bool(code)


def test_doctor_reports_that_the_card_goes_first(
    run: Run, place: Path, read_json: ReadJson
) -> None:
    run("sd", "new", "8M", "card.img")
    (place / "cover.main.py").write_bytes(b"x = 1\n")
    run("cp", "cover.main.py", "card.img:/cover.main.py")
    run("sd", "insert", "board", "card.img")
    document = read_json("doctor", "board")
    said = {one["key"]: one["what"] for one in document["findings"]}
    assert said["sd-first"].startswith("/flash/main.py does not run while the card is in")
    assert said["cover"].startswith("/sd/cover.main.py replaces /flash/main.py")
    assert document["card"]["healthy"] is True
    assert "card " in run("doctor", "board").stdout


def test_doctor_examines_a_card_alone(run: Run, place: Path) -> None:
    run("sd", "new", "8M", "card.img")
    text = run("doctor", "card.img").stdout
    assert text.splitlines()[0] == run("sd", "doctor", "card.img").stdout.splitlines()[0]
    image = bytearray((place / "card.img").read_bytes())
    image[0x1BE:0x1FE] = bytes(64)
    (place / "card.img").write_bytes(image)
    assert "fix:" in run("doctor", "card.img", code=1).stdout


def test_every_test_in_the_table_of_complaints_is_there() -> None:
    sources = "\n".join(
        path.read_text(encoding="utf-8") for path in ROOT.glob("tests/*/test_*.py")
    )
    table = (ROOT / "docs" / "COMPLAINTS.md").read_text(encoding="utf-8")
    named = {row.rsplit("`", 2)[1] for row in table.splitlines() if row.endswith("` |")}
    assert len(named) > 30
    for name in named:
        assert f"def {name.partition('[')[0]}(" in sources, name


@pytest.mark.parametrize("target", ["dump.bin", "esp.img", "board"])
def test_info_and_doctor_have_the_same_findings(
    target: str, place: Path, read_json: ReadJson
) -> None:
    if target == "dump.bin":
        (place / target).write_bytes(CASES["bad-hash"].build())
    code = int(target == "dump.bin")
    brief, full = read_json("info", target, code=code), read_json("doctor", target, code=code)
    assert brief["healthy"] is full["healthy"] is (not code)
    assert [each for each in full["findings"] if each in brief["findings"]] == brief["findings"]
    assert full["not_checked"] == [] != brief["not_checked"]


def test_fix_for_the_card_of_a_board_names_the_card(
    run: Run, place: Path, read_json: ReadJson
) -> None:
    run("sd", "new", "8M", "card.img")
    run("sd", "insert", "board", "card.img")
    image = bytearray((place / "card.img").read_bytes())
    image[0x1BE:0x1FE] = bytes(64)
    (place / "card.img").write_bytes(image)
    text = run("doctor", "board", code=1).stdout
    found = {each["key"]: each for each in read_json("doctor", "board", code=1)["findings"]}
    card = found["no-table"]["data"]["image"]
    assert Path(card).name == "card.img"
    assert f"maixfs sd fix {card} -o NEW" in text
