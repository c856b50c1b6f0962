"""Images that show what people complain about: one for each complaint that a flash can show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from image.imageparts import chip, krux
from image.whole_image import FILES, FLASH, MAIXPY, make_flash, payload
from kmodel.make_models import make_v3, make_v4, make_v5
from maixfs.doctor.subject import Card, Subject
from maixfs.finding import Severity
from maixfs.firmware import FreqConf, make_config, make_entry, wrap
from maixfs.image.errors import MissingError
from maixfs.kmodel import reverse_words
from maixfs.spiffs import PRESETS
from maixfs.spiffs.check import SpiffsCheck
from maixfs.spiffs.pack import pack

V3_ONLY = wrap(payload(words=b"ERR_KMODEL_VERSION: only support kmodel V3\0"))
V3_AND_V4 = wrap(payload(words=b"ERR_KMODEL_VERSION: only support kmodel V3/V4 now\0"))
LOADS = {**FILES, "/main.py": b"import KPU as kpu\ntask = kpu.load(0x300000)\n"}


class Case(NamedTuple):
    """An image, and a finding that its examination has."""

    key: str
    build: Callable[[], bytes | bytearray | Subject]
    severity: Severity = Severity.ERROR


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


def area(files: Mapping[str, bytes] = FILES) -> bytearray:
    """Return an image of MaixPy's file system alone."""
    return bytearray(pack(list(files.items()), PRESETS["maixpy"]))


def page_of(image: bytearray, name: str) -> int:
    """Return the address of the index header of a file in an image of one file system."""
    check = SpiffsCheck(bytes(image), replace(PRESETS["maixpy"], base=0))
    return next(check.address(entry) for entry in check.entries if entry.name == name)


def unreadable() -> bytearray:
    """Return a file system with a file whose data page is marked deleted."""
    image = area()
    image[page_of(image, "/lib/a.py") + 0x1000 + 4] = 0x7C
    return image


def two_headers() -> bytearray:
    """Return a file system in which two headers have one name."""
    image = area({"/one.py": b"first", "/two.py": b"second"})
    at = page_of(image, "/two.py") + 13
    image[at : at + 8] = b"/one.py\0"
    return image


def not_booked() -> bytearray:
    """Return a file system whose look-up calls a data page free."""
    image = area({"/main.py": b"x = 1\n"})
    page = page_of(image, "/main.py") // 0x1000 + 1
    block, inside = divmod(page, 32)
    lookup = block * 0x20000 + 2 * (inside - 1)
    image[lookup : lookup + 2] = b"\xff\xff"
    return image


def stale() -> bytearray:
    """Return a file system with old bytes in its last page but one."""
    image = area()
    image[-0x2000:-0x1000] = b"\x11" * 0x1000
    return image


def crammed() -> bytes:
    """Return a file system without spare blocks."""
    small = replace(PRESETS["maixpy"], base=0, size=0x100000)
    room = (small.blocks - 1) * small.usable_pages
    return pack([("/big", bytes((room - 4) * small.data_size))], small, spare_blocks=0)


def unsure() -> bytearray:
    """Return a flash with a file system that has only one block with a magic."""
    image = flash()
    for block in range(1, 24):
        image[FLASH + block * 0x20000 + 0xFFC : FLASH + block * 0x20000 + 0x1000] = bytes(4)
    return image


def two_areas() -> bytearray:
    """Return a flash with a second file system in the place of models."""
    return with_bytes(0x800000, pack([("/x", b"x")], MAIXPY))


def without_magics() -> bytearray:
    """Return a file system that two blocks without magic keep from mounting."""
    image = area()
    for block in (3, 7):
        image[block * 0x20000 + 0xFFC] ^= 0xFF
    return image


def krux_without_application() -> bytes:
    """Return a flash on which Kboot finds nothing to start."""
    parts = krux()
    del parts[0x80000]
    return chip(parts)


class FakeCard(Card):
    """A card that a board mounts, with these names in its root."""

    def __init__(self, *names: str) -> None:
        self._names = frozenset(names)

    fault = None  # type: ignore[assignment]
    summary = None  # type: ignore[assignment]
    mounts = True  # type: ignore[assignment]

    @property
    def names(self) -> frozenset[str]:  # type: ignore[override]
        return self._names


class MissingCard(Card):
    """A card whose file was removed."""

    def __init__(self) -> None:
        pass

    fault = MissingError("no-card.img does not exist")  # type: ignore[assignment]


def with_card(card: Card) -> Subject:
    """Return a board with a card."""
    return Subject(flash(), geometry=PRESETS["maixpy"], is_board=True, card=card)


