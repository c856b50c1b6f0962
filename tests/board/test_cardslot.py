"""Inserting and ejecting cards on a running board."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from board.cards import (
    ASK,
    EIO,
    SMALL_CARD,
    START,
    Moments,
    card_image,
    check,
    files_of,
    put_in,
    put_in_new,
    ram_card,
)
from board.desk import Desk
from maixfs.board import Board, BoardBusyError, BoardConfig, BoardError
from maixfs.cards.make import new_card
from maixfs.fat import FatCore
from maixfs.host.locks import holder_of
from maixfs.sd import RamSectors, SdCard
from maixfs.sd.card import Faults

# In and out


def test_inserted_card_is_mounted_by_remount(desk: Desk) -> None:
    image = card_image(desk)
    board: Board
    with desk.on(clock=Moments(lambda: board.insert_sd(image))) as board:
        result = board.run(
            ASK + "print(uos.listdir('/'))\nutime.sleep(1)\nprint(uos.listdir('/'))\n"
            "machine.SDCard.remount()\nprint(uos.listdir('/'), uos.getcwd())\n"
            "with open('new', 'w') as f: f.write('text')\nprint(uos.listdir('/sd'))\n"
        )
    assert result.exit_code == 0
    assert desk.out.getvalue() == "['flash']\n['flash']\n['flash', 'sd'] /sd\n['new']\n"
    assert files_of(image) == {"/new": b"text"}


def test_inserted_card_stays_after_power_off(desk: Desk) -> None:
    image = card_image(desk)
    with desk.on() as board:
        board.insert_sd(image, read_only=False)
        assert "sd" not in board.uos.listdir("/")
        board.reset()
        assert "sd" in board.uos.listdir("/")
    assert BoardConfig.load(desk.folder).sd.path(desk.folder) == image
    with desk.on() as board:
        assert "sd" in board.uos.listdir("/")
        board.eject_sd()
        assert board.config.sd.image is None
    assert desk.run("import uos\nprint(uos.listdir('/'))").out == "['flash']\n"


GONE = """
print(uos.listdir('/'), uos.getcwd(), uos.stat('/sd')[0])
print(ask(lambda: uos.listdir('/sd')), ask(lambda: uos.listdir()))
print(ask(lambda: uos.stat('/sd/a')), ask(lambda: open('a')), ask(lambda: open('new', 'w')))
print(ask(lambda: uos.mkdir('d')), ask(lambda: uos.rmdir('d')), ask(lambda: uos.remove('a')))
print(ask(lambda: uos.rename('a', 'b')), ask(lambda: uos.statvfs('/sd')))
print(ask(lambda: uos.chdir('/sd/d')), ask(lambda: uos.chdir('/sd')))
print(ask(lambda: r.read(1)), ask(lambda: w.write('x')), ask(lambda: w.flush()))
print(ask(lambda: r.close()), ask(lambda: w.close()))
"""


def test_ejected_card_is_eio(desk: Desk) -> None:
    image = put_in_new(desk)
    board: Board

    def pull() -> None:
        board.eject_sd()

    with desk.on(clock=Moments(pull)) as board:
        result = board.run(
            ASK + "for n in 'a', 'b':\n  with open(n, 'w') as f: f.write('kept' * 1000)\n"
            "r = open('a'); r.read(1)\nw = open('b', 'a'); w.write('lost')\n"
            "utime.sleep(1)\n" + GONE + "with open('/flash/f', 'w') as f: f.write('fine')\n"
            "print(open('/flash/f').read())\nuos.umount('/sd')\nprint(uos.listdir('/'))\n"
        )
    assert result.exit_code == 0, desk.out.getvalue()
    lines = desk.out.getvalue().splitlines()
    assert lines[0] == "['flash', 'sd'] /sd 16384"
    assert lines[1:5] == [" ".join([EIO] * count) for count in (2, 3, 3, 2)]
    assert lines[5] == f"{EIO} None"
    assert lines[6] == " ".join([EIO] * 3)
    assert lines[7] == f"None {EIO}"
    assert lines[8:] == ["fine", "['flash']"]
    assert files_of(image)["/a"] == files_of(image)["/b"] == b"kept" * 1000
    assert check(image) == ""


@pytest.mark.parametrize("same", [True, False], ids=["the same card", "another card"])
def test_reinserted_card_is_mounted_by_remount(desk: Desk, same: bool) -> None:
    image = put_in_new(desk)
    other = image if same else card_image(desk)
    board: Board

    def change() -> None:
        board.eject_sd()
        board.insert_sd(other)

    with desk.on(clock=Moments(change)) as board:
        result = board.run(
            ASK + "with open('a', 'w') as f: f.write('first')\n"
            "w = open('b', 'w'); w.write('lost')\nutime.sleep(1)\n"
            "print(ask(lambda: uos.listdir('/sd')))\nmachine.SDCard.remount()\n"
            "print(sorted(uos.listdir('/sd')), ask(lambda: w.write('x')), ask(w.close))\n"
            "with open('c', 'w') as f: f.write('second')\n"
        )
    assert result.exit_code == 0, desk.out.getvalue()
    names = "['a', 'b', 'main.py']" if same else "[]"  # the entry of b, without its data
    assert desk.out.getvalue() == f"{EIO}\n{names} {EIO} {EIO}\n"
    assert files_of(other)["/c"] == b"second"
    assert files_of(image)["/a"] == b"first"
    # FatFs writes the sector of the FAT when the data of `b` takes its only buffer: the cluster
    # is on the card, the entry that would own it is not.
    assert "Reclaimed 1 unused cluster" in check(image)
    assert same or check(other) == ""


def test_remount_of_an_empty_slot_changes_nothing(desk: Desk) -> None:
    put_in_new(desk)
    with desk.on() as board:
        board.eject_sd()
        ask = "machine.SDCard.remount()\nprint(uos.listdir('/'), ask(uos.listdir))\n"
        board.run(ASK + ask)
        board.run(ASK + ask)
    assert desk.out.getvalue() == (f"['flash', 'sd'] {EIO}\n['flash'] ['freq.conf', 'main.py']\n")
    assert "maixfs" not in desk.err.getvalue()


def test_remount_drops_the_mounts_after_the_card(desk: Desk) -> None:
    put_in(desk, "part2")
    output = desk.run(
        ASK + "class Empty:\n  def mount(self, *_): pass\n"
        "uos.mount(Empty(), '/ram')\nprint(uos.listdir('/'))\nuos.chdir('/flash')\n"
        "machine.SDCard.remount()\nprint(uos.listdir('/'), uos.getcwd())\n",
        explain=True,
    )
    assert output.out == "['flash', 'sd', 'sd2', 'ram']\n['flash', 'sd', 'sd2'] /sd\n"
    assert "took /ram out of the mount table" in output.err
    assert "remount() returns at once on a board" in output.err


def test_file_open_at_a_remount_is_lost(desk: Desk) -> None:
    image = put_in_new(desk)
    output = desk.run(
        ASK + "f = open('a', 'w'); f.write('lost')\nmachine.SDCard.remount()\n"
        "print(ask(lambda: f.write('x')))\nopen('b', 'w').close()\n"
    )
    assert output.out == f"{EIO}\n"
    assert files_of(image).get("/a", b"") == b""
    assert files_of(image)["/b"] == b""
    assert "Reclaimed 1 unused cluster" in check(image)  # of `a`, as a power cut leaves it


def test_second_card_is_refused_on_a_running_board(desk: Desk) -> None:
    with desk.on() as board:
        with pytest.raises(BoardError, match="no card is in the slot"):
            board.eject_sd()
        board.insert_sd(ram_card())
        with pytest.raises(BoardError, match=r"a card is in the slot of .* already"):
            board.insert_sd(ram_card())
        board.eject_sd()
        with pytest.raises(BoardError, match="does not exist"):
            board.insert_sd(desk.folder / "none.img")
        assert board.sd.card is None
        with pytest.raises(BoardError, match=r"at least|4 sectors"):
            board.insert_sd(RamSectors(1))
        board.insert_sd(card_image(desk))
    assert BoardConfig.load(desk.folder).sd.image is not None


def test_insert_sd_on_a_board_without_power_is_board_error(desk: Desk) -> None:
    image = card_image(desk)
    with desk.on() as board:
        pass
    with pytest.raises(BoardError, match="is powered off"):
        board.insert_sd(image)
    with pytest.raises(BoardError, match="is powered off"):
        board.eject_sd()
    assert board.sd.card is None


def test_card_is_locked_by_one_board(desk: Desk, new_board: Path, tmp_path: Path) -> None:
    image = put_in_new(desk)
    other = Desk(tmp_path / "second")
    shutil.copytree(new_board, other.folder)
    with desk.on(), other.on() as board:
        with pytest.raises(BoardBusyError, match=r"new\.img is in use"):
            board.insert_sd(image)
        assert board.sd.card is None
    with other.on() as board:
        board.insert_sd(image)
        with pytest.raises(BoardBusyError), desk.on():
            raise AssertionError("it must not start")


@pytest.mark.parametrize("trouble", ["gone", "write-protected", "cut"])
def test_unusable_card_stops_power_on(desk: Desk, trouble: str) -> None:
    image = put_in_new(desk)
    if trouble == "gone":
        image.unlink()
    elif trouble == "cut":
        image.write_bytes(bytes(100))
    else:
        image.chmod(0o400)
    with pytest.raises(BoardError, match=r"new\.img"), desk.on():
        raise AssertionError("it must not start")
    assert holder_of(desk.folder / "board.lock") is None


def test_host_error_of_a_card_is_reported_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_new(desk)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with desk.on() as board:
        card = board.sd.card
        assert card is not None
        monkeypatch.setattr(card.medium._file, "_write", full)  # type: ignore[attr-defined]
        board.run(ASK + "for n in 'a', 'b': print(ask(lambda: uos.mkdir(n)))")
        monkeypatch.undo()
    assert desk.out.getvalue() == f"{EIO}\n" * 2
    assert desk.err.getvalue().count("maixfs: the card fails: ") == 1
    assert "No space left on device" in desk.err.getvalue()


# A card of the test's own


def test_card_in_memory_is_mounted(desk: Desk) -> None:
    card = ram_card()
    with desk.on() as board:
        board.insert_sd(card)
        board.run("import machine\nmachine.SDCard.remount()\nopen('a', 'w').close()")
        board.run("with open('a', 'w') as f: f.write('text')")
    assert FatCore(card, START).read_bytes("/a") == b"text"
    assert BoardConfig.load(desk.folder).sd.image is None


def test_blank_card_in_memory_is_not_mounted(desk: Desk) -> None:
    with desk.on() as board:
        board.insert_sd(RamSectors(100_000))
        board.reset()
        assert board.uos.listdir("/") == ["flash"]
    remark = desk.err.getvalue().splitlines()[-1]
    assert remark.startswith("maixfs: the card in the slot is not mounted: ")
    assert "doctor" not in remark


def test_failing_card_is_eio(desk: Desk) -> None:
    card = SdCard(ram_card())
    faults = card.faults
    with desk.on() as board:
        board.insert_sd(card)
        board.reset()
        board.run("with open('a', 'w') as f: f.write('x' * 5000)")
        faults.line = 0xFF
        board.run(ASK + "print(uos.listdir('/'))")
        faults.line = None
        faults.write_errors.update(range(START, SMALL_CARD // 512))
        board.run(ASK + "print(ask(lambda: uos.mkdir('b')), ask(lambda: open('a')))")
        # The sector that cannot be written stays in FatFs's window, so nothing else can be read.
        faults.write_errors.clear()
        board.run("print(open('a').read(3))")
    assert desk.out.getvalue() == f"['flash']\n{EIO} {EIO}\nxxx\n"
    assert "the card in the slot does not start: CMD0" in desk.err.getvalue()


def test_card_that_needs_cmd0_twice_starts(desk: Desk) -> None:
    for tries, mounts in ((2, "['flash', 'sd']\n"), (4, "['flash']\n")):
        with desk.on() as board:
            board.insert_sd(SdCard(ram_card(), faults=Faults(cmd0_tries=tries)))
            board.reset()
            board.run("import uos\nprint(uos.listdir('/'))")
        assert desk.out.getvalue() == mounts


def test_read_only_card_can_be_read(desk: Desk) -> None:
    image = put_in_new(desk)
    with desk.on() as board, board.open("/sd/main.py", "w") as file:
        file.write("print('main')")
    path = desk.folder / "board.toml"
    path.write_text(path.read_text(encoding="utf-8") + "read_only = true\n", encoding="utf-8")
    image.chmod(0o400)
    before = image.read_bytes()
    output = desk.run(
        ASK + "print(open('main.py').read())\n"
        "print(ask(lambda: open('a', 'w').close()), ask(lambda: uos.remove('main.py')))\n"
        "print(ask(lambda: uos.mkdir('d')), uos.listdir('/flash'))\n"
    )
    assert output.out == f"print('main')\n{EIO} {EIO}\n{EIO} ['freq.conf']\n"
    assert image.read_bytes() == before


def test_read_only_card_without_a_main_stops_the_board(desk: Desk) -> None:
    image = card_image(desk)
    with desk.on() as board:
        board.insert_sd(image, read_only=True)
    output = desk.run("print('never')")
    assert output.out == (
        'Traceback (most recent call last):\n  File "_boot.py", line 104, in <module>\n'
        "OSError: [Errno 5] EIO\n"
    )
    assert "maixfs: /sd has no main.py, and writing one failed" in output.err
    assert "nothing was run" in output.err
    assert files_of(image) == {}


# Making a board with a card


def test_create_makes_a_new_card(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "board")
    desk.create(sd=SMALL_CARD)
    assert desk.folder.joinpath("sd.img").stat().st_size == SMALL_CARD
    assert desk.run("open('a', 'w').close()\nimport uos\nprint(uos.getcwd())").out == "/sd\n"
    assert "/a" in files_of(desk.folder / "sd.img")
    assert check(desk.folder / "sd.img") == ""


def test_create_uses_an_existing_card(tmp_path: Path) -> None:
    new_card(tmp_path / "card.img", SMALL_CARD)
    desk = Desk(tmp_path / "board")
    desk.create(sd=tmp_path / "card.img")
    assert desk.run("import uos\nprint(uos.getcwd())").out == "/sd\n"
    assert not (desk.folder / "sd.img").exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: 1000, "whole sectors"),
        (lambda folder: 0, "whole sectors"),
        (lambda folder: folder / "none.img", "does not exist"),
    ],
)
def test_impossible_card_leaves_no_board(
    tmp_path: Path, make: Callable[[Path], int | Path], message: str
) -> None:
    desk = Desk(tmp_path / "board")
    with pytest.raises(BoardError, match=message):
        desk.create(sd=make(tmp_path))
    assert not desk.folder.exists()


def test_existing_card_image_is_not_overwritten(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "board")
    desk.folder.mkdir()
    mine = desk.folder / "sd.img"
    mine.write_bytes(b"mine")
    with pytest.raises(BoardError, match=r"sd\.img exists already"):
        desk.create(sd=SMALL_CARD)
    assert [path.name for path in desk.folder.glob("*.img")] == ["sd.img"]
    assert mine.read_bytes() == b"mine"
    desk.create()
    assert mine.read_bytes() == b"mine"
