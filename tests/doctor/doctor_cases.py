"""Images that show what people complain about: one for each complaint that a flash can show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from image.whole_image import FILES, FLASH, MAIXPY, make_flash, payload
from kmodel.make_models import make_v3, make_v4, make_v5
from maixfs.firmware import FreqConf, make_config, make_entry, wrap
from maixfs.kmodel import reverse_words

V3_ONLY = wrap(payload(words=b"ERR_KMODEL_VERSION: only support kmodel V3\0"))
V3_AND_V4 = wrap(payload(words=b"ERR_KMODEL_VERSION: only support kmodel V3/V4 now\0"))
LOADS = {**FILES, "/main.py": b"import KPU as kpu\ntask = kpu.load(0x300000)\n"}


class Case(NamedTuple):
    """An image, and what the doctor says of it."""

    key: str
    words: str
    """A part of what it says."""
    build: Callable[[], bytes | bytearray]
    is_problem: bool = True


def flash(firmware: bytes | None = None, **files: bytes) -> bytearray:
    """Return a sound flash without models, with these files too (``a_py`` is ``/a.py``)."""
    named = {f"/{name.replace('_py', '.py')}": content for name, content in files.items()}
    return make_flash({**FILES, **named}, firmware=firmware, models={})


def loading(
    model: bytes | None, *, firmware: bytes | None = None, program: bytes = LOADS["/main.py"]
) -> bytearray:
    """Return a flash whose main.py loads what is at 0x300000."""
    models = {} if model is None else {0x300000: model}
    return make_flash({**LOADS, "/main.py": program}, firmware=firmware, models=models)


def with_bytes(address: int, data: bytes, image: bytearray | None = None) -> bytearray:
    """Return a sound flash with something written over it."""
    made = flash() if image is None else image
    made[address : address + len(data)] = data
    return made


def kboot(application: bytes) -> bytearray:
    """Return a flash of Krux's make."""
    stage = wrap(payload(0x800))
    image = make_flash(firmware=stage, models={})
    second = b"\x00" + stage[1:5] + b"\x21\xa8\x00\x00" + b"Kboot_v1.4.1\0" + stage[18:]
    config = make_config([make_entry(0, 0x80000, 0x20000, "firmware")])
    for at, data in ((0x1000, second), (0x4000, config), (0x5000, config), (0x80000, application)):
        image[at : at + len(data)] = data
    return image


