"""Power-off is a dropped object: what was not yet on flash is gone, the rest is there."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from board.desk import SMALL, Desk
from maixfs import board
from maixfs.board import BoardError
from maixfs.nor import NorChip, NorError, make_driver
from maixfs.spiffs import Spiffs


def test_the_vfs_from_python(desk: Desk) -> None:
    with desk.on() as board:
        with board.open("/flash/t", "w") as file:
            file.write("text")
        assert board.uos.listdir("/flash") == ["freq.conf", "main.py", "t"]
        assert board.open("/flash/t").read() == "text"
        assert board.uos.getcwd() == "/flash"


def test_no_program_runs_at_power_on(desk: Desk) -> None:
    desk.put("boot.py", "print('boot')")
    desk.put("main.py", "print('main')")
    with desk.on() as board:
        board.uos.listdir()
    assert desk.out.getvalue() == ""


@pytest.mark.parametrize("driver", ["maixpy", "literal", "ideal"])
def test_what_is_not_flushed_is_lost_and_the_rest_is_kept(desk: Desk, driver: str) -> None:
    with desk.on(driver=driver) as board:
        file = board.open("/flash/a", "w")
        file.write("flushed")
        file.flush()
        file.write(" and not")
    assert desk.get("a") == b"flushed"


def test_a_file_that_outlives_its_board_writes_nothing(desk: Desk) -> None:
    with desk.on() as board:
        file = board.open("/flash/a", "w")
        file.write("lost")
    with pytest.raises(NorError, match="closed"):
        file.close()
    del file
    gc.collect()
    assert desk.get("a") == b""


def test_a_board_that_is_off_says_so(desk: Desk) -> None:
    with desk.on() as board:
        pass
    board.power_off()
    with pytest.raises(BoardError, match="is powered off"):
        board.uos.listdir()
    with pytest.raises(BoardError, match="is powered off"):
        board.run("print(1)")


def test_other_programs_read_what_a_board_wrote(desk: Desk) -> None:
    desk.run("with open('a', 'w') as f: f.write('data')")
    with NorChip.open(desk.folder / "flash.bin", read_only=True) as chip:
        fs = Spiffs(make_driver("ideal", chip), SMALL, read_only=True)
        assert fs.open("/a").read() == "data"


def test_a_board_can_be_watched(desk: Desk) -> None:
    kinds: list[str] = []

    class Watcher:
        def before(self, _chip: object, _event: object) -> None:
            pass

        def after(self, _chip: object, event: object) -> None:
            kinds.append(str(getattr(event, "kind", "")))

    with desk.on() as board:
        board.chip.attach(Watcher())
        board.run("with open('a', 'w') as f: f.write('data')")
    assert "program" in kinds


def test_settings_of_the_example_survive(desk: Desk) -> None:
    script = Path(__file__).parents[2] / "examples" / "settings.py"
    outputs = [desk.run(script).out for _ in range(3)]
    assert outputs == [f"this is start number {number}\n" for number in (1, 2, 3)]
    desk.run("import uos\nuos.rename('settings.json', 'settings.new')")  # as a cut may leave it
    assert desk.run(script).out == "this is start number 4\n"


def test_the_package_gives_what_it_lists() -> None:
    assert all(
        getattr(board, name).__module__.startswith("maixfs.board.") for name in board.__all__
    )
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        board.nothing  # type: ignore[attr-defined]
