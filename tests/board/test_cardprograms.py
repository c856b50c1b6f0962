"""A program and its card: ``machine.SDCard``, dates and time."""

from __future__ import annotations

import pytest

from board.cards import SMALL_CARD, START, put_in_new
from board.desk import Desk
from maixfs.board import SteppedClock
from maixfs.fat import FatCore
from maixfs.nor import DeviceClock
from maixfs.sd import FileSectors

# machine.SDCard, uos.VfsFat


def test_sdcard_type_answers_ioctl(desk: Desk) -> None:
    put_in_new(desk)
    output = desk.run(
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
    assert output.out == (
        f"<class 'SDCard'>\n[0, {sectors}, 512, -1, 0, 0, -1, {sectors}] {sectors}\n"
        "function takes 3 positional arguments but 0 were given\n"
        "function takes 3 positional arguments but 1 were given\n"
        "function takes 3 positional arguments but 4 were given\n"
        "cannot create 'SDCard' instances\ncan't convert str to int\n"
    )
    assert "ioctl(op, arg) is a TypeError on a board" in output.err


def test_sdcard_type_without_a_card_answers_an_error(desk: Desk) -> None:
    output = desk.run(
        "from machine import SDCard\nprint([SDCard.ioctl(None, op, 0) for op in (1, 3, 4, 5)])"
    )
    assert output.out == "[-1, 0, 0, 512]\n"
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


def test_program_mounts_its_own_block_device(desk: Desk) -> None:
    output = desk.run(
        RAM_DISK + "print(uos.VfsFat)\nuos.VfsFat.mkfs(disk)\nuos.mount(disk, '/ram')\n"
        "with open('/ram/a', 'w') as f: f.write('text')\n"
        "print(uos.listdir('/'), uos.listdir('/ram'), uos.stat('/ram/a')[6:])\n"
        "uos.umount('/ram')\nuos.mount(uos.VfsFat(disk), '/again', readonly=True)\n"
        "print(open('/again/a').read())\n"
        "try: open('/again/b', 'w')\nexcept OSError as e: print(e)\n"
    )
    assert output.out == ("<class 'VfsFat'>\n['flash', 'ram'] ['a'] (4, 0, 0, 0)\ntext\n30\n"), (
        output.out
    )


DATES = "import uos, utime\nutime.set_time((2024, 5, 6, 7, 8, 10))\nopen('/sd/new', 'w').close()\n"


@pytest.mark.parametrize(("dates", "year"), [("right", 2024), ("firmware", 2084)])
def test_card_files_have_the_time_of_the_calendar(desk: Desk, dates: str, year: int) -> None:
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
        entry = FatCore(card, START).stat("/new")
    assert (entry.write_date >> 9) + 1980 == year


def test_calendar_after_2107_gives_the_last_fat_date(desk: Desk) -> None:
    put_in_new(desk)
    script = "import uos, utime\nutime.sleep(400000000000)\nopen('/sd/a', 'w').close()\n"
    output = desk.run(script + "print(uos.listdir('/sd'))")
    assert output.out == "['main.py', 'a']\n"


# Time


def test_card_reads_and_writes_are_timed(desk: Desk) -> None:
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


def test_untimed_board_counts_the_time_of_the_card(desk: Desk) -> None:
    with desk.on() as board:
        assert board.storage_time == (0, 0)
