"""Complaints about what runs, or does not, when a board starts."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Callable, Iterator

from maixfs.doctor.patient import Patient, Volume
from maixfs.doctor.records import Diagnosis
from maixfs.firmware import freqconf

Newer = Callable[[bytes], list[str]]
"""Returns a sentence for each kind of syntax that the board's MicroPython does not know."""
BOOT, MAIN, IDE_MODE, CONFIG = "/boot.py", "/main.py", "/ide_mode.conf", "/config.json"
COVERS = ("/cover.boot.py", "/cover.main.py")
_NO_UPLOAD = (
    "it runs at each start, before a tool can reach the board: erasing all of the flash"
    " is what people do then, and it is not needed"
)


def programs(patient: Patient, newer: Newer) -> Iterator[Diagnosis]:
    """Yield what keeps a board from running its programs, in the order in which they would."""
    volume = patient.volume
    if volume is None:
        return
    yield from _freq(patient, volume)
    yield from _config(patient, volume)
    yield from _ide(patient, volume)
    for name, content in volume.files.items():
        if name.endswith(".py"):
            yield from _syntax(patient, name, content, newer)
    yield from _covers(volume)
    if MAIN not in volume.files and _is_maixpy(volume):
        what = "there is no /main.py: MaixPy writes its default one, which then runs"
        yield Diagnosis("no-main", False, what, "a card with main.py goes before it")


def _is_maixpy(volume: Volume) -> bool:
    return volume.geometry.block_size == 0x20000 and volume.geometry.page_size == 0x1000


def _mend(patient: Patient, what: str) -> str:
    return f"maixfs doctor {patient.name} --mend {what} -o NEW"


def _freq(patient: Patient, volume: Volume) -> Iterator[Diagnosis]:
    content = volume.files.get(freqconf.NAME)
    if content is None:
        return
    report = freqconf.examine(content)
    for problem in report.problems:
        why = "the firmware takes the size of its heap from this file without looking at it"
        what = f"{freqconf.NAME}: {problem}"
        yield Diagnosis("freq-conf", True, what, why, _mend(patient, "freq"))
    for remark in report.remarks:
        yield Diagnosis("freq-conf", False, f"{freqconf.NAME}: {remark}")


def _config(patient: Patient, volume: Volume) -> Iterator[Diagnosis]:
    content = volume.files.get(CONFIG)
    if content is None:
        return
    try:
        settings = json.loads(content)
    except (ValueError, RecursionError) as error:
        why = "it names pins of the board; the firmware cannot read it"
        what = f"{CONFIG} is no JSON: {error}"
        yield Diagnosis("config-json", True, what, why, _mend(patient, "config"))
        return
    if isinstance(settings, dict) and any("sd" in str(key).lower() for key in settings):
        what = f"{CONFIG} says on which pins the card is"
        why = "where it is that of another board no card mounts until the flash was erased"
        yield Diagnosis("config-sd", False, what, why, _mend(patient, "config"))


def _ide(patient: Patient, volume: Volume) -> Iterator[Diagnosis]:
    if IDE_MODE.encode() in volume.names:
        yield Diagnosis(
            "ide-mode",
            True,
            f"{IDE_MODE} is there: at its next start the board waits for its IDE",
            "the IDE leaves it when it connects; neither boot.py nor main.py runs, once",
            _mend(patient, "ide"),
        )


def _syntax(patient: Patient, name: str, content: bytes, newer: Newer) -> Iterator[Diagnosis]:
    fault = _fault(content)
    what = f"{name} does not compile: {fault}" if fault else ""
    if not fault:
        sentences = newer(content)
        what = f"{name}: {sentences[0]}" if sentences else ""
    if not what:
        return
    starts = name in (BOOT, MAIN)
    why = _NO_UPLOAD if name == BOOT else "the board prints the error, and goes on to its prompt"
    word = name[1:-3]
    mend = (
        _mend(patient, word) if starts else f"mend it, then maixfs cp FILE {patient.name}:{name}"
    )
    yield Diagnosis("syntax", starts, what, why, mend)


def _fault(content: bytes) -> str:
    """Return why a program does not compile; empty where it does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(content)
    except SyntaxError as error:
        line = f"line {error.lineno}: " if error.lineno else ""
        return f"{line}{error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error) or "it is nested too deep"
    return ""


def _covers(volume: Volume) -> Iterator[Diagnosis]:
    for name in COVERS:
        if name.encode() in volume.names:
            what = f"{name} is on /flash: nothing happens to it there"
            why = "only on a card it replaces its namesake on /flash"
            yield Diagnosis("cover", False, what, why, "copy it to the root of the card")
