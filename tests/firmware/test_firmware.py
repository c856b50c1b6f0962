from __future__ import annotations

import hashlib
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.imageparts import LOBO, LOBO_START, MAIXPY, STAGE_1, START, chip, payload
from maixfs.firmware import (
    FirmwareError,
    check_boot_area,
    parse_key,
    read_firmware,
    unwrap,
    verify,
    wrap,
)
from maixfs.firmware.container import decrypt, encrypt

KEY = bytes(range(16))


def test_wrap_puts_header_and_hash_around() -> None:
    image = wrap(b"abc")
    assert image[:8] == b"\x00\x03\x00\x00\x00abc"
    assert image[8:] == hashlib.sha256(b"\x00\x03\x00\x00\x00abc").digest()
    assert wrap(b"abc", dio=True)[0] == 2
    assert len(wrap(bytes(1741504))) == 0x1A92E5


@pytest.mark.parametrize("dio", [False, True])
@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("address", [0, 0x80000])
def test_unwrap_returns_what_was_wrapped(dio: bool, key: bytes | None, address: int) -> None:
    data = payload(0x4001)
    image = chip({address: wrap(data, dio=dio, key=key)}, 0x100000)
    firmware = verify(image, address)
    assert (firmware.aes, firmware.dio) == (key is not None, dio)
    assert firmware.flags == 2 * dio + (key is not None)
    assert firmware.total == firmware.length + 37 and firmware.padding == 0
    plain = unwrap(image, key=key, address=address)
    assert plain == (data if key is None else data.ljust(0x4010, b"\0"))


def test_encrypt_matches_fips_197() -> None:
    # FIPS 197, appendix C.1; with a vector of zeros the first block is that of plain AES.
    plain = bytes.fromhex("00112233445566778899aabbccddeeff")
    sealed = encrypt(plain, KEY)
    assert sealed.hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"
    assert decrypt(sealed, KEY) == plain
    assert decrypt(encrypt(b"x", KEY), KEY) == b"x".ljust(16, b"\0")


def test_missing_or_wrong_key_raises_firmware_error() -> None:
    image = wrap(payload(), key=KEY)
    for arguments in ({}, {"key": bytes(16)}, {"key": b"short"}):
        with pytest.raises(FirmwareError) as caught:
            unwrap(image, **arguments)
        assert caught.value.kind == "key"
    assert len(unwrap(image, key=bytes(16), force=True)) == 0x20000
    assert parse_key(KEY.hex().upper()) == KEY
    for text in ("xy", "00", "00" * 17):
        with pytest.raises(FirmwareError) as caught:
            parse_key(text)
        assert caught.value.kind == "key"
    with pytest.raises(FirmwareError) as caught:
        decrypt(b"abc", KEY)
    assert caught.value.kind == "length"


def test_missing_cryptography_raises_firmware_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("cryptography")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(FirmwareError, match="not installed") as caught:
        wrap(b"abc", key=KEY)
    assert caught.value.hint == "pip install 'maixfs[aes]'"


@pytest.mark.parametrize(
    ("text", "product", "version"),
    [
        (b"[MaixPy] init\0" + MAIXPY, "MaixPy", "v0.6.3-2-gd8901fd22"),
        (LOBO, "MicroPython by LoBo", "1.11.12"),
        (b"krux/themes.py\0v1.11-64-g3cdabc4 on 2024-05-01\0", "Krux", "v1.11-64-g3cdabc4"),
        (b"MicroPython df9db45d2-dirty on 2018-11-10; Sipeed_M1 with kendryte-k210", "", ""),
        (b"hello", "", ""),
    ],
)
def test_banner_names_product_and_version(text: bytes, product: str, version: str) -> None:
    banner = read_firmware(wrap(payload(text=text))).banner
    assert (banner.product, banner.version) == (product, version)
    assert str(banner).isprintable() and "\0" not in banner.text


