"""The contents of a card after power-off, reset and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from board.cards import check, files_of, put_in_new
from board.desk import Desk
from maixfs.board import BoardError


def test_closed_files_survive_power_off_and_open_files_are_lost(desk: Desk) -> None:
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
    assert "6 unused clusters" in check(image)  # the data of the file that was open


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
def test_ctrl_c_from_another_process_leaves_a_sound_card(desk: Desk) -> None:
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


def test_power_cut_during_a_write_keeps_closed_files(desk: Desk) -> None:
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


def test_open_files_raise_after_a_reset(desk: Desk) -> None:
    put_in_new(desk)
    with desk.on() as board:
        file = board.open("/sd/a", "w")
        file.write("lost")
        listing = board.uos.ilistdir("/sd")
        board.reset()
        for late in (file.close, listing.__next__):
            with pytest.raises(BoardError, match="is off"):
                late()
        # The entry left the window when the data needed it; size and data were not recorded.
        assert board.uos.listdir("/sd") == ["main.py", "a"]
        assert board.uos.stat("/sd/a")[6] == 0


def test_dropped_card_files_are_closed_by_the_collector(desk: Desk) -> None:
    image = put_in_new(desk)
    desk.run("import gc\nf = open('a', 'w'); f.write('text')\nf = None\ngc.collect()")
    desk.run("f = open('b', 'w'); f.write('lost')")
    assert files_of(image)["/a"] == b"text"
    assert files_of(image).get("/b", b"") == b""
