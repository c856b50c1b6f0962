"""kpu.load answers as the firmware does: in its order, with its numbers and words."""

from __future__ import annotations

import pytest

from kmodel.make_models import (
    CONV,
    SMODEL_V3,
    make_beta,
    make_sealed,
    make_v1,
    make_v3,
    make_v4,
    make_v5,
    words,
)
from maixfs.kmodel import (
    KpuCode,
    LoadResult,
    kpu_words,
    load_flash_result,
    load_result,
    memory_budget,
    parse_model,
    reverse_words,
)

V3, V4 = "only support kmodel V3", "only support kmodel V3/V4 now"
SIZE_ERROR = "model size err\r\n"


def load(data: bytes, *, v4: bool = True, file: bool = False, **more: int) -> LoadResult:
    return load_result(data, v4_support=v4, from_file=file, **more)


def codes(data: bytes) -> list[int | str]:
    """What both builds say, from flash and from a file."""
    answers = [load(data, v4=v4, file=file) for v4 in (False, True) for file in (False, True)]
    return ["crash" if a.crash else int(a.code) for a in answers]


@pytest.mark.parametrize(
    ("data", "answers"),
    [
        (make_v3(), [0, 0, 0, 0]),
        (make_v3(types=[18]), [0, 0, 0, 0]),
        (make_v4(), [2002, 2002, 0, 0]),
        (make_v1(), [2002] * 4),
        (make_v5(), [2002, 2002, 2003, "crash"]),
        (make_v5(kinds=["k210"]), [2002, 2002, 2003, "crash"]),
        (make_beta(), [2002, 2002, 2015, "crash"]),
        (make_v4(version=6), [2002, 2002, "crash", "crash"]),
        (make_v4(target=2), [2002, 2002, "crash", "crash"]),
        (make_v4(main_memory=4 << 20), [2002, 2002, "crash", "crash"]),
        (make_v4(opcodes=[2] * 4, body=0x200000)[:400], [2002, 2002, 2003, "crash"]),
        (make_v3(main_memory=4 << 20), [2006] * 4),
        (reverse_words(make_v3()), [2002] * 4),
        (b"\xff" * 64, [2002] * 4),
        (bytes(64), [2002] * 4),
        (b"", [2002, 2005, 2002, 2005]),
        (b"LDMK\4\0\0", [2002, 2005, 2015, 2005]),
        (make_sealed(), [2002, 2002, 2004, 2004]),
        (make_sealed(SMODEL_V3), [2004] * 4),
        (make_sealed(SMODEL_V3, 4100), [2003] * 4),
        (make_sealed(b"LDME"), [2015] * 4),
        (make_sealed(b"LDME", 0), [2003] * 4),
        (SMODEL_V3 + words(5 << 20), [2006] * 4),
        (SMODEL_V3 + words(7 << 20), [2003] * 4),
        (make_v3() + bytes(6 << 20), [0, 2003, 0, 2003]),
    ],
)
def test_answer_depends_on_build_and_source(data: bytes, answers: list[int | str]) -> None:
    assert codes(data) == answers


def with_word(data: bytes, offset: int, value: int) -> bytes:
    return data[:offset] + words(value) + data[offset + 4 :]


@pytest.mark.parametrize(
    ("offset", "value", "answers"),
    [
        (8, 1, [2002, 2002]),  # arch is looked at last
        (4, 9, [0, 0]),  # flags are not looked at
        (40, 0, [2003, 0]),  # a layer without a body: from flash only
        (36, 99, [0, 0]),  # types are not looked at
        (40, 0xFFFFFF, [2003, "crash"]),
        (12, 0, [0, 0]),
        (12, 0x7FFFFFFF, [2003, "crash"]),
    ],
)
def test_v3_from_a_file_is_checked_less(offset: int, value: int, answers: list[int | str]) -> None:
    data = with_word(make_v3() + b"\xff" * 4096, offset, value)
    assert codes(data) == answers * 2


def test_huge_layer_count_hangs_the_board() -> None:
    data = make_v3()[:28] + b"\x33" * (2 << 20)
    assert codes(with_word(data, 12, 0x7FFFFFFF)) == ["crash"] * 4
    assert "2147483647 layers one by one" in (load(with_word(data, 12, 0x7FFFFFFF)).crash or "")


