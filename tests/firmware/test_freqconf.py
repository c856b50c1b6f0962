from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maixfs.firmware import FreqConf
from maixfs.firmware.freqconf import HEAP_MAX, examine

DEFAULT = bytes.fromhex("0084d717 0084d717 01000000 00000800")


def test_defaults_are_those_of_the_firmware() -> None:
    assert FreqConf().pack() == DEFAULT
    report = examine(DEFAULT)
    assert report.stored == report.used == FreqConf()
    assert report.problems == report.remarks == ()


def test_padding_is_ignored() -> None:
    assert examine(DEFAULT[:9] + b"\xde\xad\xbe" + DEFAULT[12:]).used == FreqConf()
    assert examine(DEFAULT + b"more").used == FreqConf()


@pytest.mark.parametrize("heap", [HEAP_MAX + 1, 6_000_000, 0xFFFFFFFF])
def test_heap_that_leaves_no_memory_is_a_problem(heap: int) -> None:
    report = examine(FreqConf(gc_heap_size=heap).pack())
    assert f"a heap of {heap} bytes" in report.problems[0]
    assert report.stored.fixed() == FreqConf()


def test_small_heap_is_a_problem() -> None:
    assert "too small" in examine(FreqConf(gc_heap_size=1).pack()).problems[0]
    assert examine(FreqConf(gc_heap_size=0).pack()).problems == ()
    assert examine(FreqConf(gc_heap_size=HEAP_MAX).pack()).problems == ()


def test_clocks_out_of_range_are_limited() -> None:
    report = examine(FreqConf(900_000_000, 1_200_000_000, 1, 0x80000).pack())
    assert report.used.freq_cpu == 600_000_000
    assert "freq_cpu 900000000 Hz is out of range" in report.remarks[0]
    assert "the KPU would run at 1200000000 Hz" in report.remarks[1]
    assert report.stored.fixed() == report.used


@given(st.binary(max_size=40))
def test_any_content_can_be_examined_and_fixed(data: bytes) -> None:
    report = examine(data)
    assert 26_000_000 <= report.used.freq_cpu <= 600_000_000
    assert (len(data) < FreqConf.size) == any("16 bytes" in remark for remark in report.remarks)
    fixed = examine(report.stored.fixed().pack())
    assert fixed.problems == ()
    if not report.problems:
        assert fixed.used == report.used
