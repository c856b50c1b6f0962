from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.imageparts import CHIP, LOBO, area, chip, krux, model, payload
from maixfs.doctor import BootReport, Subject, examine_subject, report_boot
from maixfs.finding import Cost
from maixfs.firmware import FreqConf, wrap
from maixfs.image.layout import find_layout
from maixfs.image.parts import Found, Parts
from maixfs.kmodel import reverse_words
from maixfs.nor import Buffer

FIRMWARE = wrap(payload(0x180000))
FILES = {
    "/boot.py": b"print(1)\n",
    "/main.py": b"x = 1\n" * 900,
    "/freq.conf": FreqConf().pack(),
    "/m.kmodel": model("cam_64x64x3_q") * 5,
}
AREA = area(FILES)
PARTS = {
    0: FIRMWARE,
    0x300000: model(),
    0x400000: model("cam_64x64x3_q"),
    0x500000: reverse_words(model()),
    0xD00000: AREA,
}
WHOLE = chip(PARTS)


def kinds(image: Parts) -> list[tuple[str, int]]:
    return [(one.kind, one.start) for one in image.ranges]


def keys(image: Parts, *, problems: bool = True) -> set[str]:
    findings = examine_subject(Subject(image), Cost.METADATA).findings
    return {one.key for one in findings if one.is_problem or not problems}


def boot(image: Parts) -> BootReport:
    return report_boot(Subject(image))


def texts(image: Parts) -> str:
    return "\n".join(step.text for step in boot(image).steps)


def assert_whole(image: Parts) -> None:
    """Check that every byte belongs to something."""
    end = 0
    for one in image.ranges:
        assert one.size > 0 and one.start <= end
        end = max(end, one.end)
    assert end == image.size or any(one.end > image.size for one in image)


def test_parts_of_a_whole_chip_are_found() -> None:
    image = Parts(WHOLE)
    assert kinds(image) == [
        ("firmware", 0),
        ("erased", len(FIRMWARE)),
        ("model", 0x300000),
        ("erased", 0x300000 + len(model())),
        ("model", 0x400000),
        ("erased", 0x400000 + len(model("cam_64x64x3_q"))),
        ("model", 0x500000),
        ("erased", 0x500000 + len(model())),
        ("spiffs", 0xD00000),
    ]
    assert all(first.end == second.start for first, second in pairwise(image.ranges))
    assert image.ranges[-1].end == image.size == CHIP
    assert image.layout is find_layout("maixpy-16m")
    assert image.conflicts == () and image.kboot is None
    assert [one.address for one in image.models] == [0x300000, 0x400000, 0x500000]
    assert image.models[2].reversed and "reversed" in image.ranges[6].detail
    assert image.firmware[0].sha_ok and "v0.6.3" in image.ranges[0].detail
    assert image.areas[0].geometry.base == 0xD00000
    assert keys(image) == {"not-loadable"}


def test_at_returns_the_part_of_an_address() -> None:
    image = Parts(WHOLE)
    for address, kind in [(0, "firmware"), (0x200000, "erased"), (0x300001, "model")]:
        found = image.at(address)
        assert found is not None and found.kind == kind
    assert str(image.at(CHIP - 1)) == "spiffs at 0xd00000-0x1000000"
    assert image.at(CHIP) is None and image.at(-1) is None


def test_boot_report_describes_the_start() -> None:
    report = boot(Parts(WHOLE))
    assert report.starts and report.verdict.ok and report.formats is False
    assert report.files == {"/freq.conf": 16, "/boot.py": 9, "/main.py": 5400}
    assert report.freq is not None and report.freq.used == FreqConf()
    said = "\n".join(step.text for step in report.steps)
    for part in (
        "/flash is mounted from 0xd00000",
        "CPU 400 MHz, KPU 400 MHz, heap 524288 bytes",
        "/boot.py runs (9 bytes), then /main.py runs (5400 bytes)",
        "cover.boot.py",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "there is no /boot.py, then a default /main.py is written and runs"),
        ({"/ide_mode.conf": b""}, "waits for its IDE: no program runs"),
        ({"/config.json": b"{}"}, "/config.json (2 bytes) may name the card's pins"),
        ({"/freq.conf": b""}, "it has 0 of 16 bytes"),
        ({"/main.py": b"x"}, "/freq.conf is written anew"),
    ],
)
def test_boot_report_lists_files_of_the_start(files: dict[str, bytes], said: str) -> None:
    image = Parts(chip({0: FIRMWARE, 0xD00000: area(files)}))
    assert said in texts(image)
    assert boot(image).starts