def test_a_loaded_model_has_size_layers_and_memory() -> None:
    data = make_v3(main_memory=1000)
    assert load(data + b"\xff" * 99) == LoadResult(
        size=len(data), layers=3, memory=len(data) + 1000 + 256 + 192
    )
    assert load(data + b"\xff" * 99, file=True).size == len(data) + 99
    data = make_v4(main_memory=1000)
    answer = load(data)
    assert (answer.size, answer.layers) == (len(data), 3)
    assert answer.memory == len(data) + 1000 + 256 + 192 + 288
    assert load(data, free=answer.memory).loads
    assert load(data, free=answer.memory - 1).crash
    assert int(load(data, free=len(data)).code) == 2006


def test_messages_are_those_of_the_firmware() -> None:
    said = load(make_v4(), v4=False)
    assert said.message == f"[MAIXPY]kpu: load error:2002, ERR_KMODEL_VERSION: {V3}"
    assert load(make_v1()).message.endswith(V4)
    assert load(make_v5()).printed == SIZE_ERROR
    assert load(SMODEL_V3 + words(7 << 20), file=True).printed == ""
    sealed = load(make_sealed())
    assert sealed.printed == "encrypted model\r\n"
    assert sealed.note == "it is encrypted, and loads only on the board that it was made for"
    assert load(make_v3()).printed == ""


def test_sixth_model_is_refused() -> None:
    assert load(make_v3(), loaded=4).loads
    for data in (make_v3(), b""):
        assert load(data, loaded=5).code is KpuCode.MODELS_FULL
    answer = load_flash_result(b"", v4_support=True, frequency=1, loaded=5)
    assert (answer.code, answer.printed) == (KpuCode.MODELS_FULL, "")


@pytest.mark.parametrize("v4", [False, True])
def test_every_error_number_has_a_text(v4: bool) -> None:
    said = {kpu_words(code, v4_support=v4) for code in KpuCode}
    assert len(said) == len(KpuCode) == 16
    assert kpu_words(1999, v4_support=v4) == kpu_words(2015, v4_support=v4) == "ERR_UNKNOWN"
    assert kpu_words(2007, v4_support=v4).endswith("first layer should be conv layer")


def load_flash(data: bytes, *, v4: bool = True, **more: int) -> LoadResult:
    return load_flash_result(data, v4_support=v4, frequency=20_000_000, **more)


def test_load_flash_needs_reversed_models() -> None:
    v3, v4 = reverse_words(make_v3()), reverse_words(make_v4())
    for answer in (load_flash(v3), load_flash(v3, v4=False), load_flash(v4)):
        assert answer.loads
        assert answer.printed == "SPI freq 20000000 Hz\r\n"
    assert load_flash(v3).size == len(make_v3())
    assert load_flash(v3).layers == 3
    refused = [
        (v4, False),
        (make_v3(), True),
        (make_v4(), True),
        (b"", True),
        (b"\xff" * 99, True),
    ]
    for data, support in refused:
        assert int(load_flash(data, v4=support).code) == 2002
    assert load_flash(reverse_words(make_v5() + bytes(3))).crash
    assert int(load_flash(with_word(v3, 8, 1)).code) == 2002


def test_load_flash_keeps_only_the_largest_layer_in_memory() -> None:
    model = make_v3(types=[CONV, 18], body=50_000, main_memory=1000)
    single = load_flash(reverse_words(model))
    assert single.memory == 192 + 4096 + 256 + 1000 + 50_000 + 256
    double = load_flash(reverse_words(model), dual_buffer=True)
    assert double.memory == single.memory + 50_000 + 256
    assert int(load_flash(reverse_words(model), free=single.memory - 1).code) == 2006
    assert load_flash(with_word(reverse_words(model), 12, 0xFFFFFFFF)).crash


def test_loadable_is_what_kpu_load_answers() -> None:
    for data in (make_v1(), make_v3(), make_v4(), make_v5(), make_beta()):
        model = parse_model(b"\xff" * 4096 + data + b"\xff" * 4096, 4096)
        flash = data + b"\xff" * 4096
        assert model.loadable.without_v4 == load(flash, v4=False)
        assert model.loadable.with_v4 == load(flash, v4=True)


def test_memory_budget_is_what_firmware_and_heap_leave() -> None:
    assert memory_budget() == (6 << 20) - (2 << 20) - (512 << 10)
    assert memory_budget(firmware=1 << 20, gc_heap=1 << 20) == 4 << 20
    assert memory_budget(gc_heap=8 << 20) == 0