def filled(percent: int) -> bytearray:
    """Return a flash whose file system is so full."""
    pages = 683 * percent // 100
    files = {f"/{number}.bin": bytes(4091 * 30) for number in range(pages // 31)}
    return make_flash({**FILES, **files}, models={})


def shifted() -> bytearray:
    """Return a dump in which the file system lies a sector too low."""
    image = flash()
    return image[0x1000:] + b"\xff" * 0x1000


CASES: dict[str, Case] = {
    "gc-heap": Case(
        "freq-conf",
        "the board hangs at its start",
        lambda: make_flash({**FILES, "/freq.conf": FreqConf(gc_heap_size=0x500000).pack()}),
    ),
    "model-not-there": Case(
        "model-missing",
        "/main.py loads a model from 0x300000, and there is none",
        lambda: loading(None),
    ),
    "model-vanished": Case(
        "model-missing",
        "a flasher that fills up its files has gone over it",
        lambda: loading(bytes(0x20000)),
    ),
    "v4-on-v3-build": Case(
        "model-version",
        "the v4 that is there is refused",
        lambda: loading(make_v4(), firmware=V3_ONLY),
    ),
    "v5-model": Case(
        "model-version",
        "the v5 that is there is refused",
        lambda: loading(make_v5(), firmware=V3_AND_V4),
    ),
    "model-reversed": Case("model-version", "refused", lambda: loading(reverse_words(make_v3()))),
    "model-for-load-flash": Case(
        "model-order",
        "for load_flash",
        lambda: loading(make_v3(), program=b"kpu.load_flash(0x300000, 0, 0x8000, 2)\n"),
    ),
    "model-memory": Case(
        "model-memory",
        "are left",
        lambda: loading(make_v3(main_memory=0x380000)),
    ),
    "model-in-firmware": Case(
        "conflict",
        "firmware at 0x0",
        lambda: with_bytes(
            0x180000, make_v3(), make_flash(firmware=wrap(payload(0x190000)), models={})
        ),
    ),
    "model-over-spiffs": Case(
        "conflict", "model at 0xcff000", lambda: with_bytes(0xCFF000, make_v3(body=0x2000))
    ),
    "model-file": Case(
        "model-missing",
        "loads /flash/m.kmodel, which is not there",
        lambda: flash(a_py=b"kpu.load('/flash/m.kmodel')\n"),
    ),
    "boot-syntax": Case(
        "syntax", "/boot.py does not compile: line 1", lambda: flash(boot_py=b"def broken(:\n")
    ),
    "boot-newer": Case(
        "syntax", "an f-string", lambda: flash(boot_py=b"name = 1\nprint(f'{name}')\n")
    ),
    "ide-mode": Case(
        "ide-mode",
        "the board waits for its IDE",
        lambda: make_flash({**FILES, "/ide_mode.conf": b""}),
    ),
    "cover": Case(
        "cover",
        "nothing happens to it there",
        lambda: make_flash({**FILES, "/cover.main.py": b""}),
        False,
    ),
    "no-main": Case(
        "no-main", "MaixPy writes its default one", lambda: make_flash({"/boot.py": b""}), False
    ),
    "sd-pins": Case(
        "config-sd",
        "on which pins the card is",
        lambda: make_flash({**FILES, "/config.json": b'{"sdcard": {"cs": 29}}'}),
        False,
    ),
    "config-json": Case(
        "config-json", "is no JSON", lambda: make_flash({**FILES, "/config.json": b"{"})
    ),
    "backslashes": Case(
        "backslash-names", r"\sd\vid.avi", lambda: make_flash({**FILES, r"\sd\vid.avi": b"x"})
    ),
    "no-slash": Case(
        "no-slash",
        "names without a slash in front: a.txt",
        lambda: make_flash({**FILES, "a.txt": b""}),
    ),
    "folders": Case("folders", "/lib/a.py", flash, False),
    "cliff": Case("nearly-full", "writes are slow from 65 % on", lambda: filled(70)),
    "full-though-free": Case("full-though-free", "writes fail as FULL", lambda: filled(90)),
    "changed-size": Case(
        "wrong-geometry",
        "size 0x200000, not 0x300000",
        lambda: make_flash(models={}, geometry=replace(MAIXPY, size=0x200000)),
    ),
    "other-tool": Case(
        "wrong-geometry",
        "aligned tables 0x0, not 0x1",
        lambda: make_flash(models={}, geometry=replace(MAIXPY, aligned_tables=False)),
    ),
    "shifted-dump": Case("will-format", "but one at 0xCFF000", shifted),
    "package-over-spiffs": Case(
        "will-format",
        "will FORMAT /flash",
        lambda: with_bytes(FLASH, bytes(range(1, 251)) * 12000),
    ),
    "no-firmware": Case("no-firmware", "erased", lambda: flash(b"")),
    "no-header": Case("no-header", "has no header", lambda: flash(payload())),
    "bad-hash": Case("bad-hash", "SHA-256 is wrong", lambda: with_bytes(0x9000, b"\x00\x00")),
    "wrong-file": Case(
        "wrong-file", "a zip archive", lambda: flash(b"PK\x03\x04" + bytes(range(5, 250)) * 99)
    ),
    "model-as-firmware": Case(
        "wrong-file", "flashed there (a model (kmodel v3", lambda: flash(make_v3())
    ),
    "dio-under-kboot": Case("boot-entry", "is 02", lambda: kboot(wrap(payload(), dio=True))),
    "padding": Case(
        "padding", "with zeros", lambda: flash(wrap(payload()).ljust(0x30000, b"\0")), False
    ),
    "small-chip": Case(
        "small-chip", "the chip has 8 MiB", lambda: make_flash(models={}, size=0x800000)
    ),
}
"""By a word for the complaint, as docs/COMPLAINTS.md names it."""
