"""Cards that come and go while the board is on, and what is on them afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from board.cards import SMALL_CARD, Moments, put_in, put_in_new
from board.desk import Desk
from maixfs.board import Board, BoardBusyError, BoardConfig, BoardError, SteppedClock
from maixfs.card.make import PartitionWish, new_card, write_card_layout
from maixfs.fat import Fat
from maixfs.nor import DeviceClock
from maixfs.sd import FileSectors, RamSectors, SdCard
from maixfs.sd.faults import Faults

START = 2048
"""The sector of the first partition of new cards."""


def card_image(desk: Desk, name: str = "other.img") -> Path:
    image = desk.folder.parent / name
    new_card(image, SMALL_CARD, serial=2)
    return image


def ram_card() -> RamSectors:
    card = RamSectors(SMALL_CARD // 512)
    write_card_layout(card, [PartitionWish("rest", 32)], serial=3)
    return card


def files_of(image: Path, start: int = START) -> dict[str, bytes]:
    with FileSectors.open(image) as card:
        fat = Fat(card, start, read_only=True)
        return {path: fat.read_bytes(path) for path, entry in fat.walk() if not entry.is_dir}


def check(image: Path, start: int = START) -> str:
    """Return what fsck.fat says of the first partition, but its totals."""
    tool = shutil.which("fsck.fat", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if tool is None:
        pytest.skip("fsck.fat is not installed")
    part = image.with_suffix(".part")
    with image.open("rb") as whole:
        whole.seek(start * 512)
        part.write_bytes(whole.read())
    result = subprocess.run([tool, "-n", part], capture_output=True, text=True, check=False)
    part.unlink()
    return "\n".join(
        line
        for line in result.stdout.splitlines()
        if not line.startswith("fsck.fat ") and " files, " not in line
    )


# In and out

ASK = """
import uos, utime, machine
def ask(what):
  try:
    return what()
  except OSError as e:
    return e
