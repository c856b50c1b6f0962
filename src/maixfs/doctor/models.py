"""Rules about ``kpu.load``: what programs ask for, and what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from maixfs.doctor.boot import report_boot
from maixfs.doctor.flash import CONVERT_MODEL, LESS_MEMORY
from maixfs.doctor.subject import Subject
from maixfs.finding import Command, Cost, Finding, Severity, Step, kind, rule
from maixfs.firmware import Firmware
from maixfs.firmware.freqconf import HEAP_DEFAULT
from maixfs.image.parts import ERASED, FIRMWARE, MODEL, SPIFFS, ZERO
from maixfs.kmodel import KpuCode, Model, fits_memory, load_result, memory_budget
from maixfs.tuples import NamedTuple

_LOAD = (
    rb"\bkpu\s*\.\s*(load|load_flash)\s*\(\s*(?:(0[xX][0-9a-fA-F_]{1,12}|[0-9_]{1,12})"
    rb"|[\"'](/flash/[^\"'\n]{1,120})[\"'])"
)
_MOST = 64
"""Calls that are looked at in one program."""
_V3_WORDS, _V4_WORDS = b"only support kmodel V3", b"only support kmodel V3/V4"
"""The message of the firmware for unknown models; it names V4 if it supports that."""
_OTHERS = {
    ERASED: "that place is erased: the model was never flashed, or at another address",
    ZERO: "that place is all zeros: a flasher that fills up its files has gone over it",
    FIRMWARE: "firmware lies there: it is larger than the address allows",
    SPIFFS: "the file system lies there",
    MODEL: "another model goes over that place",
}


class _Call(NamedTuple):
    program: str
    function: str
    address: int | None
    path: str


MODEL_MISSING = kind(
    "model-missing",
    Severity.ERROR,
    "A program loads a model that is not there.",
    why="kpu.load gives error 2005 (ERR_READ_FILE)",
)
MODEL_ORDER = kind(
    "model-order",
    Severity.ERROR,
    "A program loads a model with load_flash, and its words are not reversed.",
    why="kpu.load_flash reads words with their bytes reversed",
    fix=("flash a copy of the model with reversed words",),
)
MODEL_VERSION = kind(
    "model-version",
    Severity.ERROR,
    "A program loads a model that the firmware refuses.",
    fix=CONVERT_MODEL,
)
MODEL_MEMORY = kind(
    "model-memory",
    Severity.ERROR,
    "A program loads a model that does not fit into memory.",
    fix=LESS_MEMORY,
)


@rule("board", Cost.CONTENT, MODEL_MISSING, MODEL_ORDER, MODEL_VERSION, MODEL_MEMORY)
def _models_of_programs(subject: Subject) -> Iterator[Finding]:
    # One finding for each place that is loaded, named after the first program: reversed, so that
    # the first call is the one that stays.
    calls = {call[1:]: call for call in reversed([*_calls(subject.programs)])}
    for call in reversed(calls.values()):
        if call.path:
            yield from _file(subject, call)
        elif not subject.is_bare and call.address is not None:
            yield from _raw(subject, call, call.address)


def _calls(files: Mapping[str, bytes]) -> Iterator[_Call]:
    for name, content in files.items():
        if not name.endswith(".py"):
            continue
        for found, _ in zip(re.finditer(_LOAD, content), range(_MOST), strict=False):
            function = found[1].decode()
            path = found[3].decode("utf-8", "backslashreplace") if found[3] else ""
            yield _Call(name, function, _number(found[2]), path)


def _number(digits: bytes | None) -> int | None:
    try:
        return None if digits is None else int(digits, 0)
    except ValueError:
        return None


def _file(subject: Subject, call: _Call) -> Iterator[Finding]:
    names = subject.mounted.names if subject.mounted else frozenset()
    if call.path.removeprefix("/flash").encode() not in names:
        yield MODEL_MISSING.found(
            f"{call.program} loads {call.path}, which is not there",
            fix=(Command("cp", ("MODEL", f"{{image}}:{call.path}")),),
            paths=[call.program],
        )


def _raw(subject: Subject, call: _Call, address: int) -> Iterator[Finding]:
    place = f"{address:#08x}"
    asks = f"{call.program} loads a model from {place}"
    if address >= subject.size:
        text = f"{asks}, behind the end of the flash"
        yield MODEL_MISSING.found(text, why="", paths=[call.program])
        return
    part = subject.at(address)
    model = next((each for each in subject.models if each.address == address), None)
    if model is None:
        near = ", ".join(f"{each.address:#08x}" for each in subject.models)
        fix = f"flash the model at {place}"
        yield MODEL_MISSING.found(
            f"{asks}, and there is none",
            where=address,
            why=_answer(subject, address, part.kind if part else ""),
            fix=(f"{fix}, or load one that is there: {near}" if near else fix,),
            paths=[call.program],
        )
    # The SPI controller delivers words with the first byte on top, and load_flash does not turn
    # them round (docs/SPEC.md, 27).
    elif call.function == "load_flash" and not model.reversed:
        yield MODEL_ORDER.found(f"{asks} for load_flash", where=address, paths=[call.program])
    elif call.function == "load":
        yield from _refused(subject, asks, model, call.program)


def _answer(subject: Subject, address: int, kind: str) -> str:
    result = load_result(subject.view[address:], v4_support=_knows_v4(subject) or False)
    why = _OTHERS.get(kind, "no model is there: a wrong file, or the end of other data")
    return f"{why}; kpu.load gives error {int(result.code)}, or a strange version number"


def _refused(subject: Subject, asks: str, model: Model, program: str) -> Iterator[Finding]:
    knows_v4 = _knows_v4(subject)
    # Without firmware in the image the more capable build is assumed: a finding that may be wrong
    # is worse than none.
    answer = model.loadable.without_v4 if knows_v4 is False else model.loadable.with_v4
    if not answer.loads and answer.code is not KpuCode.NO_MEM:
        fix: tuple[Step, ...] | None = None
        if model.version == "v4" and knows_v4 is False:
            fix = ("flash a firmware with kmodel_v4 in its name, or convert it to version 3",)
        elif model.reversed:
            fix = ("flash the model as it is, or use kpu.load_flash",)
        yield MODEL_VERSION.found(
            f"{asks}, and the {model.version} that is there is refused",
            where=model.address,
            why=f"kpu.load gives error {int(answer.code)}: {answer.words}",
            fix=fix,
            paths=[program],
            code=int(answer.code),
        )
        return
    firmware, heap = _memory(subject)
    if not answer.loads or not fits_memory(model.memory_need, firmware=firmware, gc_heap=heap):
        left = memory_budget(firmware=firmware, gc_heap=heap)
        yield MODEL_MEMORY.found(
            f"{asks}: it needs {model.memory_need} bytes, and some {left} are left",
            where=model.address,
            why=f"firmware and a heap of {heap} bytes take the rest: kpu.load gives error 2006",
            paths=[program],
        )


def _memory(subject: Subject) -> tuple[int, int]:
    """Return what firmware and heap take, in bytes."""
    freq = subject.once(report_boot).freq
    heap = freq.used.gc_heap_size if freq else HEAP_DEFAULT
    sizes = [firmware.length for firmware in subject.firmware if firmware.address == 0]
    # A full MaixPy takes about 2 MiB of memory (docs/SPEC.md, 27.6): its data is not in the image.
    return max([*sizes, 0x200000]), heap


def _knows_v4(subject: Subject) -> bool | None:
    """Return whether the firmware loads v4 models, by its own words; ``None`` if it has none."""
    for firmware in subject.firmware:
        # The ROM starts what is at 0; an encrypted program shows none of its texts.
        if firmware.address == 0 and not firmware.aes:
            payload = _payload(subject, firmware)
            if _V3_WORDS in payload:
                return _V4_WORDS in payload
    return None


def _payload(subject: Subject, firmware: Firmware) -> bytes:
    start = firmware.payload_address
    return bytes(subject.view[start : start + firmware.length])
