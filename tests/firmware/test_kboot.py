from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.imageparts import STAGE_0, STAGE_1, chip, krux, payload
from maixfs.firmware import (
    BootEntry,
    FirmwareError,
    Kboot,
    KbootError,
    clear_entry,
    entry_for,
    make_config,
    make_entry,
    read_config,
    read_kboot,
    set_boot_flags,
    set_entry,
    wrap,
)
from maixfs.firmware.kboot import judge_entry

KRUX_ENTRY = bytes.fromhex("5aa5d0c500080000001aa00024c6abaa6669726d776172650000000000000000")
APP = wrap(payload(0x8000))
DIO_APP = wrap(payload(0x8000), dio=True)


def kboot_of(*entries: BootEntry, backup: bytes | None = None, **more: bytes) -> Kboot:
    """Return the Kboot of a small chip that has applications at 0x20000 and 0x30000."""
    main = make_config(entries)
    parts = {
        0: wrap(STAGE_0),
        0x1000: wrap(STAGE_1),
        0x4000: main,
        0x5000: main if backup is None else backup,
        0x20000: APP,
        0x30000: APP,
    }
    parts |= {int(name.removeprefix("at_"), 16): data for name, data in more.items()}
    kboot = read_kboot(chip(parts, 0x40000))
    assert kboot is not None
    return kboot


def test_entry_of_krux_is_made_and_read() -> None:
    entry = make_entry(0, 0x80000, 0x1AA000, "firmware", crc32=0x24C6ABAA)
    sector = make_config([entry])
    assert sector == KRUX_ENTRY + bytes(4096 - 32)
    config = read_config(sector)
    assert config.present == (entry,) and config.entries[0] == entry
    assert entry.active and entry.check_sha and not entry.check_crc and not entry.check_size
    upgraded = make_entry(0, 0x390000, 0x1A92C0, "firmware", check_size=True)
    assert upgraded.id == 0x5AA5D0CD


def test_kboot_of_a_krux_image_is_read() -> None:
    kboot = read_kboot(chip(krux()))
    assert kboot is not None
    assert kboot.version == "Kboot_v1.4.1"
    assert kboot.stage_0 is not None and kboot.stage_0.sha_ok and kboot.stage_0.payload_ok
    assert kboot.stage_1 is not None and kboot.stage_1.sha_ok
    assert kboot.choice[:4] == ("main", 0x80000, 0x20000, "firmware")
    assert [verdict.ok for verdict in kboot.verdicts] == [True, True]


def test_image_without_kboot_gives_none() -> None:
    assert read_kboot(b"") is None
    assert read_kboot(chip({0: APP}, 0x10000)) is None
    assert read_kboot(chip(krux())[:0x5FFF]) is None


def test_first_valid_active_entry_is_chosen() -> None:
    idle = make_entry(0, 0x20000, 0x8000, "idle", active=False)
    wrong = make_entry(1, 0x20000, 0x9000, "wrong", check_size=True)
    right = make_entry(2, 0x30000, 0x8000, "right")
    later = make_entry(3, 0x20000, 0x8000, "later")
    kboot = kboot_of(idle, wrong, right, later)
    assert kboot.choice.name == "right" and kboot.choice.address == 0x30000
    assert [verdict.ok for verdict in kboot.verdicts[:4]] == [True, False, True, True]
    assert "not that of the application" in kboot.verdicts[1].reason


def test_choice_falls_back_to_backup_default_and_halt() -> None:
    idle = make_entry(0, 0x20000, 0x8000, "idle", active=False)
    spare = make_config([make_entry(5, 0x30000, 0x8000, "spare")])
    assert kboot_of(idle, backup=spare).choice[:2] == ("backup", 0x30000)
    plain = bytes(4096)
    assert kboot_of(idle, backup=plain, at_10000=APP).choice[:3] == ("default", 0x10000, 0x8000)
    # Of the default application Kboot does not look at the flags.
    assert kboot_of(idle, backup=plain, at_10000=DIO_APP).choice.source == "default"
    for app in (b"", APP[:-1] + b"?", wrap(payload(0x3FFF))):
        choice = kboot_of(idle, backup=plain, at_10000=app).choice
        assert choice.source == "halt" and "does not start" in choice.reason


def test_entry_for_the_default_application_is_checked_as_default() -> None:
    entry = make_entry(0, 0x10000, 0x8000, "d", check_sha=False)
    assert kboot_of(entry, at_10000=APP).choice.source == "default"
    assert kboot_of(entry, at_10000=APP[:-1] + b"?").choice.source == "halt"