"""


def test_a_card_put_in_is_there_after_a_remount(desk: Desk) -> None:
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


def test_a_card_put_in_stays_for_the_next_power_cycle(desk: Desk) -> None:
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
EIO = "[Errno 5] EIO"


def test_a_card_that_is_pulled_out_is_an_error_and_nothing_else(desk: Desk) -> None:
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
def test_a_card_that_is_put_back_is_there_after_a_remount(desk: Desk, same: bool) -> None:
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
    names = "['a', 'main.py']" if same else "[]"
    assert desk.out.getvalue() == f"{EIO}\n{names} {EIO} {EIO}\n"
    assert files_of(other)["/c"] == b"second"
    assert files_of(image)["/a"] == b"first"
    assert check(image) == check(other) == ""


def test_a_remount_without_a_card_changes_nothing(desk: Desk) -> None:
    put_in_new(desk)
    with desk.on() as board:
        board.eject_sd()
        ask = "machine.SDCard.remount()\nprint(uos.listdir('/'), ask(uos.listdir))\n"
        board.run(ASK + ask)
        board.run(ASK + ask)
    assert desk.out.getvalue() == (f"['flash', 'sd'] {EIO}\n['flash'] ['freq.conf', 'main.py']\n")
    assert "maixfs" not in desk.err.getvalue()


def test_a_remount_forgets_what_was_mounted_after_the_card(desk: Desk) -> None:
    put_in(desk, "part2")
    said = desk.run(
        ASK + "class Empty:\n  def mount(self, *_): pass\n"
        "uos.mount(Empty(), '/ram')\nprint(uos.listdir('/'))\nuos.chdir('/flash')\n"
        "machine.SDCard.remount()\nprint(uos.listdir('/'), uos.getcwd())\n",
        explain=True,
    )
    assert said.out == "['flash', 'sd', 'sd2', 'ram']\n['flash', 'sd', 'sd2'] /sd\n"
    assert "took /ram out of the mount table" in said.err
    assert "remount() returns at once on a board" in said.err


def test_what_is_open_at_a_remount_is_lost(desk: Desk) -> None:
    image = put_in_new(desk)
    said = desk.run(
        ASK + "f = open('a', 'w'); f.write('lost')\nmachine.SDCard.remount()\n"
        "print(ask(lambda: f.write('x')))\nopen('b', 'w').close()\n"
    )
    assert said.out == f"{EIO}\n"
    assert files_of(image).get("/a", b"") == b""
    assert files_of(image)["/b"] == b""
    assert check(image) == ""


def test_a_slot_takes_one_card_while_the_board_is_on(desk: Desk) -> None:
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


def test_a_board_that_is_off_takes_no_card_this_way(desk: Desk) -> None:
    image = card_image(desk)
    with desk.on() as board:
        pass
    with pytest.raises(BoardError, match="is powered off"):
        board.insert_sd(image)
    with pytest.raises(BoardError, match="is powered off"):
        board.eject_sd()
    assert board.sd.card is None


def test_a_card_is_in_one_board_at_a_time(desk: Desk, new_board: Path, tmp_path: Path) -> None:
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
def test_a_board_whose_card_cannot_be_used_does_not_start(desk: Desk, trouble: str) -> None:
    image = put_in_new(desk)
    if trouble == "gone":
        image.unlink()
    elif trouble == "cut":
        image.write_bytes(bytes(100))
    else:
        image.chmod(0o400)
    with pytest.raises(BoardError, match=r"new\.img"), desk.on():
        raise AssertionError("it must not start")
    assert not (desk.folder / "board.pid").exists()


def test_a_host_that_fails_is_told_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_card_in_memory(desk: Desk) -> None:
    card = ram_card()
    with desk.on() as board:
        board.insert_sd(card)
        board.run("import machine\nmachine.SDCard.remount()\nopen('a', 'w').close()")
        board.run("with open('a', 'w') as f: f.write('text')")
    assert Fat(card, START).read_bytes("/a") == b"text"
    assert BoardConfig.load(desk.folder).sd.image is None


def test_a_blank_card_in_memory_is_not_mounted(desk: Desk) -> None:
    with desk.on() as board:
        board.insert_sd(RamSectors(100_000))
        board.reset()
        assert board.uos.listdir("/") == ["flash"]
    remark = desk.err.getvalue().splitlines()[-1]
    assert remark.startswith("maixfs: the card in the slot is not mounted: ")
    assert "doctor" not in remark


def test_a_card_that_breaks(desk: Desk) -> None:
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
        board.run(ASK + "print(ask(lambda: uos.mkdir('b')), open('a').read(3))")
    assert desk.out.getvalue() == f"['flash']\n{EIO} xxx\n"
    assert "the card in the slot does not start: CMD0" in desk.err.getvalue()


def test_a_card_that_needs_cmd0_twice_starts_as_the_firmware_tries_thrice(desk: Desk) -> None:
    for tries, mounts in ((2, "['flash', 'sd']\n"), (4, "['flash']\n")):
        with desk.on() as board:
            board.insert_sd(SdCard(ram_card(), faults=Faults(cmd0_tries=tries)))
            board.reset()
            board.run("import uos\nprint(uos.listdir('/'))")
        assert desk.out.getvalue() == mounts


def test_a_read_only_card_is_read(desk: Desk) -> None:
    image = put_in_new(desk)
    with desk.on() as board, board.open("/sd/main.py", "w") as file:
        file.write("print('main')")
    path = desk.folder / "board.toml"
    path.write_text(path.read_text(encoding="utf-8") + "read_only = true\n", encoding="utf-8")
    image.chmod(0o400)
    before = image.read_bytes()
    said = desk.run(
        ASK + "print(open('main.py').read())\n"
        "print(ask(lambda: open('a', 'w').close()), ask(lambda: uos.remove('main.py')))\n"
        "print(ask(lambda: uos.mkdir('d')), uos.listdir('/flash'))\n"
    )
    assert said.out == f"print('main')\n{EIO} {EIO}\n{EIO} ['freq.conf']\n"
    assert image.read_bytes() == before


def test_a_read_only_card_without_a_main_stops_the_board(desk: Desk) -> None:
    image = card_image(desk)
    with desk.on() as board:
        board.insert_sd(image, read_only=True)
    said = desk.run("print('never')")
    assert said.out == (
        'Traceback (most recent call last):\n  File "_boot.py", line 105, in <module>\n'
        "OSError: [Errno 5] EIO\n"
    )
    assert "maixfs: /sd has no main.py and none can be written there" in said.err
    assert "nothing was run" in said.err
    assert files_of(image) == {}


# Power


def test_what_is_closed_survives_the_power_and_the_rest_is_lost(desk: Desk) -> None:
    image = put_in_new(desk)
    with desk.on() as board:
        with board.open("/sd/a", "w") as file:
            file.write("closed")
        file = board.open("/sd/b", "w")
        file.write("flushed")
        file.flush()
        file.write(" and not")
        open_one = board.open("/sd/c", "w")
        open_one.write("x" * 3000)
    for late in (file.close, open_one.flush):
        with pytest.raises(BoardError, match="the board it was opened on is off"):
            late()
    files = files_of(image)
    assert (files["/a"], files["/b"]) == (b"closed", b"flushed")
    assert files.get("/c", b"") == b""
    said = check(image)
    assert said == "" or "Reclaim" in said or "lost" in said.lower()


BUSY = """
import sys
from maixfs.board import Board
script = '''
open('f', 'wb').close()
print('on')
while True:
  with open('f', 'wb') as f: f.write(bytes(9000))
'''
with Board.open(sys.argv[1]) as board:
    code = board.run(script).exit_code
