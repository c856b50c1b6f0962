"""Complaints about ``kpu.load``: what programs ask for, and what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from maixfs.doctor.patient import Patient
from maixfs.doctor.records import Diagnosis
from maixfs.explain import hex_address
from maixfs.firmware import Firmware
from maixfs.firmware.freqconf import HEAP_DEFAULT
from maixfs.image.records import ERASED, FIRMWARE, MODEL, SPIFFS, ZERO
from maixfs.kmodel import KpuCode, Model, fits_memory, load_result, memory_budget

_LOAD = re.compile(
    rb"\bkpu\s*\.\s*(load|load_flash)\s*\(\s*(?:(0[xX][0-9a-fA-F_]{1,12}|[0-9_]{1,12})"
    rb"|[\"'](/flash/[^\"'\n]{1,120})[\"'])"
)
_MOST = 64
"""Calls that are looked at in one program."""
_V3_WORDS, _V4_WORDS = b"only support kmodel V3", b"only support kmodel V3/V4"
"""What firmware says of models that it does not know: with V4 where it knows that."""
_OTHERS = {
    ERASED: "that place is erased: the model was never flashed, or at another address",
    ZERO: "that place is all zeros: a flasher that fills up its files has gone over it",
    FIRMWARE: "firmware lies there: it is larger than the address allows",
    SPIFFS: "the file system lies there",
}


class _Call(NamedTuple):
    program: str
    function: str
    address: int | None
    path: str


def models(patient: Patient) -> Iterator[Diagnosis]:
    """Yield what programs in the file system will not get from ``kpu.load``."""
    if patient.volume is None:
        return
    seen = set()
    for call in _calls(patient.volume.files):
        key = (call.function, call.address, call.path)
        if key in seen:
            continue
        seen.add(key)
        if call.path:
            yield from _file(patient, call)
        elif not patient.is_bare and call.address is not None:
            yield from _raw(patient, call, call.address)


def _calls(files: Mapping[str, bytes]) -> Iterator[_Call]:
    for name, content in files.items():
        if not name.endswith(".py"):
            continue
        for found, _ in zip(_LOAD.finditer(content), range(_MOST), strict=False):
            function = found[1].decode()
            path = found[3].decode("utf-8", "backslashreplace") if found[3] else ""
            yield _Call(name, function, _number(found[2]), path)


def _number(digits: bytes | None) -> int | None:
    try:
        return None if digits is None else int(digits, 0)
    except ValueError:
        return None


def _file(patient: Patient, call: _Call) -> Iterator[Diagnosis]:
    assert patient.volume is not None
    if call.path.removeprefix("/flash").encode() not in patient.volume.names:
        yield Diagnosis(
            "model-missing",
            True,
            f"{call.program} loads {call.path}, which is not there",
            "kpu.load gives error 2005 (ERR_READ_FILE)",
            f"maixfs cp MODEL {patient.name}:{call.path}",
        )


def _raw(patient: Patient, call: _Call, address: int) -> Iterator[Diagnosis]:
    image, place = patient.image, hex_address(address)
    asks = f"{call.program} loads a model from {place}"
    if address >= image.size:
        yield Diagnosis("model-missing", True, f"{asks}, behind the end of the flash")
        return
    found = image.at(address)
    model = next((one for one in image.models if one.address == address), None)
    if model is None:
        near = ", ".join(hex_address(one.address) for one in image.models)
        mend = f"flash the model at {place}" + (
            f", or load one that is there: {near}" * bool(near)
        )
        why = _answer(patient, address, found.kind if found else "")
        yield Diagnosis("model-missing", True, f"{asks}, and there is none", why, mend, address)
    elif call.function == "load_flash" and not model.reversed:
        why = "kpu.load_flash reads words with their bytes reversed"
        mend = "flash a copy of the model with reversed words"
        yield Diagnosis("model-order", True, f"{asks} for load_flash", why, mend, address)
    elif call.function == "load":
        yield from _refused(patient, asks, model)


def _answer(patient: Patient, address: int, kind: str) -> str:
    result = load_result(patient.image.view[address:], v4_support=_knows_v4(patient) or False)
    why = _OTHERS.get(kind, "what is there is no model: a wrong file, or the rest of something")
    if kind == MODEL:
        why = "another model goes over that place"
    return f"{why}; kpu.load gives error {int(result.code)}, or a strange version number"


def _refused(patient: Patient, asks: str, model: Model) -> Iterator[Diagnosis]:
    knows_v4 = _knows_v4(patient)
    answer = model.loadable.without_v4 if knows_v4 is False else model.loadable.with_v4
    if not answer.loads and answer.code is not KpuCode.NO_MEM:
        why = f"kpu.load gives error {int(answer.code)}: {answer.words}"
        if model.version == "v4" and knows_v4 is False:
            mend = "flash a firmware with kmodel_v4 in its name, or convert the model to version 3"
        elif model.reversed:
            mend = "flash the model as it is, or use kpu.load_flash"
        else:
            mend = "convert the model with nncase 0.1 (version 3) or 0.2 (version 4)"
        what = f"{asks}, and the {model.version} that is there is refused"
        yield Diagnosis("model-version", True, what, why, mend, model.address)
        return
    firmware, heap = _memory(patient)
    if not answer.loads or not fits_memory(model.memory_need, firmware=firmware, gc_heap=heap):
        left = memory_budget(firmware=firmware, gc_heap=heap)
        what = f"{asks}: it needs {model.memory_need} bytes, and some {left} are left"
        why = f"firmware and a heap of {heap} bytes take the rest: kpu.load gives error 2006"
        mend = "a smaller model, a firmware with less in it, or a smaller heap in /freq.conf"
        yield Diagnosis("model-memory", True, what, why, mend, model.address)


def _memory(patient: Patient) -> tuple[int, int]:
    """Return what firmware and heap take, in bytes."""
    freq = patient.image.boot_report().freq
    heap = freq.used.gc_heap_size if freq else HEAP_DEFAULT
    sizes = [one.length for one in patient.image.firmware if one.address == 0]
    return max([*sizes, 0x200000]), heap


def _knows_v4(patient: Patient) -> bool | None:
    """Tell whether the firmware loads v4 models, by its own words; ``None`` where it has none."""
    for firmware in patient.image.firmware:
        if firmware.address == 0 and not firmware.aes:
            payload = _payload(patient, firmware)
            if _V3_WORDS in payload:
                return _V4_WORDS in payload
    return None


def _payload(patient: Patient, firmware: Firmware) -> bytes:
    start = firmware.payload_address
    return bytes(patient.image.view[start : start + firmware.length])
