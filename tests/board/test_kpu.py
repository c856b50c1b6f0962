"""KPU: loading models from raw flash, /flash and a card; errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from board.cards import put_in_new
from board.desk import Desk
from board.models import ADDRESS, TRY, lines, put_raw
from kmodel.make_models import CONV, make_sealed, make_v3, make_v4, make_v5
from maixfs.board import BoardConfig
from maixfs.board.power import BoardCrashError
from maixfs.kmodel import reverse_words
from maixfs.nor import NorError

DATA = Path(__file__).parents[1] / "data" / "kmodel"
REAL = Path(os.environ.get("MAIXFS_GOLDEN", "")) / "kmodel" / "real"
V3 = make_v3(main_memory=1000)
V4_WORDS = "ERR_KMODEL_VERSION: only support kmodel V3/V4 now"


def loaded(address: int, size: int, path: str = "(null)") -> str:
    return (
        f'{{"model_addr": {address}, "model_size": {size}, "model_path": "{path}", '
        '"net_args": "(null)"}'
    )


def configure(desk: Desk, text: str) -> None:
    path = desk.folder / "board.toml"
    path.write_text(path.read_text() + text)


def test_model_is_loaded_from_raw_flash_file_and_card(desk: Desk) -> None:
    put_raw(desk, V3)
    put_in_new(desk)
    desk.put("m.kmodel", V3 + bytes(9))
    with desk.on() as board, board.open("/sd/m.kmodel", "wb") as file:
        file.write(V3)
    script = (
        f"for w in {ADDRESS}, '/flash/m.kmodel', '/sd/m.kmodel', 'm.kmodel':\n"
        "  t = kpu.load(w)\n  print(t)\n"
        "  print(t.model_addr(), t.model_size(), t.model_path(), t.net_arg())\n"
        "  print(kpu.deinit(t), kpu.deinit(t), type(t).__name__)\n"
    )
    size = len(V3)
    output = lines(desk, script)
    assert output[:3] == [
        loaded(ADDRESS, size),
        f"{ADDRESS} {size} None None",
        "True True kpu_net",
    ]
    assert output[3:5] == [
        loaded(0, size + 9, "/flash/m.kmodel"),
        f"None {size + 9} /flash/m.kmodel None",
    ]
    assert output[6] == loaded(0, size, "/sd/m.kmodel")
    assert output[9] == loaded(0, size, "m.kmodel")


def test_failing_flash_chip_is_not_a_model_error(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put("m.kmodel", V3)
    with desk.on() as board:

        def fail(path: str) -> None:
            raise NorError("the host cannot read flash.bin")

        monkeypatch.setattr(board.runtime.vfs, "open_native", fail)
        with pytest.raises(NorError):
            board.run("from Maix import *\nimport KPU as kpu\nkpu.load('/flash/m.kmodel')\n")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", 2002),
        (bytes(64), 2002),
        (make_v5(), 2003),
        (make_sealed(), 2004),
        (make_v3(main_memory=5 << 20), 2006),
        (make_sealed(b"LDME"), 2015),
    ],
)
def test_unloadable_model_is_valueerror_with_a_number(desk: Desk, data: bytes, code: int) -> None:
    put_raw(desk, data)
    output = lines(desk, f"print(attempt(kpu.load, {ADDRESS}))")
    assert output[-1].startswith(f"ValueError('[MAIXPY]kpu: load error:{code}, ERR_")


@pytest.mark.parametrize(
    ("argument", "error"),
    [
        ("0", "ValueError('[MAIXPY]kpu: model_addr must > 0 ',)"),
        ("-1", "ValueError('[MAIXPY]kpu: model_addr must > 0 ',)"),
        ("True", "TypeError('[MAIXPY]kpu: only accept int or string',)"),
        ("[1]", "TypeError('[MAIXPY]kpu: only accept int or string',)"),
        ("1 << 70", "OverflowError('overflow converting long int to machine word',)"),
        (
            "1 << 32",
            "ValueError('[MAIXPY]kpu: load error:2001, ERR_PARAM: please check param, "
            "load address or kmodel file name',)",
        ),
        (
            "'/flash/model'",
            'ValueError("[MAIXPY]kpu: model format don\'t match, only supply .kmodel ",)',
        ),
        (
            "'/flash/none.kmodel'",
            "ValueError('[MAIXPY]kpu: load error:2005, ERR_READ_FILE: read file failed',)",
        ),
        (
            "'/none/m.kmodel'",
            "ValueError('[MAIXPY]kpu: load error:2005, ERR_READ_FILE: read file failed',)",
        ),
    ],
)
def test_wrong_argument_raises_the_error_of_the_board(
    desk: Desk, argument: str, error: str
) -> None:
    assert lines(desk, f"print(attempt(kpu.load, {argument}))") == [error]


def test_missing_argument_is_typeerror(desk: Desk) -> None:
    script = "for f in kpu.load, kpu.load_flash, kpu.deinit: print(attempt(f))\n"
    assert lines(desk, script) == [
        f"TypeError('function missing {count} required positional arguments',)"
        for count in (1, 4, 1)
    ]


def test_file_is_checked_up_to_the_bytes_that_are_read(desk: Desk) -> None:
    contents = {
        "short.kmodel": b"\3\0\0\0",
        "empty.kmodel": b"",
        "text.kmodel": b"no model",
        "seal.smodel": make_sealed(),
        "big.kmodel": make_v3(main_memory=5 << 20),
        "good.emodel": V3,
    }
    with desk.on() as board:
        for name, content in contents.items():
            with board.open(f"/flash/{name}", "wb") as file:
                file.write(content)
    script = "".join(f"print(attempt(kpu.load, '/flash/{name}'))\n" for name in contents)
    output = [line for line in lines(desk, script) if line != "encrypted model"]
    assert [line[36:40] for line in output[:5]] == ["2005", "2005", "2002", "2004", "2006"]
    assert output[5] == loaded(0, len(V3), "/flash/good.emodel")


def test_file_on_a_python_volume_is_not_found(desk: Desk) -> None:
    script = (
        "import uos\n"
        "class Ram:\n"
        "  def mount(self, ro, mkfs): pass\n"
        "  def open(self, path, mode): print('opened')\n"
        "uos.mount(Ram(), '/ram')\nprint(attempt(kpu.load, '/ram/m.kmodel'))\n"
    )
    assert "2005" in lines(desk, script)[0]


def test_build_without_v4_refuses_v4_models(desk: Desk) -> None:
    put_raw(desk, make_v4())
    script = f"print(attempt(kpu.load, {ADDRESS}))\n"
    assert lines(desk, script) == [loaded(ADDRESS, len(make_v4()))]
    configure(desk, "\n[kpu]\nkmodel_v4 = false\n")
    assert lines(desk, script)[0].endswith("only support kmodel V3',)")
    config = BoardConfig.load(desk.folder)
    assert not config.kmodel_v4
    assert BoardConfig.parse(config.dump()) == config


def test_sixth_model_is_refused(desk: Desk) -> None:
    put_raw(desk, V3)
    script = (
        f"tasks = [kpu.load({ADDRESS}) for _ in range(5)]\n"
        f"print(attempt(kpu.load, {ADDRESS}))\nprint(attempt(kpu.load, 1 << 32))\n"
        f"print(attempt(kpu.load, 'x.kmodel'))\n"
        f"print(attempt(kpu.load_flash, {ADDRESS}, 0, 0, 1))\n"
        f"kpu.deinit(tasks[0])\nprint(kpu.load({ADDRESS}))\n"
    )
    full = "2009, ERR_MODELS_FULL: we only support load 5 models in the same time',)"
    output = lines(desk, script)
    assert output == [
        *[f"ValueError('[MAIXPY]kpu: load error:{full}"] * 3,
        f"ValueError('[MAIXPY]kpu: load_flash error:{full}",
        loaded(ADDRESS, len(V3)),
    ]


def test_dropped_model_uses_memory_until_collect(desk: Desk) -> None:
    put_raw(desk, V3)
    script = (
        "import gc\nfrom Maix import utils\n"
        f"a = utils.heap_free(); t = kpu.load({ADDRESS}); b = utils.heap_free()\n"
        "t = None\nprint(a - b, b == utils.heap_free())\n"
        "attempt(kpu.load, 8)\nattempt(kpu.load, -8)\n"
        "gc.collect()\nprint(a == utils.heap_free())\n"
        f"t = kpu.load({ADDRESS}); t.__del__(); print(a == utils.heap_free())\n"
    )
    assert lines(desk, script) == [
        f"{len(V3) + 1000 + 256 + 192} True",
        "kpu_net __del__",
        "kpu_net __del__",
        "True",
        "kpu_net __del__",
        "True",
    ]


def test_larger_heap_leaves_less_memory_for_models(desk: Desk) -> None:
    put_raw(desk, make_v3(main_memory=3_500_000))
    script = f"print(attempt(kpu.load, {ADDRESS}))\n"
    assert lines(desk, script)[0].startswith("{")
    desk.run("from Maix import utils\nutils.gc_heap_size(0xC0000)\n")
    assert "load error:2006, ERR_NO_MEM" in lines(desk, script)[0]


def test_load_flash_reads_a_reversed_model(desk: Desk) -> None:
    put_raw(desk, reverse_words(V3))
    script = (
        f"print(attempt(kpu.load_flash, {ADDRESS}, 0, 0, 20000000))\n"
        f"print(attempt(kpu.load_flash, {ADDRESS}, 1, 0, 0))\n"
        f"print(attempt(kpu.load_flash, {ADDRESS}, 1, 0, True))\n"
        f"print(attempt(kpu.load_flash, 0, 1, 0, 4))\n"
        f"print(attempt(kpu.load_flash, 1 << 32, 1, 0, 4))\n"
        f"print(attempt(kpu.load_flash, {ADDRESS + 4}, 1, 0, 10 ** 9))\n"
        f"print(kpu.netinfo(kpu.load_flash({ADDRESS}, 0, 0, 1000000))[0].wi())\n"
    )
    size = len(V3)
    assert lines(desk, script) == [
        "SPI freq 20000000 Hz",
        loaded(ADDRESS, size),
        "SPI freq 6103 Hz",
        loaded(ADDRESS, size),
        "ValueError('[MAIXPY]kpu: load_flash arg format error: "
        "task=kpu.load_flash(flash_addr, is_dual_buf, batch_size, spi_speed)',)",
        "ValueError('[MAIXPY]kpu: model_addr must > 0 ',)",
        "ValueError('[MAIXPY]kpu: load_flash error:2001, "
        "ERR_PARAM: please check param, load address or kmodel file name',)",
        "SPI freq 200000000 Hz",
        f"ValueError('[MAIXPY]kpu: load_flash error:2002, {V4_WORDS}',)",
        "SPI freq 1000000 Hz",
        "layer[0]: KL_K210_CONV, 160 bytes",
        "layer[1]: KL_DEQUANTIZE, 160 bytes",
        "layer[2]: KL_SOFTMAX, 160 bytes",
        "28",
    ]


def test_model_that_crashes_the_firmware_ends_the_run(desk: Desk) -> None:
    put_raw(desk, make_v4(version=6))
    script = (
        "import KPU as kpu\ntry:\n"
        f"  kpu.load({ADDRESS})\nexcept BaseException:\n  print('caught')\nprint('after')\n"
    )
    with desk.on() as board:
        result = board.run(script)
        assert result.exit_code == 1
        assert isinstance(result.error, BoardCrashError)
        assert board.run("print('on again')").exit_code == 0
    assert desk.out.getvalue() == "on again\n"
    assert f"a board would crash here: in kpu.load({ADDRESS}) the runtime" in desk.err.getvalue()


def test_crash_in_a_thread_ends_the_run(desk: Desk) -> None:
    script = (
        "import KPU as kpu, _thread, utime\n"
        "_thread.start_new_thread(kpu.netinfo, (5,))\n"
        "while True:\n  utime.sleep_ms(1)\n"
    )
    output = desk.run(script)
    assert isinstance(output.result.error, BoardCrashError)


def test_address_past_the_chip_wraps(desk: Desk) -> None:
    put_raw(desk, V3)
    again = ADDRESS + (1 << 24)
    script = f"print(kpu.load({ADDRESS + 0x400000}))\nprint(kpu.load({again}))\n"
    assert lines(desk, script) == [
        loaded(ADDRESS + 0x400000, len(V3)),
        loaded(again, len(V3)),
    ]


def test_busy_chip_reads_as_erased(desk: Desk) -> None:
    put_raw(desk, V3)
    script = f"print(attempt(kpu.load, {ADDRESS}))\n"
    with desk.on(timed=True) as board:
        board.chip.erase_sector(ADDRESS + 0x10000)
        board.run(TRY + script)
        board.chip.wait()
        board.run(TRY + script)
    busy, idle = desk.out.getvalue().splitlines()
    assert "load error:2002" in busy
    assert idle == loaded(ADDRESS, len(V3))


@pytest.mark.parametrize("path", sorted(DATA.glob("*.kmodel")), ids=lambda path: path.stem)
def test_kmodel_v5_is_refused(desk: Desk, path: Path) -> None:
    put_raw(desk, path.read_bytes())
    assert "load error:20" in lines(desk, f"print(attempt(kpu.load, {ADDRESS}))")[-1]


@pytest.mark.skipif(not REAL.is_dir(), reason="MAIXFS_GOLDEN names no folder with real models")
@pytest.mark.parametrize("name", ["mnist", "v3_iris", "v4_iris", "v4_slim-320"])
def test_real_model_is_loaded(desk: Desk, name: str) -> None:
    data = (REAL / f"{name}.kmodel").read_bytes()
    put_raw(desk, data)
    desk.put("m.kmodel", data)
    output = lines(desk, f"for w in {ADDRESS}, 'm.kmodel': print(kpu.load(w).model_size())\n")
    assert abs(int(output[0]) - len(data)) < 8
    assert int(output[1]) == len(data)


def test_v3_layer_table_is_read_row_by_row(desk: Desk) -> None:
    data = make_v3(types=[CONV] * 9)
    put_raw(desk, data)
    with desk.on(timed=True) as board:
        clock: Any = board.chip.clock
        before = clock.counts["read"], clock.counts["bytes"]
        board.run(f"import KPU\nKPU.load({ADDRESS})\n")
        assert clock.counts["read"] - before[0] == 1 + 9 + 1
        assert clock.counts["bytes"] - before[1] == 28 + 9 * 8 + len(data)


def test_v4_node_table_is_read_in_one_read(desk: Desk) -> None:
    put_raw(desk, make_v4())
    with desk.on(timed=True) as board:
        clock: Any = board.chip.clock
        before = clock.counts["read"], clock.counts["bytes"]
        board.run(f"import KPU\nKPU.load({ADDRESS})\n")
        assert clock.counts["read"] - before[0] == 4
        assert clock.counts["bytes"] - before[1] == 28 + 40 + 3 * 8 + len(make_v4())
