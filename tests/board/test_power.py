"""Power-off: unflushed data is lost, everything else is kept."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path

import pytest

from board.desk import SMALL, Desk
from maixfs import board
from maixfs.board import BoardError
from maixfs.board.power import BoardOffError
from maixfs.nor import NorChip, make_driver
from maixfs.spiffs import OpenFlag, Spiffs, SpiffsError


def test_board_calls_work_from_python(desk: Desk) -> None:
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
def test_unflushed_data_is_lost_and_flushed_data_kept(desk: Desk, driver: str) -> None:
    with desk.on(driver=driver) as board:
        file = board.open("/flash/a", "w")
        file.write("flushed")
        file.flush()
        file.write(" and not")
    assert desk.get("a") == b"flushed"


def test_file_kept_after_power_off_writes_nothing(desk: Desk) -> None:
    with desk.on() as board:
        file = board.open("/flash/a", "w")
        file.write("lost")
    with pytest.raises(BoardError, match="the board it was opened on is off"):
        file.close()
    del file
    gc.collect()
    assert desk.get("a") == b""


def test_file_from_before_a_restart_writes_nothing(desk: Desk) -> None:
    with desk.on() as board:
        file = board.open("/flash/a", "w")
        file.write("lost")
        below = board.spiffs.open_descriptor("/b", OpenFlag.CREAT | OpenFlag.RDWR)
        below.write(b"lost")
        listing = board.uos.ilistdir("/flash")
        board.reset()
        with board.open("/flash/c", "w") as other:
            other.write("kept" * 1000)
        for call in (file.flush, file.close, listing.__next__):
            with pytest.raises(BoardError, match="the board it was opened on is off"):
                call()
        with pytest.raises(SpiffsError):
            below.close()
        assert board.uos.listdir("/flash") == ["freq.conf", "main.py", "a", "b", "c"]
    assert desk.get("c") == b"kept" * 1000
    assert desk.get("a") == desk.get("b") == b""


LEFT_BEHIND = """
def lines():
  with open('left', 'w') as f:
    while True:
      f.write('lost')
      yield
keep = lines()
next(keep)
class Ring: pass
ring = Ring()
ring.ring, ring.keep = ring, keep
"""


def test_dropped_program_objects_print_nothing(desk: Desk) -> None:
    with desk.on() as board:
        board.run(LEFT_BEHIND)
        board.run("with open('next', 'w') as f: f.write('kept' * 1000)\nimport gc; gc.collect()")
        board.run(LEFT_BEHIND)
    gc.collect()  # a complaint about a generator would be an error here
    assert desk.get("next") == b"kept" * 1000
    assert desk.get("left") == b""


class Slow:
    """Delays the first chip operation of another thread."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.reached = threading.Event()

    def before(self, _chip: object, _event: object) -> None:
        if not self.reached.is_set():
            self.reached.set()
            time.sleep(0.05)
            self.order.append("first")

    def after(self, _chip: object, _event: object) -> None:
        pass


def test_threads_share_the_storage_in_turns(desk: Desk) -> None:
    slow = Slow()
    with desk.on() as board:
        board.chip.attach(slow)
        thread = threading.Thread(target=lambda: board.uos.remove("/flash/main.py"))
        thread.start()
        slow.reached.wait()
        assert board.uos.listdir("/flash") == ["freq.conf"]
        slow.order.append("second")
        thread.join()
    assert slow.order == ["first", "second"]


def test_uos_kept_after_power_off_raises(desk: Desk) -> None:
    """Calls that need neither the flash nor a volume raise too."""
    with desk.on() as board:
        uos, opener, listing = board.uos, board.open, board.uos.ilistdir("/")
    calls: dict[str, tuple[object, ...]] = {
        "chdir": ("/",),
        "flash_format": (),
        "getcwd": (),
        "ilistdir": ("/",),
        "listdir": ("/",),
        "mkdir": ("/",),
        "mount": (object(), "/new"),
        "remove": ("/",),
        "rename": ("/", "/"),
        "rmdir": ("/",),
        "stat": ("/",),
        "statvfs": ("/",),
        "sync": (),
        "umount": ("/flash",),
        "uname": (),
        "urandom": (1,),
    }
    assert calls.keys() == {name for name in dir(uos) if not name.startswith("_")}
    for name, arguments in calls.items():
        with pytest.raises(BoardOffError):
            getattr(uos, name)(*arguments)
    with pytest.raises(BoardOffError):
        opener("/")
    with pytest.raises(BoardOffError):
        next(listing)


def test_clock_settings_kept_after_power_off_raise(desk: Desk) -> None:
    with desk.on() as board:
        maix = board.runtime.importer.builtin("Maix")
    for call in (maix.utils.gc_heap_size, lambda: maix.utils.gc_heap_size(1), maix.freq.set):
        with pytest.raises(BoardOffError):
            call()


def test_uos_kept_after_a_reset_raises(desk: Desk) -> None:
    with desk.on() as board:
        uos = board.uos
        board.reset()
        with pytest.raises(BoardOffError):
            uos.listdir("/")
        assert board.uos.listdir("/") == ["flash"]


def test_powered_off_board_raises_board_error(desk: Desk) -> None:
    with desk.on() as board:
        pass
    board.power_off()
    with pytest.raises(BoardError, match="is powered off"):
        board.uos.listdir()
    with pytest.raises(BoardError, match="is powered off"):
        board.run("print(1)")


def test_spiffs_driver_reads_the_files_of_a_board(desk: Desk) -> None:
    desk.run("with open('a', 'w') as f: f.write('data')")
    with NorChip.open(desk.folder / "flash.bin", read_only=True) as chip:
        fs = Spiffs(make_driver("ideal", chip), SMALL, read_only=True)
        assert fs.read_text("/a") == "data"


def test_observer_sees_the_operations_of_the_chip(desk: Desk) -> None:
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


def test_settings_of_the_example_survive_power_off(desk: Desk) -> None:
    script = Path(__file__).parents[2] / "examples" / "settings.py"
    outputs = [desk.run(script).out for _ in range(3)]
    assert outputs == [f"this is start number {number}\n" for number in (1, 2, 3)]
    desk.run("import uos\nuos.rename('settings.json', 'settings.new')")  # as a cut may leave it
    assert desk.run(script).out == "this is start number 4\n"


def test_package_has_every_name_in_all() -> None:
    assert all(getattr(board, name).__name__ == name for name in board.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        board.nothing  # type: ignore[attr-defined]