def test_boot_report_stops_at_a_heap_that_is_too_large() -> None:
    conf = FreqConf(gc_heap_size=5_000_000).pack()
    image = Parts(chip({0: FIRMWARE, 0xD00000: area({"/freq.conf": conf})}))
    assert "freq-conf" in keys(image) and not boot(image).starts
    assert "heap of 5000000 bytes" in texts(image)


def test_boot_report_formats_a_shifted_file_system() -> None:
    image = Parts(chip({0: FIRMWARE, 0xCFF000: AREA}))
    assert [one.geometry.base for one in image.areas] == [0xCFF000]
    report = boot(image)
    assert report.formats and report.starts
    assert "FORMATTED" in texts(image) and "0xcff000 is not looked at" in texts(image)
    assert {"elsewhere", "will-format"} <= keys(image)
    assert_whole(image)


def test_blank_file_system_is_no_problem() -> None:
    image = Parts(chip({0: FIRMWARE}))
    assert "/flash is formatted: the area at 0xd00000 is blank" in texts(image)
    assert boot(image).formats and boot(image).starts and not keys(image)


def test_file_systems_at_other_addresses_are_found() -> None:
    image = Parts(chip({0: FIRMWARE, 0x400000: AREA, 0xD00000: AREA}))
    assert sorted(one.geometry.base for one in image.areas) == [0x400000, 0xD00000]
    assert keys(image) == {"elsewhere"}


def test_model_in_the_file_system_is_a_conflict() -> None:
    large = model("cam_64x64x3_q")
    files = FILES | {"/data.bin": bytes(range(256)) * 4096}
    image = Parts(chip({0: FIRMWARE, 0xD00000: area(files)} | {0xCFF000: large}))
    (conflict,) = image.conflicts
    assert conflict.first.startswith("model at 0xcff000")
    assert conflict.second.startswith("spiffs at 0xd00000")
    assert (conflict.start, conflict.end) == (0xD00000, 0xCFF000 + len(large))
    assert "conflict" in keys(image)
    assert_whole(image)


def test_model_over_the_start_of_the_file_system_is_a_conflict() -> None:
    image = Parts(chip({0: FIRMWARE, 0xD00000: AREA} | {0xCFF000: model("cam_64x64x3_q")}))
    (conflict,) = image.conflicts
    assert "region flash (0xd00000-0x1000000)" in conflict.second
    assert [one.geometry.base for one in image.areas] == [0xD20000]
    assert {"conflict", "elsewhere"} <= keys(image)
    assert_whole(image)


def test_model_in_the_place_of_the_file_system_is_a_conflict() -> None:
    image = Parts(chip({0: FIRMWARE, 0xE00000: model()}))
    (conflict,) = image.conflicts
    assert "region flash (0xd00000-0x1000000)" in conflict.second
    assert boot(image).formats


def test_firmware_and_model_that_overlap_are_a_conflict() -> None:
    large = wrap(payload(0x310000))
    image = Parts(chip({0: large}))
    assert {"too-large", "conflict"} <= keys(image)
    assert "models" in image.conflicts[0].second
    image = Parts(chip({0: large, 0x300000: model()}))
    assert not boot(image).verdict.ok
    assert [one[:5] for one in image.conflicts[0][:2]] == ["firmw", "model"]
    assert_whole(image)


def test_model_inside_of_sound_firmware_is_left_out() -> None:
    data = payload(0x8000)
    data = data[: 0x4000 - 5] + model() + data[0x4000 - 5 + len(model()) :]
    image = Parts(chip({0: wrap(data)}, 0x10000))
    assert [one.kind for one in image] == ["firmware"]


def test_padding_is_part_of_the_firmware() -> None:
    image = Parts(chip({0: FIRMWARE + bytes(-len(FIRMWARE) % 0x10000)}))
    assert image.ranges[0].end == 0x190000
    assert "padding" in keys(image, problems=False)


