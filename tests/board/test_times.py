"""The time that storage takes on a board with a flash clock."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from board.cards import put_in_new
from board.desk import SMALL, SMALL_FLASH, Desk
from board.models import ADDRESS, put_raw
from kmodel.make_models import CONV, make_v3
from maixfs.board import SteppedClock
from maixfs.board.clocks import StorageClock, StorageTime
from maixfs.spiffs.geometry import PRESETS

EXAMPLE = Path(__file__).parents[2] / "examples" / "load_times.py"
MODEL = make_v3(types=[CONV] * 20, body=9000)
BYTE = 80
"""Nanoseconds, four lines at 25 MHz."""


def test_every_model_load_is_reported(desk: Desk) -> None:
    put_raw(desk, MODEL)
    put_in_new(desk)
    desk.put("m.kmodel", MODEL)
    with desk.on() as board, board.open("/sd/m.kmodel", "wb") as file:
        file.write(MODEL)
    places = f"{ADDRESS}, '/flash/m.kmodel', '/sd/m.kmodel'"
    with desk.on(timed=True) as board:
        result = board.run(f"import KPU\nfor w in {places}: KPU.load(w)\n")
        assert board.run("pass").model_loads == ()
    raw, flash, card = result.model_loads
    assert [load.call for load in result.model_loads] == [
        f"kpu.load(0x{ADDRESS:X})",
        'kpu.load("/flash/m.kmodel")',
        'kpu.load("/sd/m.kmodel")',
    ]
    assert {load.size for load in result.model_loads} == {len(MODEL)}
    whole = len(MODEL) * BYTE
    assert whole < raw.time.flash < 1.02 * whole
    assert raw.time.flash < flash.time.flash < 1.2 * whole
    assert raw.time.sd == flash.time.sd == card.time.flash == 0
    assert card.time.sd > 3 * whole
    assert result.storage_time.flash >= raw.time.flash + flash.time.flash
    assert result.storage_time.sd >= card.time.sd


def test_untimed_flash_takes_no_time(desk: Desk) -> None:
    put_raw(desk, MODEL)
    with desk.on() as board:
        result = board.run(f"import KPU\nKPU.load({ADDRESS})\n")
    assert result.model_loads[0].time == (0, 0)
    assert result.storage_time.total == 0


def test_program_sees_the_time_of_storage(desk: Desk) -> None:
    put_raw(desk, MODEL)
    script = (
        "import KPU, utime\na = utime.ticks_us()\n"
        f"KPU.load({ADDRESS})\nb = utime.ticks_us()\nutime.sleep(1000)\n"
        "print(utime.ticks_diff(b, a), utime.ticks_diff(utime.ticks_us(), b))\n"
    )
    taken, slept = desk.run(script, timed=True).out.split()
    assert len(MODEL) * BYTE / 1000 < int(taken) < 1.02 * len(MODEL) * BYTE / 1000
    assert int(slept) == 1_000_000_000


def test_polling_the_clock_ends(desk: Desk) -> None:
    script = (
        "import utime\nt = utime.ticks_ms()\n"
        "while utime.ticks_diff(utime.ticks_ms(), t) < 20: pass\nprint('done')\n"
    )
    assert desk.run(script, timed=True, clock=None).out == "done\n"


def test_lower_cpu_clock_reads_more_slowly(desk: Desk) -> None:
    put_raw(desk, MODEL)
    script = f"import KPU\nKPU.load({ADDRESS})\n"

    def taken() -> int:
        with desk.on(timed=True) as board:
            return board.run(script).model_loads[0].time.flash

    fast = taken()
    desk.run("from Maix import freq\nfreq.set(cpu=200)\n")
    assert 1.99 < taken() / fast < 2.01


def test_name_search_is_charged_for_look_up_pages(desk: Desk) -> None:
    with desk.on() as board:
        for name in "ab":
            with board.open(f"/flash/{name}", "wb") as file:
                file.write(b"x")

    with desk.on(timed=True) as board:
        times = []
        for name in ("b", "b", "a", "none"):
            before = board.storage_time
            with suppress(OSError):
                board.open(f"/flash/{name}", "rb").close()
            times.append(board.storage_time.since(before).flash)
    page = SMALL.page_size * BYTE
    found_again, around, all_of_it = times[1:]
    assert page < found_again < 3 * page
    assert (SMALL.blocks - 1) * page < around
    assert SMALL.blocks * page < all_of_it


def test_storage_clock_adds_storage_time() -> None:
    taken = [0]
    clock = StorageClock(SteppedClock(), lambda: StorageTime(taken[0], 500_000_000))
    taken[0] = 1_000_000_000
    clock.sleep(2)
    assert clock.now() == 3.5


def test_load_times_example_compares_three_sources(desk: Desk) -> None:
    desk.folder = desk.folder.parent / "whole"
    desk.create(flash_size=4 * SMALL_FLASH, geometry=PRESETS["maixpy"])
    put_in_new(desk)
    put_raw(desk, MODEL, 0x300000)
    desk.put("model.kmodel", MODEL)
    with desk.on() as board, board.open("/sd/model.kmodel", "wb") as file:
        file.write(MODEL)
    raw, flash, card = desk.run(EXAMPLE, timed=True).out.splitlines()
    assert raw.startswith(f"0x300000             {len(MODEL)} bytes in 14.")
    assert flash.startswith(f"/flash/model.kmodel  {len(MODEL)} bytes in ")
    assert card.startswith(f"/sd/model.kmodel     {len(MODEL)} bytes in ")
    rates = [int(line.split()[-2]) for line in (raw, flash, card)]
    assert rates == sorted(rates, reverse=True)
