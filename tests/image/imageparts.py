"""Parts of flash images for the tests, made on the spot."""

from __future__ import annotations

from pathlib import Path

from maixfs.firmware import make_config, make_entry, wrap
from maixfs.spiffs import PRESETS
from maixfs.spiffs.pack import pack

START = bytes.fromhex("21a8efbeadde0100") + bytes(24)
LOBO_START = bytes.fromhex("21a00100efbeadde") + bytes(24)
MAIXPY = b"MicroPython v0.6.3-2-gd8901fd22 on 2023-11-10; Sipeed_M1 with kendryte-k210\r\n\0"
LOBO = (
    b"MicroPython-FreeRTOS by LoBo v1.11.12\n\0"
    b"MicroPython 1.11.12 (1abe503-dirty) built on 2020-01-02; Sipeed_board with Kendryte-K210\r\n"
)
STAGE_1 = bytes.fromhex("6f004001") + b"Kboot_v1.4.1\0\0\0\0" + b"\x19\x71\x86\xfc" * 300
STAGE_0 = bytes.fromhex("6f004000f32740f1") * 76
MODELS = Path(__file__).parent.parent / "data" / "kmodel"
CHIP = 0x1000000
MAIXPY_AREA = PRESETS["maixpy"]


def payload(size: int = 0x20000, text: bytes = b"[MAIXPY]\0" + MAIXPY) -> bytes:
    """Return a program's payload that prints ``text``: start code, filler, text, returns."""
    filler = (b"\x41\x11\x06\xe4\x82\x80" + bytes(range(1, 95))) * (size // 100 + 1)
    head = START + filler[: size // 2] + b"\0" + text
    return (head + filler)[:size]


def model(name: str = "tiny_28x28x1_q") -> bytes:
    """Return a model of the test data."""
    return (MODELS / f"{name}.kmodel").read_bytes()


def area(files: dict[str, bytes]) -> bytes:
    """Return MaixPy's file system with these files."""
    return bytes(pack(files, MAIXPY_AREA))


def chip(parts: dict[int, bytes], size: int = CHIP) -> bytearray:
    """Return an erased chip with ``parts`` at their addresses."""
    image = bytearray(b"\xff") * size
    for address, data in parts.items():
        image[address : address + len(data)] = data
    assert len(image) == size
    return image


def krux(slot: int = 0x80000) -> dict[int, bytes]:
    """Return the parts of a Krux device; only ``slot`` has a firmware."""
    config = make_config([make_entry(0, slot, 0x1AA000, "firmware", crc32=0x24C6ABAA)])
    return {
        0: wrap(STAGE_0),
        0x1000: wrap(STAGE_1),
        0x4000: config,
        0x5000: config,
        slot: wrap(payload(text=b"krux/pages/login.py\0")),
        0xD00000: area({"/settings.json": b"{}"}),
    }