def test_damaged_firmware_and_one_without_header_are_found() -> None:
    image = Parts(chip({0: payload(0x20000), 0x100000: payload(0x20000)}))
    assert [one.detail.endswith("without header") for one in image] == [True, True]
    assert {"no-header"} <= keys(image)
    damaged = bytearray(FIRMWARE)
    damaged[0x1000] ^= 1
    image = Parts(chip({0: bytes(damaged), 0x200000: bytes(damaged)}))
    assert [one.detail.endswith("SHA-256 wrong") for one in image] == [True, True]
    assert {"bad-hash"} <= keys(image)


def test_encrypted_firmware_is_found() -> None:
    sealed = wrap(payload(0x20000), key=b"k" * 16)
    assert Parts(chip({0: sealed}))[0].detail == "a program for the K210, encrypted"
    broken = sealed[:-1] + bytes([sealed[-1] ^ 1])
    found = Parts(chip({0: broken}))[0]
    assert found.detail.endswith("encrypted, SHA-256 wrong")


@pytest.mark.parametrize(
    ("slot", "layout"), [(0x80000, "krux-16m"), (0x390000, "krux-16m"), (0x280000, "krux-16m-old")]
)
def test_parts_of_a_krux_device_are_found(slot: int, layout: str) -> None:
    parts = krux(slot) | ({0x80000: FIRMWARE} if slot == 0x390000 else {})
    image = Parts(chip(parts), find_layout(layout))
    assert [one.kind for one in image][:4] == ["kboot stage"] * 2 + ["boot config"] * 2
    assert image.conflicts == () and not keys(image)
    assert f"starts 'firmware' at {slot:#x}" in texts(image)
    assert "Krux" in texts(image)


def test_layout_is_chosen_by_the_parts() -> None:
    lobo = wrap(payload(text=LOBO))
    for parts, name in [
        (krux(), "krux-16m"),
        ({0: lobo}, "lobo-16m"),
        (krux(0x10000) | {0x10000: lobo}, "lobo-kboot-16m"),
        ({0: wrap(payload(text=b"demo")), 0xA00000: model()}, "kendryte"),
        ({0: FIRMWARE, 0xA00000: model()}, "maixpy-16m"),
        ({}, "maixpy-16m"),
    ]:
        layout = Parts(chip(parts)).layout
        assert layout is not None and layout.name == name
    assert Parts(bytes(0x800000)).layout is None
    assert "littlefs" in texts(Parts(chip({0: lobo})))


def test_kboot_without_an_application_halts() -> None:
    parts = krux()
    del parts[0x80000]
    image = Parts(chip(parts))
    assert {"boot-entry", "kboot-halts"} <= keys(image)
    assert "halts" in texts(image) and not boot(image).starts
    parts[0x5000] = bytes(4096)
    assert "backup-differs" in keys(Parts(chip(parts)), problems=False)


def test_too_small_chips_are_reported() -> None:
    image = Parts(chip({0: FIRMWARE, 0x500000: AREA}, 0x800000))
    assert "/flash cannot be" in texts(image)
    assert [one.geometry.base for one in image.areas] == [0x500000]
    assert_whole(image)


def test_gaps_are_classified() -> None:
    noise = random.Random(1).randbytes(0x10000)
    parts = {
        0x10000: noise,
        0x40000: b"plain words, line by line\n" * 400,
        0x60000: bytes(0x8000),
        0x70000: b"\1\0\0\0\2\0\0\0littlefs" + bytes(range(200)) * 50,
        0x80000: b"data" * 1024 + b"\xff" * 0x3000 + b"more" * 1024,
        0x90000: payload(0x8000)[0x100:],
    }
    image = Parts(chip(parts, 0x100000))
    unknown = {one.start: one for one in image.ranges if one.kind == "unknown"}
    assert sorted(unknown) == [0x10000, 0x40000, 0x70000, 0x80000, 0x90000]
    assert unknown[0x10000].detail == "compressed or encrypted"
    assert unknown[0x10000].size == 0x10000 and (unknown[0x10000].entropy or 0) > 7.9
    assert unknown[0x40000].detail == "text" and unknown[0x40000].size == 0x3000
    assert unknown[0x70000].detail == "a littlefs file system"
    assert unknown[0x80000].size == 0x5000 and unknown[0x80000].detail == "data"
    assert unknown[0x90000].detail == "looks like program code"
    zero = [one for one in image.ranges if one.kind == "zero"]
    assert [(one.start, one.size) for one in zero] == [(0x60000, 0x8000)]
    assert all(one.entropy is None for one in image.ranges if one.kind != "unknown")