NOTE, WARNING = Severity.NOTE, Severity.WARNING
CASES: dict[str, Case] = {
    "gc-heap": Case(
        "freq-conf",
        lambda: make_flash({**FILES, "/freq.conf": FreqConf(gc_heap_size=0x500000).pack()}),
    ),
    "short-freq-conf": Case("freq-conf", lambda: area({"/freq.conf": b"\x01"}), NOTE),
    "model-not-there": Case("model-missing", lambda: loading(None)),
    "model-vanished": Case("model-missing", lambda: loading(bytes(0x20000))),
    "v4-on-v3-build": Case("model-version", lambda: loading(make_v4(), firmware=V3_ONLY)),
    "v5-model": Case("model-version", lambda: loading(make_v5(), firmware=V3_AND_V4)),
    "model-reversed": Case("model-version", lambda: loading(reverse_words(make_v3()))),
    "model-for-load-flash": Case(
        "model-order",
        lambda: loading(make_v3(), program=b"kpu.load_flash(0x300000, 0, 0x8000, 2)\n"),
    ),
    "model-memory": Case("model-memory", lambda: loading(make_v3(main_memory=0x380000))),
    "model-in-firmware": Case(
        "conflict",
        lambda: with_bytes(
            0x180000, make_v3(), make_flash(firmware=wrap(payload(0x190000)), models={})
        ),
    ),
    "model-over-spiffs": Case("conflict", lambda: with_bytes(0xCFF000, make_v3(body=0x2000))),
    "model-file": Case("model-missing", lambda: flash(a_py=b"kpu.load('/flash/m.kmodel')\n")),
    "model-nothing-loads": Case("not-loadable", lambda: loading(make_v5())),
    "model-large": Case("no-memory", lambda: loading(make_v3(main_memory=3_669_000)), NOTE),
    "model-without-shapes": Case("model", lambda: loading(make_v4()), NOTE),
    "boot-syntax": Case("syntax", lambda: flash(boot_py=b"def broken(:\n")),
    "boot-newer": Case("syntax", lambda: flash(boot_py=b"name = 1\nprint(f'{name}')\n")),
    "library-syntax": Case("syntax", lambda: flash(other_py=b"def broken(:\n"), NOTE),
    "ide-mode": Case("ide-mode", lambda: make_flash({**FILES, "/ide_mode.conf": b""}), WARNING),
    "cover": Case("cover", lambda: make_flash({**FILES, "/cover.main.py": b""}), NOTE),
    "cover-on-card": Case("cover", lambda: with_card(FakeCard("cover.main.py")), NOTE),
    "card-first": Case("sd-first", lambda: with_card(FakeCard()), NOTE),
    "card-missing": Case("card", lambda: with_card(MissingCard())),
    "no-main": Case("no-main", lambda: make_flash({"/boot.py": b""}), NOTE),
    "sd-pins": Case(
        "config-sd",
        lambda: make_flash({**FILES, "/config.json": b'{"sdcard": {"cs": 29}}'}),
        NOTE,
    ),
    "config-json": Case(
        "config-json", lambda: make_flash({**FILES, "/config.json": b"{"}), WARNING
    ),
    "backslashes": Case(
        "backslash-names", lambda: make_flash({**FILES, r"\sd\vid.avi": b"x"}), WARNING
    ),
    "no-slash": Case("no-slash", lambda: make_flash({**FILES, "a.txt": b""}), WARNING),
    "folders": Case("folders", flash, NOTE),
    "past-advised": Case("nearly-full", lambda: filled(62), NOTE),
    "cliff": Case("nearly-full", lambda: filled(70), WARNING),
    "full-though-free": Case("full-though-free", lambda: filled(90), WARNING),
    "crammed": Case("no-spare-blocks", crammed, NOTE),
    "unreadable": Case("unreadable", unreadable),
    "two-headers": Case("two-headers", two_headers, WARNING),
    "aborted-erase": Case(
        "aborted-erase",
        lambda: with_bytes(3 * 0x20000, b"\xff" * 0x20000, area()),
        WARNING,
    ),
    "not-booked": Case("not-booked", not_booked),
    "stale-pages": Case("stale-pages", stale, NOTE),
    "changed-size": Case(
        "wrong-geometry",
        lambda: make_flash(models={}, geometry=replace(MAIXPY, size=0x200000)),
    ),
    "other-tool": Case(
        "wrong-geometry",
        lambda: make_flash(models={}, geometry=replace(MAIXPY, aligned_tables=False)),
    ),
    "shifted-dump": Case("will-format", shifted),
    "file-system-elsewhere": Case("elsewhere", shifted),
    "package-over-spiffs": Case(
        "will-format", lambda: with_bytes(FLASH, bytes(range(1, 251)) * 12000)
    ),
    "erased-spiffs": Case("blank", lambda: with_bytes(FLASH, b"\xff" * 0x300000), NOTE),
    "without-magics": Case("no-mount", without_magics),
    "other-firmware": Case(
        "foreign", lambda: pack([("/a", b"x")], PRESETS["esp-idf"].with_size(0x20000)), NOTE
    ),
    "few-magics": Case("unsure", unsure, NOTE),
    "two-areas": Case("other-area", two_areas, NOTE),
    "dump-cut-short": Case("cut", lambda: flash()[: FLASH + 0x123456]),
    "dump-odd-size": Case("odd-size", lambda: flash()[: FLASH + 0x123456], NOTE),
    "dump-lost-a-sector": Case("short", lambda: flash()[0x1000:]),
    "no-firmware": Case("no-firmware", lambda: loading(make_v3(), firmware=b"")),
    "only-files": Case("no-firmware", lambda: flash(b""), NOTE),
    "no-header": Case("no-header", lambda: flash(payload())),
    "bad-hash": Case("bad-hash", lambda: with_bytes(0x9000, b"\x00\x00")),
    "wrong-file": Case("wrong-file", lambda: flash(b"PK\x03\x04" + bytes(range(5, 250)) * 99)),
    "model-as-firmware": Case("wrong-file", lambda: flash(make_v3())),
    "large-firmware": Case("too-large", lambda: chip({0: wrap(payload(0x310000))}), WARNING),
    "dio-under-kboot": Case("boot-entry", lambda: kboot(wrap(payload(), dio=True)), WARNING),
    "kboot-halts": Case("kboot-halts", krux_without_application),
    "kboot-upgraded": Case("backup-differs", lambda: chip({**krux(), 0x5000: bytes(4096)}), NOTE),
    "padding": Case("padding", lambda: flash(wrap(payload()).ljust(0x30000, b"\0")), NOTE),
    "small-chip": Case("small-chip", lambda: make_flash(models={}, size=0x800000)),
}
"""By a word for the complaint, as docs/COMPLAINTS.md names it; at least one for each key."""