sys.exit(code)
"""


@pytest.mark.skipif(os.name == "nt", reason="no signal goes to one process there")
def test_ctrl_c_from_outside_leaves_a_sound_card(desk: Desk) -> None:
    image = put_in_new(desk)
    line = [sys.executable, "-u", "-c", BUSY, str(desk.folder)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"on\n"
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read().decode()
    assert process.returncode == 130
    assert rest.endswith("\nKeyboardInterrupt: \n")
    assert len(files_of(image)["/f"]) in (0, 9000)
    assert check(image) == ""


def test_a_power_cut_in_the_middle_of_a_write_leaves_closed_files(desk: Desk) -> None:
    image = put_in_new(desk)
    big = bytes(range(256)) * 40
    with desk.on() as board, board.open("/sd/kept", "wb") as file:
        file.write(big)
    whole = image.read_bytes()

    class CutError(Exception):
        pass

    class Knife:
        def __init__(self, writes: int) -> None:
            self.left = writes

        def before(self, _medium: object, _sector: int, _data: memoryview) -> None:
            self.left -= 1
            if self.left < 0:
                raise CutError

        def after(self, _medium: object, _sector: int, _data: memoryview) -> None:
            pass

    for writes in range(200):
        image.write_bytes(whole)
        with desk.on() as board:
            card = board.sd.card
            assert card is not None
            card.medium.observers.append(Knife(writes))  # type: ignore[attr-defined]
            try:
                with board.open("/sd/new", "wb") as file:
                    file.write(big)
                board.uos.mkdir("/sd/folder")
                board.uos.rename("/sd/new", "/sd/folder/moved")
            except CutError:
                done = False
            else:
                done = True
        files = files_of(image)
        assert files["/kept"] == big
        if done:
            assert files["/folder/moved"] == big
            assert check(image) == ""
            break
    assert 5 < writes < 199


def test_a_reset_takes_the_power_from_open_files(desk: Desk) -> None:
    put_in_new(desk)
    with desk.on() as board:
        file = board.open("/sd/a", "w")
        file.write("lost")
        listing = board.uos.ilistdir("/sd")
        board.reset()
        for late in (file.close, listing.__next__):
            with pytest.raises(BoardError, match="is off"):
                late()
        assert board.uos.listdir("/sd") == ["main.py"]


def test_dropped_files_are_closed_by_the_collector(desk: Desk) -> None:
    image = put_in_new(desk)
    desk.run("import gc\nf = open('a', 'w'); f.write('text')\nf = None\ngc.collect()")
    desk.run("f = open('b', 'w'); f.write('lost')")
    assert files_of(image)["/a"] == b"text"
    assert files_of(image).get("/b", b"") == b""


# machine.SDCard, uos.VfsFat


def test_the_type_of_the_card(desk: Desk) -> None:
    put_in_new(desk)
    said = desk.run(
        "from machine import SDCard\nprint(SDCard)\nio = SDCard.ioctl\n"
        "print([io(None, op, 0) for op in (3, 4, 5, 6, 1, 2, 1, 4)], io(4, 0))\n"
        "open('a', 'w').close()\n"
        "for a in (), (1,), (1, 2, 3, 4):\n"
        "  try: io(*a)\n  except TypeError as e: print(e)\n"
        "try: SDCard()\nexcept TypeError as e: print(e)\n"
        "try: io(None, 'x', 0)\nexcept TypeError as e: print(e)\n",
        explain=True,
    )
    sectors = SMALL_CARD // 512
    assert said.out == (
        f"<class 'SDCard'>\n[0, {sectors}, 512, -1, 0, 0, -1, {sectors}] {sectors}\n"
        "function takes 3 positional arguments but 0 were given\n"
        "function takes 3 positional arguments but 1 were given\n"
        "function takes 3 positional arguments but 4 were given\n"
        "cannot create 'SDCard' instances\ncan't convert 'str' object to int\n"
    ) or said.out.endswith("can't convert str to int\n")
    assert "ioctl(op, arg) is a TypeError on a board" in said.err


def test_the_type_of_the_card_without_one(desk: Desk) -> None:
    said = desk.run(
        "from machine import SDCard\nprint([SDCard.ioctl(None, op, 0) for op in (1, 3, 4, 5)])"
    )
    assert said.out == "[-1, 0, 0, 512]\n"
    put_in_new(desk)
    with desk.on() as board:
        board.eject_sd()
        board.run("from machine import SDCard\nprint(SDCard.ioctl(None, 1, 0))")
    assert desk.out.getvalue() == "-1\n"


RAM_DISK = """
import uos
class RamDisk:
  def __init__(self, blocks):
    self.data = bytearray(blocks * 512)
  def readblocks(self, n, buf):
    buf[:] = self.data[n * 512 : n * 512 + len(buf)]
  def writeblocks(self, n, buf):
    self.data[n * 512 : n * 512 + len(buf)] = buf
  def ioctl(self, op, arg):
    if op == 4: return len(self.data) // 512
    if op == 5: return 512
