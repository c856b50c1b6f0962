"""Models are found at every sector of a flash, and nothing else is."""

from __future__ import annotations

import itertools
from random import Random

import pytest

from kmodel.make_models import (
    PLAIN,
    make_beta,
    make_sealed,
    make_v1,
    make_v3,
    make_v4,
    make_v5,
    words,
)
from maixfs.errors import UsageError
from maixfs.kmodel import find_models, reverse_words

CHIP = 16 << 20


def flash_with(parts: dict[int, bytes], size: int = CHIP, filler: bytes = b"\xff") -> bytearray:
    image = bytearray(filler * size)
    for address, data in parts.items():
        image[address : address + len(data)] = data
    return image[:size]


def test_models_of_every_version_are_found() -> None:
    parts = {0x300000 + 0x11000 * i: make() for i, make in enumerate(PLAIN.values())}
    parts |= {0x800000: reverse_words(make_v3()), 0x900000: reverse_words(make_v4())}
    parts |= {0xA00000: make_sealed(), CHIP - 4096: make_v4()}
    models = find_models(flash_with(parts))
    assert [(m.address, m.reversed) for m in models] == [
        (address, 0x800000 <= address < 0xA00000) for address in parts
    ]
    assert [m.version for m in models] == [*PLAIN, "v3", "v4", "smodel v4", "v4"]
    assert all(m.size == len(parts[m.address]) for m in models)


def test_search_is_limited_to_start_end_and_step() -> None:
    parts = dict.fromkeys((0, 0x1000, 0x3000, 0x3800, 0x8000), make_v3())
    image = flash_with(parts, 0x10000)
    assert [m.address for m in find_models(image)] == [0, 0x1000, 0x3000, 0x8000]
    assert [m.address for m in find_models(image, start=0x1000, end=0x8000)] == [0x1000, 0x3000]
    assert [m.address for m in find_models(image, step=0x800)] == [*parts]
    assert [m.address for m in find_models(image, start=0x800)] == [0x3800]
    assert find_models(image, step=1 << 40)[0].address == 0
    for wrong in ({"step": 3}, {"start": -1}, {"end": -1}):
        with pytest.raises(UsageError):
            find_models(image, **wrong)


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 4095, 4096, 4097, 4100, 8191])
def test_image_of_any_size_is_searched(size: int) -> None:
    image = (b"\xff" * 4096 + make_v3() + b"\xff" * 8192)[:size]
    assert len(find_models(image)) == (size == 8191)
    image += b"\xff" * (-size % 4096) + make_v4()
    assert find_models(image)[-1].version == "v4"


def test_cut_off_v4_and_v5_models_are_returned() -> None:
    for make, found in ((make_v3, 0), (make_v1, 0), (make_v4, 1), (make_v5, 1), (make_beta, 1)):
        data = make()
        image = flash_with({0x1000: data}, 0x1000 + len(data) - 20)
        models = find_models(image)
        assert [m.missing for m in models] == [20] * found
        assert find_models(image[: 0x1000 + 30]) == []


def test_overlapping_models_are_both_returned_with_a_note() -> None:
    big = make_v4(constants=0, opcodes=[0x2002] * 3, body=0x2000)
    image = flash_with({0x1000: big, 0x3000: make_v3(), 0x5000: make_v3(), 0x8000: make_v5()})
    models = find_models(image)
    assert [m.address for m in models] == [0x1000, 0x3000, 0x5000, 0x8000]
    inside = ["it begins inside the model at 0x001000" in " ".join(m.notes) for m in models]
    assert inside == [False, True, True, False]


def near_misses() -> list[bytes]:
    """Sectors that begin like models."""
    numbers = [0, 1, 2, 3, 4, 28, 4096, 0xFFFFFFFF]
    heads = [
        words(version, *rest)
        for version in (1, 3, 10003)
        for rest in itertools.product(numbers[:4], (0, 1), numbers[1:6], numbers[4:])
    ]
    names = [b"LDMK", b"KMDL", b"LDMS", b"LDME", words(0x03000000)]
    return heads + [name + words(n) for name in names for n in numbers]


@pytest.mark.parametrize("filler", [b"\xff", b"\0", b"\3\0\0\0", b"\1\0\0\0", b"code"])
def test_data_that_begins_like_a_model_is_not_found(filler: bytes) -> None:
    tail = filler * (4096 // len(filler))
    image = b"".join(head + tail[len(head) :] for head in near_misses())
    assert find_models(image) == []


def test_random_bytes_contain_no_models() -> None:
    chance = Random(5)
    image = bytearray(chance.randbytes(4 << 20))
    for sector in range(0, len(image), 4096):
        image[sector : sector + 4] = chance.choice(
            [words(1), words(3), words(10003), words(3 << 24)]
        )
        image[sector + 8 : sector + 12] = bytes(4)
    found = find_models(image)
    assert {m.version for m in found} <= {"smodel v3"}