def test_banner_text_names_the_product_once() -> None:
    assert str(read_firmware(wrap(payload())).banner) == "MaixPy, " + MAIXPY[:-3].decode()
    assert str(read_firmware(wrap(STAGE_1)).banner) == "Kboot_v1.4.1"
    assert str(read_firmware(wrap(payload(text=b"krux/a.py"))).banner) == "Krux"
    assert str(read_firmware(wrap(payload(), key=KEY)).banner) == ""


@pytest.mark.parametrize("start", [START, LOBO_START])
def test_payload_without_header_is_recognised(start: bytes) -> None:
    data = start + payload(0x5000)[len(start) :]
    image = chip({0: data, 0x40000: b"else"}, 0x80000)
    firmware = read_firmware(image)
    assert not firmware.wrapped and firmware.payload_ok and not firmware.sha_ok
    assert firmware.total == 0x5000 and firmware.banner.product == "MaixPy"
    assert not firmware.aes and not firmware.dio
    with pytest.raises(FirmwareError, match="has no header") as caught:
        verify(image)
    assert caught.value.kind == "header"
    assert unwrap(image, force=True) == data


@pytest.mark.parametrize(("frame", "padding"), [(1, 0), (0x1000, 0xFDB), (0x10000, 0xDFDB)])
def test_padding_of_flashers_is_counted(frame: int, padding: int) -> None:
    image = wrap(payload(0x2000))
    padded = image + bytes(-len(image) % frame)
    for behind in (b"", b"\xff" * 0x20000):
        firmware = read_firmware(padded + behind)
        assert firmware.padding == padding
        assert firmware.end == len(padded)


def test_data_without_firmware_raises_with_its_kind() -> None:
    sound = wrap(payload())
    for image, kind in [
        (b"", "cut"),
        (b"\x00", "zero"),
        (b"\x01\x02", "cut"),
        (b"\xff" * 64, "blank"),
        (bytes(64), "zero"),
        (b"\x04" + sound[1:], "flags"),
        (b"\x00\x00\x00\x00\x00" + sound[5:], "length"),
        (b"\x00\x01\x00\x60\x00" + sound[5:], "length"),
        (sound[:-1], "cut"),
    ]:
        with pytest.raises(FirmwareError) as caught:
            read_firmware(image)
        assert caught.value.kind == kind
        assert check_boot_area(image)[::2] == (False, kind)
    with pytest.raises(FirmwareError):
        read_firmware(sound, -1)
    with pytest.raises(FirmwareError):
        read_firmware(sound, 1 << 40)


def test_wrap_of_empty_or_too_large_payload_raises() -> None:
    for data in (b"", bytes(0x600001)):
        with pytest.raises(FirmwareError) as caught:
            wrap(data)
        assert caught.value.kind == "length"
    assert len(wrap(bytes(0x600000))) == 0x600025


def test_boot_area_verdict_has_kind_and_firmware() -> None:
    sound = wrap(payload())
    verdict = check_boot_area(sound)
    assert verdict.ok and verdict.kind == "ok" and "MaixPy" in verdict.reason
    assert verdict.firmware == verify(sound)
    sealed = check_boot_area(wrap(payload(), key=KEY))
    assert sealed.ok and sealed.kind == "encrypted"
    damaged = bytearray(sound)
    damaged[100] ^= 1
    bad = check_boot_area(damaged)
    assert not bad.ok and bad.kind == "hash" and "SHA-256" in bad.reason
    assert check_boot_area(payload()).kind == "header"


@given(st.binary(max_size=600), st.integers(-10, 700))
def test_any_bytes_raise_only_firmware_error(data: bytes, address: int) -> None:
    try:
        firmware = read_firmware(data, address)
    except FirmwareError:
        return
    assert address <= firmware.address < firmware.address + firmware.total <= len(data)


@given(st.binary(min_size=1, max_size=300), st.booleans(), st.integers(0, 400))
def test_changed_byte_is_detected(data: bytes, dio: bool, place: int) -> None:
    image = bytearray(wrap(data, dio=dio))
    assert unwrap(image) == data
    image[place % len(image)] ^= 0x10
    with pytest.raises(FirmwareError):
        unwrap(image)
