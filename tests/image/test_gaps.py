from __future__ import annotations

import random

import pytest

from maixfs.image.parts import classify, entropy

NOISE = random.Random(7).randbytes(0x40000)


def test_entropy_of_known_distributions() -> None:
    assert entropy(b"") == entropy(b"aaaa") == 0.0
    assert str(entropy(b"aaaa")) == "0.0"
    assert entropy(b"ab") == 1.0
    assert entropy(bytes(range(256)) * 4) == 8.0
    assert entropy(b"aaab") == pytest.approx(0.8112781)


def test_entropy_of_a_sample_is_that_of_the_whole() -> None:
    assert entropy(NOISE) == pytest.approx(8.0, abs=0.02)
    halves = bytes(0x20000) + NOISE[:0x20000]
    assert entropy(halves, sample=4096) == pytest.approx(entropy(halves, sample=1 << 30), abs=0.3)
    assert entropy(memoryview(NOISE)[5:], sample=16) <= 4.0


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "erased"),
        (b"\xff" * 5000, "erased"),
        (bytes(100_000), "zero"),
        (b"\x55" * 64, "data"),
        (b"def f():\n    return 1\n" * 50, "text"),
        ("größer als nötig, für Übergänge\n".encode() * 40, "text"),
        (NOISE, "compressed"),
        (NOISE[:256], "data"),
        (b"\x41\x11\x06\xe4\x22\xe0\x01\x00\xa2\x60\x41\x01\x82\x80" * 500, "code"),
        (bytes(range(32)) * 600, "data"),
    ],
)
def test_classify_names_the_class_of_bytes(data: bytes, name: str) -> None:
    assert classify(data)[0] == name
    assert classify(memoryview(data))[1] == entropy(data)