@pytest.mark.parametrize("size", [0, 1, 2, 5, 4095, 4097, 0x10001, 0x300000])
@pytest.mark.parametrize("fill", [b"\xff", b"\0", b"\x01\x80"])
def test_images_of_any_size_are_searched(size: int, fill: bytes) -> None:
    image = Parts((fill * size)[:size])
    assert_whole(image)
    assert not boot(image).starts
    assert keys(image, problems=False) or not size or size % 0x1000 == 0


def test_largest_images_are_searched() -> None:
    image = Parts(bytes(64 << 20))
    assert [str(one) for one in image.ranges] == ["zero at 0x0-0x4000000"]
    assert image.layout is not None


def test_parts_of_a_cut_dump_are_found() -> None:
    image = Parts(WHOLE[: 0xD00000 + 0x123456])
    assert {"cut"} <= keys(image)
    assert "odd-size" in keys(image, problems=False)


@pytest.mark.parametrize("cut", [slice(0x1000, None), slice(None, -0x1000)])
def test_dump_without_a_sector_is_short(cut: slice) -> None:
    whole = chip({0: wrap(payload()), 0xD00000: area({"/main.py": b"1"})})
    assert not keys(Parts(whole))
    short = Parts(whole[cut])
    findings = examine_subject(Subject(short)).findings
    problem = next(one for one in findings if one.key == "short")
    assert problem.is_problem and problem.data["missing"] == 0x1000
    assert (short.layout, short.preset.name) == (None, "maixpy-16m")


def test_search_changes_nothing_and_takes_views() -> None:
    before = bytes(WHOLE)
    views: list[Buffer] = [memoryview(WHOLE), WHOLE]
    for view in views:
        image = Parts(view)
        assert image.conflicts is image.conflicts and image.view.readonly
    assert before == WHOLE


def test_search_of_many_headers_is_bounded() -> None:
    lie = b"\x00\x00\x00\x50\x00" + payload(0x1000)[: 0x1000 - 5]
    image = Parts(lie * 0x1000)
    assert image.size == CHIP
    assert 4 < len(image.firmware) < 20  # each claims 5 MiB, which takes time to check
    assert_whole(image)
    bare = Parts(payload(0x1000) * 0x400)
    assert [one.total for one in bare.firmware] == [0x400000]


BLOBS = st.sampled_from(
    [
        wrap(payload(0x3000)),
        wrap(payload(0x3000))[:0x2000],
        model(),
        model()[:700],
        reverse_words(model()),
        AREA[:0x8000],
        AREA[0x20000:0x60000],
        b"\x00\x00\x50\x00\x00" + payload(64),
        b"\x03\0\0\0" * 64,
        *list(krux().values())[:4],
        bytes(0x4000),
    ]
)


@given(st.lists(st.tuples(st.integers(0, 0x7F), BLOBS), max_size=8), st.integers(1, 0x80000))
def test_search_accepts_any_mixture_of_parts(blobs: list[tuple[int, bytes]], size: int) -> None:
    data = bytearray(b"\xff") * 0x80000
    for sector, blob in blobs:
        start = sector * 0x1000
        data[start : start + len(blob)] = blob[: len(data) - start]
    image = Parts(bytes(data[:size]))
    assert_whole(image)
    assert all(isinstance(one, Found) for one in image.ranges)
    assert "conflict" in keys(image) or not image.conflicts or Subject(image).is_bare
    assert boot(image).steps


@given(st.binary(max_size=20_000))
def test_search_accepts_any_bytes(data: bytes) -> None:
    image = Parts(data)
    assert_whole(image)
    assert boot(image).steps