@pytest.mark.parametrize(
    ("change", "app", "said"),
    [
        ({}, APP, "SHA-256 right"),
        ({"check_sha": False}, APP, "nothing is checked but the first byte"),
        ({"check_sha": False}, APP[:-1] + b"?", "nothing is checked but the first byte"),
        ({"check_size": True}, APP, "size and SHA-256 right"),
        ({"check_crc": True}, APP, "SHA-256 right"),
        ({"size": 0x300000}, APP, "SHA-256 right"),
        ({"crc32": 1}, APP, "SHA-256 right"),
    ],
)
def test_valid_entry_starts_and_names_its_checks(
    change: dict[str, Any], app: bytes, said: str
) -> None:
    values: dict[str, Any] = {"address": 0x20000, "size": 0x8000, "name": "a"}
    entry = make_entry(0, **(values | change))
    assert judge_entry(chip({0x20000: app}, 0x40000), entry)[2:] == (True, said)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("id", 0x5AA5D1C5, "no entry: its id is 5AA5D1C5"),
        ("address", 0xFFFF, "address 0xffff is not from"),
        ("address", 0x800001, "address 0x800001 is not from"),
        ("address", 0x800000, "the image ends before"),
        ("size", 0x3FFF, "size 0x3fff is not from"),
        ("size", 0x300001, "size 0x300001 is not from"),
        ("id", 0x5AA5D0C3, "CRC-32 is wrong"),
        ("address", 0x20005, "the byte at 0x20005 is 21"),
    ],
)
def test_invalid_entry_is_refused_with_reason(field: str, value: int, said: str) -> None:
    entry = make_entry(0, 0x20000, 0x8000, "a")._replace(**{field: value})
    verdict = judge_entry(chip({0x20000: APP}, 0x40000), entry)
    assert not verdict.ok and said in verdict.reason


def test_invalid_application_is_refused_with_reason() -> None:
    entry = make_entry(0, 0x20000, 0x8000, "a")
    for app, said in [
        (DIO_APP, "is 02"),
        (wrap(payload(0x8000), key=b"k" * 16), "is 01"),
        (APP[:50] + b"?" + APP[51:], "SHA-256 is wrong"),
        (b"\x00\xff\xff\xff\xff", "ends past the image"),
    ]:
        verdict = judge_entry(chip({0x20000: app}, 0x40000), entry)
        assert not verdict.ok and said in verdict.reason


def test_entry_for_takes_size_and_crc_of_the_application() -> None:
    image = chip({0x20000: APP, 0x30000: DIO_APP}, 0x40000)
    entry = entry_for(image, 0x20000, "app", number=3)
    assert entry.size == 0x8000 and entry.check_size and entry.number == 3
    assert judge_entry(image, entry).ok
    only_crc = entry._replace(id=0x5AA5D0C3)
    assert judge_entry(image, only_crc)[2:] == (True, "CRC-32 right")
    with pytest.raises(KbootError, match="flags 0x02"):
        entry_for(image, 0x30000, "dio")
    with pytest.raises(KbootError, match="no header"):
        entry_for(chip({0x20000: payload()}, 0x60000), 0x20000, "bare")
    with pytest.raises(FirmwareError):
        entry_for(image, 0x3F000, "none")


def test_set_and_clear_entry_change_only_their_bytes() -> None:
    sector = make_config(
        [make_entry(0, 0x80000, 0x8000, "a"), make_entry(7, 0x90000, 0x8000, "b")]
    )
    changed = set_entry(sector, make_entry(7, 0xA0000, 0x8000, "c"))
    assert [entry.name for entry in read_config(changed).present] == ["a", "c"]
    assert [entry.name for entry in read_config(clear_entry(changed, 0)).present] == ["c"]
    assert changed[:0xE0] == sector[:0xE0] and changed[0x100:] == sector[0x100:]
    for number in (-1, 8):
        with pytest.raises(KbootError):
            clear_entry(sector, number)
    with pytest.raises(KbootError, match="has 4096 bytes, not 100"):
        clear_entry(bytes(100), 0)
    with pytest.raises(KbootError, match="only 259 bytes"):
        read_config(bytes(259))


def test_boot_flags_are_silent_pin_or_default() -> None:
    silent = read_config(make_config([], silent=True))
    assert silent.silent and silent.boot_pin is None
    pin = read_config(make_config([], pin=16))
    assert pin.boot_pin == 16 and pin.boot_flags == 0xA55A60D0 and not pin.silent
    usual = read_config(set_boot_flags(make_config([], pin=16)))
    assert not usual.silent and usual.boot_pin is None
    for wrong in ({"pin": 64}, {"pin": -1}, {"pin": 1, "silent": True}):
        with pytest.raises(KbootError):
            set_boot_flags(bytes(4096), **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"number": 8},
        {"address": 0xFFFF},
        {"size": 0x300001},
        {"crc32": 1 << 32},
        {"name": "sixteen letters!"},
        {"name": "ä"},
        {"name": "a\0b"},
    ],
)
def test_make_entry_outside_of_limits_raises_kboot_error(change: dict[str, Any]) -> None:
    values: dict[str, Any] = {"number": 0, "address": 0x80000, "size": 0x8000, "name": "a"}
    with pytest.raises(KbootError):
        make_entry(**(values | change))


@given(st.binary(min_size=0x200, max_size=0x200), st.binary(max_size=64))
def test_any_configuration_can_be_judged(config: bytes, app: bytes) -> None:
    for magic in (b"", bytes.fromhex("5aa5d0c7")):
        sector = magic + config
        parts = {0x1000: wrap(STAGE_1), 0x4000: sector, 0x5000: sector, 0x10000: app}
        kboot = read_kboot(chip(parts, 0x11000))
        assert kboot is not None and kboot.choice.source == "halt"
