"""KPU: damaged models give an answer or a crash of the board, no other exception."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from kmodel.make_models import CONV, make_sealed, make_v3, make_v4, make_v5
from maixfs.board.firmware import RawFlash, SystemMemory
from maixfs.board.kpu.loading import Loader, Loading, ModelStore
from maixfs.board.kpu.model import LoadedModel, layers_of, set_output, take_layers
from maixfs.board.power import Power
from maixfs.kmodel import reverse_words
from maixfs.nor.chip import NorChip
from maixfs.nor.clock import DeviceClock
from maixfs.nor.drivers import make_driver
from maixfs.vfs import Vfs

ADDRESS, SIZE = 0xF000, 0x10000
MODELS = [make_v3(types=[CONV, 15]), make_v4(), make_v5(), make_sealed()]
WORDS = st.one_of(st.sampled_from([0, 1, 3, 0x7FFFFFFF, 0xFFFFFFFF]), st.integers(0, 1 << 20))


def load(data: bytes, *, timed: bool, reverse: bool = False) -> Loading:
    """Load a model near the end of a small chip."""
    content = bytes(ADDRESS) + data[: SIZE - ADDRESS]
    chip = NorChip.in_memory(SIZE, content=content.ljust(SIZE, b"\xff"))
    if timed:
        chip.clock = DeviceClock(chip.part)
    raw = RawFlash(make_driver("maixpy", chip), chip, Power())
    store = ModelStore(SystemMemory(0x80000))
    loader = Loader(raw, Vfs("maixpy"), store, v4_support=True, cpu_hz=400_000_000)
    if reverse:
        return loader.from_reversed(ADDRESS, 1000, dual_buffer=True)
    return loader.from_flash(ADDRESS)


def ask(loading: Loading) -> None:
    """Call every function on a loaded model."""
    output: list[str] = []
    model = LoadedModel(loading.answer, loading.data)
    if model.layers < 1000:
        with suppress(OSError):
            layers_of(model, output.append)
        take_layers(model, model.layers, output.append)
    set_output(model, 0, (65535, 65535, 65535), output.append)
    assert all(line.endswith("\r\n") for line in output)


@given(
    st.sampled_from(MODELS),
    st.lists(st.tuples(st.integers(0, 20), WORDS), max_size=4),
    st.integers(0, 2000),
    st.booleans(),
)
def test_damaged_model_raises_only_board_errors(
    model: bytes, changes: list[tuple[int, int]], cut: int, timed: bool
) -> None:
    data = bytearray(model)
    for place, word in changes:
        data[4 * place : 4 * place + 4] = word.to_bytes(4, "little")
    damaged = bytes(data[: len(data) - cut])
    for reverse in (False, True):
        given_data = reverse_words(damaged[: len(damaged) & ~3]) if reverse else damaged
        loading = load(given_data, timed=timed, reverse=reverse)
        if loading.answer.loads:
            ask(loading)
        elif loading.answer.crash is None:
            assert 2001 <= loading.answer.code <= 2015


@given(st.binary(max_size=200))
def test_random_model_raises_only_board_errors(data: bytes) -> None:
    for first in (b"", b"\3\0\0\0", b"LDMK\4\0\0\0", b"LDMK\5\0\0\0"):
        answer = load(first + data, timed=True).answer
        assert answer.loads or answer.crash or 2001 <= answer.code <= 2015
