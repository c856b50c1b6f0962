"""The verbs that read: what they show, as text, plainly and as JSON, and that nothing changes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maixfs.firmware.container import wrap
from maixfs.image.identify import FileKind, identify

from .conftest import FILES, Run

ReadJson = Callable[..., dict[str, Any]]

ENTRY_KEYS = {
    "path",
    "name",
    "type",
    "size",
    "pages",
    "object_id",
    "stored_name_hex",
    "readable",
    "fault",
}
TARGETS = ("board", "dump.bin", "esp.img")


def snapshot(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Return time stamp, mode and content of everything in a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.stat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (status.st_mtime_ns, status.st_mode, content)
    return found


@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "line",
    [
        ["info", "{}"],
        ["ls", "{}"],
        ["ls", "-R", "{}"],
        ["tree", "{}"],
        ["cat", "{}:main.py"],
        ["stat", "{}:**"],
        ["df", "{}"],
        ["du", "{}"],
        ["rm", "-rn", "{}:*"],
        ["mv", "-n", "{}:main.py", "{}:x.py"],
        ["cp", "-rn", "src", "{}:"],
        ["cp", "-n", "{}:main.py", "copy.py"],
    ],
    ids=" ".join,
)
def test_looking_changes_nothing(
    line: list[str], target: str, json: list[str], run: Run, place: Path
) -> None:
    before = snapshot(place)
    run(*[word.format(target) for word in line], *json)
    assert snapshot(place) == before


@pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")
@pytest.mark.parametrize("verb", ["info", "ls", "tree", "df", "du"])
def test_write_protected_image_can_be_read(verb: str, run: Run, place: Path) -> None:
    for path in (place / "board").iterdir():
        path.chmod(0o444)
    (place / "board").chmod(0o555)
    try:
        run(verb, "board")
    finally:
        (place / "board").chmod(0o755)


def test_ls_lists_files_and_folders(run: Run, place: Path) -> None:
    assert run("ls", "board").stdout.splitlines() == [
        " 5.3 KiB  lib/",
        "    15 B  main.py",
        "10.0 KiB  photo.bin",
    ]


def test_ls_takes_folders_files_and_patterns(run: Run, place: Path) -> None:
    assert run("ls", "-1R").stdout.split() == [
        "lib/",
        "lib/a.py",
        "lib/deep/",
        "lib/deep/b.py",
        "main.py",
        "photo.bin",
    ]
    assert run("ls", "-1", ":lib").stdout.split() == ["a.py", "deep/"]
    assert run("ls", "-1", "board:/flash/lib/").stdout.split() == ["a.py", "deep/"]
    assert run("ls", "-1", "board:main.py").stdout == "/flash/main.py\n"
    assert run("ls", "-1", "dump.bin:**/*.py").stdout.split() == [
        "/flash/lib/a.py",
        "/flash/lib/deep/b.py",
        "/flash/main.py",
    ]
    both = run("ls", "-1", "board:lib", "esp.img:lib").stdout
    assert both == "board:lib:\na.py\ndeep/\n\nesp.img:lib:\na.py\ndeep/\n"


def test_ls_long_and_in_bytes(run: Run, place: Path) -> None:
    heading, _, main, photo = run("ls", "-l", "--bytes").stdout.splitlines()
    assert heading.split() == ["size", "pages", "id", "header", "name"]
    assert main.split() == ["15", "2", "0x0001", "0x041000", "main.py"]
    assert photo.split()[0] == "10240"


def test_ls_says_which_file_cannot_be_read(run: Run, place: Path, read_json: ReadJson) -> None:
    damage_photo(place / "dump.bin")
    line = next(line for line in run("ls", "dump.bin").stdout.splitlines() if "photo" in line)
    assert "unreadable: " in line
    entries = read_json("ls", "dump.bin")["targets"][0]["entries"]
    photo = next(entry for entry in entries if entry["name"] == "photo.bin")
    assert not photo["readable"]
    assert "(-10" in photo["fault"]
    assert "unreadable" in run("tree", "dump.bin").stdout
    assert "no: " in run("stat", "dump.bin:photo.bin", code=1).stdout
    result = run("info", "dump.bin", code=1)
    assert "1 problem" in result.stdout
    assert "/flash/photo.bin cannot be read" in result.stdout
    result = run("cat", "dump.bin:main.py", "dump.bin:photo.bin", code=1)
    assert result.stdout == ""
    assert "/flash/photo.bin cannot be read" in result.stderr


def damage_photo(image: Path) -> None:
    """Mark the first data page of photo.bin as deleted, as a power cut may."""
    raw = bytearray(image.read_bytes())
    header = raw.index(b"/photo.bin\0") - 13
    flags = header + 4096 + 4
    assert raw[flags] == 0xFC
    raw[flags] &= 0x7F
    image.write_bytes(raw)


def test_ls_prints_json(read_json: ReadJson, place: Path) -> None:
    (target,) = read_json("ls", "-R", "board")["targets"]
    assert set(target) == {"target", "folder", "entries"}
    assert target["folder"] == "/flash"
    found = {entry["path"]: entry for entry in target["entries"]}
    assert all(set(entry) == ENTRY_KEYS for entry in found.values())
    assert {path for path, entry in found.items() if entry["type"] == "file"} == set(FILES)
    assert found["/flash/main.py"]["size"] == 15
    assert bytes.fromhex(found["/flash/main.py"]["stored_name_hex"]) == b"/main.py"
    assert found["/flash/lib"]["size"] == sum(len(FILES[p]) for p in FILES if "/lib/" in p)


def test_tree_draws_folders_and_files(run: Run, place: Path) -> None:
    assert run("tree", "board").stdout.splitlines() == [
        "board",
        "├── lib/  5.3 KiB",
        "│   ├── a.py  6 B",
        "│   └── deep/  5.3 KiB",
        "│       └── b.py  5.3 KiB",
        "├── main.py  15 B",
        "└── photo.bin  10.0 KiB",
        "2 folders, 4 files, 15.3 KiB",
    ]
    assert run("tree", "--plain", ":lib").stdout.splitlines() == [
        "board:lib",
        "a.py, 6 B",
        "deep/, 5.3 KiB",
        "deep/b.py, 5.3 KiB",
        "1 folder, 2 files, 5.3 KiB",
    ]


def test_tree_prints_json(read_json: ReadJson, place: Path) -> None:
    (target,) = read_json("tree", "esp.img:lib")["targets"]
    assert [entry["path"] for entry in target["entries"]] == [
        "/lib/a.py",
        "/lib/deep",
        "/lib/deep/b.py",
    ]


def test_cat_gives_the_bytes(run: Run, place: Path, read_json: ReadJson) -> None:
    assert run("cat", ":photo.bin").stdout_bytes == FILES["/flash/photo.bin"]
    both = run("cat", "esp.img:main.py", "board:/flash/lib/a.py").stdout_bytes
    assert both == FILES["/flash/main.py"] + FILES["/flash/lib/a.py"]
    (file,) = read_json("cat", ":photo.bin")["files"]
    assert base64.b64decode(file["data_base64"]) == FILES["/flash/photo.bin"]
    assert file["sha256"] == hashlib.sha256(FILES["/flash/photo.bin"]).hexdigest()
    assert set(file) == ENTRY_KEYS | {"target", "sha256", "data_base64"}


def test_cat_refuses_what_is_no_file(run: Run, place: Path) -> None:
    assert "/flash/lib is a folder" in run("cat", ":lib", code=1).stderr
    assert "needs a path" in run("cat", "board", code=2).stderr
    assert "/flash/nope: no such file" in run("cat", ":nope", code=1).stderr


def test_stat_shows_all_details(run: Run, place: Path, read_json: ReadJson) -> None:
    text = run("stat", ":photo.bin").stdout
    assert "size          10240 bytes (10.0 KiB)" in text
    assert "pages         4 (1 index, 3 data), 16.0 KiB of flash" in text
    assert "index header  page " in text
    assert "readable      yes" in text
    assert "kind   folder" in run("stat", ":lib").stdout
    (entry,) = read_json("stat", ":photo.bin")["entries"]
    assert (entry["data_pages"], entry["index_pages"]) == (3, 1)
    raw = (place / "board" / "flash.bin").read_bytes()
    assert raw[entry["address"] + 13 :].startswith(b"/photo.bin\0")
    (meta,) = read_json("stat", "esp.img:main.py")["entries"]
    assert meta["meta_hex"] == "ffffffff"


def test_df_shows_the_room(run: Run, place: Path, read_json: ReadJson) -> None:
    heading, board, image = run("df", "board", "esp.img").stdout.splitlines()
    assert heading.split()[-1] == "use"
    assert board.split()[:2] == ["board", "/flash"]
    assert image.split()[:2] == ["esp.img", "/"]
    (room,) = read_json("df")["targets"]
    assert room["target"] == "board"
    assert room["files"] == 4
    assert room["total"] == room["total_pages"] * room["data_size"]
    assert room["used"] + room["deleted"] + room["free"] == room["total"]
    assert str(room["used"]) in run("df", "--bytes").stdout.split()


def test_du_shows_the_largest_first(run: Run, place: Path, read_json: ReadJson) -> None:
    lines = run("du", "board").stdout.splitlines()
    assert [line.split()[-1] for line in lines] == [
        "name",
        "lib/",
        "photo.bin",
        "main.py",
        "board",
    ]
    total = lines[-1].split()
    assert total == ["44.0", "KiB", "15.3", "KiB", "board"]
    assert run("du", "-s", "board").stdout.splitlines()[-1].split() == total
    assert run("du", "-R", "board").stdout.splitlines()[-1].split() == total
    (target,) = read_json("du", "-R", "board")["targets"]
    assert (target["pages"], target["on_flash"]) == (11, 11 * 4096)
    assert target["size"] == sum(map(len, FILES.values()))


def test_info_shows_an_image(run: Run, place: Path, read_json: ReadJson) -> None:
    text = run("info").stdout
    assert text.startswith("board  virtual board, 1.0 MiB\n")
    assert "0x040000 to 0x0E0000, 640 KiB, mounted at /flash" in text
    assert "5 blocks of 128 KiB, pages of 4 KiB, names up to 127 bytes" in text
    assert "health    nothing is wrong in what was checked" in text
    image = run("info", "esp.img").stdout
    assert "known by  100 % sure: 32 of 32 blocks carry their magic\n" in image
    exact = run("info", "--bytes").stdout
    assert "1048576 bytes\n" in exact
    assert "5 blocks of 131072 bytes, pages of 4096 bytes" in exact
    document = read_json("info", "esp.img")
    assert document["kind"] == "SPIFFS image"
    assert document["healthy"] is True
    assert document["geometry"]["page_size"] == 256
    assert document["preset"] == "esp-idf"


def test_info_has_the_flags_of_other_tools_where_they_help(run: Run, place: Path) -> None:
    assert "mkspiffs" not in run("info", "esp.img").stdout
    asked = run("info", "--flags", "esp.img").stdout
    assert "mkspiffs   -s 0x20000 -p 256 -b 4096" in asked
    assert "spiffsgen  0x20000 DIR IMAGE" in asked
    assert "spiffsgen  0xa0000 DIR IMAGE" in run("info", "--flags").stdout
    run("pack", "src", "-o", "own.img", "--preset", "esp-idf", "--page-size", "512")
    assert "mkspiffs   -s 0x100000 -p 512 -b 4096" in run("info", "own.img").stdout


def test_info_tells_a_doubt_and_never_rounds_it_away(run: Run, place: Path) -> None:
    many = Path("many")
    many.mkdir()
    for number in range(400):
        (many / str(number)).write_bytes(b"x")
    run("pack", "many", "-o", "many.img", "--preset", "esp-idf")
    image = bytearray(Path("many.img").read_bytes())
    image[2:4] = b"\x77\x00"
    Path("many.img").write_bytes(image)
    (line,) = [
        line for line in run("info", "many.img", code=1).stdout.splitlines() if "sure" in line
    ]
    assert "99 % sure: 256 of 256 blocks carry their magic; " in line
    assert "look-up entries agree" in line


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_info_names_the_firmware(right: bool, run: Run, place: Path, read_json: ReadJson) -> None:
    program = bytes(0x1000 - 5) + b"Kboot_v1.2.3\0" + bytes(5000)
    firmware = b"\x00" + len(program).to_bytes(4, "little") + program
    firmware += hashlib.sha256(firmware if right else program).digest()
    raw = (place / "dump.bin").read_bytes()
    (place / "dump.bin").write_bytes(firmware + raw[len(firmware) :])
    text = run("info", "dump.bin").stdout
    size = f"{len(firmware) / 1024:.1f} KiB"
    verdict = "SHA-256 right" if right else "SHA-256 wrong"
    assert f"0x000000, {size}, Kboot_v1.2.3, {verdict}\n" in text
    assert read_json("info", "dump.bin")["firmware"]["intact"] is right


def test_plain_text_has_no_columns_and_no_drawings(run: Run, place: Path) -> None:
    assert run("df", "--plain").stdout.startswith("target board, mounted at /flash, size ")
    assert "size 15 B, name main.py\n" in run("ls", "--plain").stdout
    assert "health: nothing is wrong in what was checked\n" in run("info", "--plain").stdout
    for verb in ("ls", "tree", "df", "du", "info"):
        assert run(verb, "--plain", "--color", "always").stdout.isascii()


def test_given_geometry_is_used(run: Run, place: Path) -> None:
    given = "maixpy,size=0xA0000,base=0x40000"
    assert "the command line\n" in run("info", "dump.bin", "--geometry", given).stdout
    assert "main.py" in run("ls", "dump.bin", "--base", "0x40000").stdout
    assert "no SPIFFS starts at 0x1000" in run("ls", "dump.bin", "--base", "4K", code=1).stderr
    wrong = run("ls", "dump.bin", "--geometry", "maixpy,page=3000", code=2).stderr
    assert "not two or more pages" in wrong
    assert "'page_count'" in run("ls", "dump.bin", "--geometry", "page_count=3", code=2).stderr
    assert (
        "'arduino' is not a preset"
        in run("ls", "dump.bin", "--geometry", "arduino", code=2).stderr
    )
    assert "not a number" in run("ls", "dump.bin", "--geometry", "page=big", code=2).stderr


def test_without_a_board_a_target_has_to_be_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for verb in ("ls", "info", "df", "du", "tree", "gc"):
        message = run(verb, code=2).stderr
        assert f"{verb} needs a target" in message
        assert f"hint: maixfs {verb} IMAGE" in message
    assert "cat needs a target" in run("cat", ":main.py", code=2).stderr


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", FileKind.EMPTY),
        (b"\xff" * 0x20000, FileKind.ERASED),
        (b"\0" * 0x20000, FileKind.ZERO),
        (b"hello\n" * 4000, FileKind.TEXT),
        (b"\x89PNG\r\n\x1a\n" + bytes(90000), FileKind.PNG),
        (b"x" * 100, FileKind.TEXT),
        (gzip.compress(b"hello\n" * 4000), FileKind.TEXT),
    ],
    ids=["empty", "erased", "zeros", "text", "png", "tiny", "gzip"],
)
def test_info_of_another_file_identifies_it(
    content: bytes,
    kind: FileKind,
    run: Run,
    read_json: ReadJson,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.bin").write_bytes(content)
    about = read_json("info", "file.bin")
    assert about["kind"] == kind and about["evidence"]
    assert str(identify(content)) in run("file.bin").stdout


def test_info_of_unknown_bytes_fails(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.bin").write_bytes(bytes(range(256)) * 512)
    result = run("info", "file.bin", code=1)
    assert result.stdout == ""
    assert result.stderr.startswith("error: file.bin")


def test_info_of_a_firmware_names_the_next_command(
    run: Run, read_json: ReadJson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fw.bin").write_bytes(wrap(b"\x21\xa8\xef\xbe\xad\xde" + bytes(5000)))
    about = read_json("info", "fw.bin")
    assert (about["kind"], about["next"]) == (FileKind.FIRMWARE, ["firmware info", ["{image}"]])
    assert "maixfs firmware info fw.bin" in run("info", "fw.bin").stdout


def test_cut_dump_gets_a_note(run: Run, place: Path) -> None:
    raw = (place / "dump.bin").read_bytes()
    (place / "dump.bin").write_bytes(raw[: 0xC0000 + 12])
    listed = run("ls", "dump.bin")
    assert listed.stderr.count("dump.bin") == listed.stderr.count("cut short") == 1
    assert run("unpack", "dump.bin", "out").stderr.count("cut short") == 1
    assert "main.py" in listed.stdout