disk = RamDisk(100)
"""


def test_a_program_mounts_a_disk_of_its_own(desk: Desk) -> None:
    said = desk.run(
        RAM_DISK + "print(uos.VfsFat)\nuos.VfsFat.mkfs(disk)\nuos.mount(disk, '/ram')\n"
        "with open('/ram/a', 'w') as f: f.write('text')\n"
        "print(uos.listdir('/'), uos.listdir('/ram'), uos.stat('/ram/a')[6:])\n"
        "uos.umount('/ram')\nuos.mount(uos.VfsFat(disk), '/again', readonly=True)\n"
        "print(open('/again/a').read())\n"
        "try: open('/again/b', 'w')\nexcept OSError as e: print(e)\n"
    )
    assert said.out == ("<class 'VfsFat'>\n['flash', 'ram'] ['a'] (4, 0, 0, 0)\ntext\n30\n"), (
        said.out
    )


DATES = "import uos, utime\nutime.set_time((2024, 5, 6, 7, 8, 10))\nopen('/sd/new', 'w').close()\n"


@pytest.mark.parametrize(("dates", "year"), [("right", 2024), ("firmware", 2084)])
def test_files_have_the_time_of_the_boards_calendar(desk: Desk, dates: str, year: int) -> None:
    image = put_in_new(desk)
    path = desk.folder / "board.toml"
    text = path.read_text(encoding="utf-8") + f'fat_dates = "{dates}"\n'
    path.write_text(text, encoding="utf-8")
    disk = RAM_DISK + "uos.VfsFat.mkfs(disk)\nuos.mount(disk, '/ram')\n"
    script = (
        DATES
        + disk
        + (
            "open('/ram/new', 'w').close()\n"
            "for n in '/sd/new', '/ram/new': print(utime.localtime(uos.stat(n)[8])[:6])\n"
        )
    )
    assert desk.run(script, clock=SteppedClock()).out == f"({year}, 5, 6, 7, 8, 10)\n" * 2
    with FileSectors.open(image) as card:
        entry = Fat(card, START).stat("/new")
    assert (entry.write_date >> 9) + 1980 == year


def test_a_calendar_past_the_end_of_fat(desk: Desk) -> None:
    put_in_new(desk)
    script = "import uos, utime\nutime.sleep(400000000000)\nopen('/sd/a', 'w').close()\n"
    said = desk.run(script + "print(uos.listdir('/sd'))")
    assert said.out == "['main.py', 'a']\n"


# Time


def test_reads_and_writes_take_the_cards_time(desk: Desk) -> None:
    put_in_new(desk)
    with desk.on() as board:
        board.chip.clock = DeviceClock(board.chip.part)
        with board.open("/sd/a", "wb") as file:
            file.write(bytes(100_000))
        before = board.storage_time
        with board.open("/sd/a", "rb") as file:
            file.read()
        taken = board.storage_time.sd - before.sd
        assert board.storage_time.flash == before.flash
        with board.open("/flash/a", "wb") as file:
            file.write(bytes(100))
        assert board.storage_time.flash > before.flash
    at_25_mhz = 100_000 * 8 * 40
    assert at_25_mhz < taken < 3 * at_25_mhz


def test_a_board_without_a_flash_clock_counts_the_card_alone(desk: Desk) -> None:
    with desk.on() as board:
        assert board.storage_time == (0, 0)


# Making a board with a card


def test_a_board_with_a_new_card(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "board")
    desk.create(sd=SMALL_CARD)
    assert desk.folder.joinpath("sd.img").stat().st_size == SMALL_CARD
    assert desk.run("open('a', 'w').close()\nimport uos\nprint(uos.getcwd())").out == "/sd\n"
    assert "/a" in files_of(desk.folder / "sd.img")
    assert check(desk.folder / "sd.img") == ""


def test_a_board_with_a_card_that_is_there(tmp_path: Path) -> None:
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
def test_a_card_that_cannot_be_leaves_no_board(
    tmp_path: Path, make: Callable[[Path], int | Path], message: str
) -> None:
    desk = Desk(tmp_path / "board")
    with pytest.raises(BoardError, match=message):
        desk.create(sd=make(tmp_path))
    assert not desk.folder.exists()


def test_an_image_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
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
