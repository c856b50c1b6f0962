"""Complaints about firmware, loaders and packages: what was flashed, and where."""

from __future__ import annotations

from collections.abc import Iterator

from maixfs.doctor.patient import Patient
from maixfs.doctor.records import Diagnosis
from maixfs.firmware import BootVerdict
from maixfs.image.records import MODEL, UNKNOWN, Finding

_NO_START = "the chip's ROM finds no program that it would start, and waits for a flasher (ISP)"
_WHY = {
    "conflict": "one of the two was written over the other: a package or a model at an address"
    " that was taken, or a flasher that fills up files with zeros",
    "too-large": "what is behind the firmware's place was overwritten, or will be",
    "padding": "some flashers send files in pieces of 4 or 64 KiB and fill up the last one: what"
    " lies close behind is destroyed",
    "boot-entry": "Kboot skips an entry whose application it does not accept, and starts the next"
    " one, or the default one",
    "bad-hash": "it was not written whole, or something was written over it",
    "no-header": "a flasher puts the header in front only of files that are marked as firmware"
    " (sha256Prefix)",
    "not-loadable": "kpu.load on the board ends with this error",
    "no-memory": "a model is copied into the 6 MiB of memory, beside firmware and heap",
    "cut": "the dump was stopped early, or the chip is smaller than the firmware wants",
    "elsewhere": "a dump that does not start at address 0, an image that was flashed at another"
    " address, or a firmware with another layout",
    "unsure": "the firmware mounts only what has just its own format",
}
_MEND = {
    "boot-entry": "flash the application without DIO and without AES, then maixfs kboot set",
    "bad-hash": "flash it again, and read the flash back to compare",
    "not-loadable": "convert the model with nncase 0.1 (version 3) or 0.2 (version 4)",
    "no-memory": "a smaller model, a firmware with less in it, or a smaller heap in /freq.conf",
    "padding": "leave the rest of the 64 KiB free, or use a flasher that does not fill up",
    "elsewhere": "maixfs unpack {name} DIR, then maixfs pack DIR -o NEW --whole-flash",
}
_DIO_BYTE = ("is 02", "is 03")


def chip(patient: Patient) -> Iterator[Diagnosis]:
    """Yield what there is to say about everything outside of the file system."""
    image = patient.image
    if patient.is_bare:
        return
    report = image.boot_report()
    own = patient.is_board and report.verdict.kind in ("blank", "zero")
    if not report.verdict.ok and not own and image.kboot is None:
        yield _no_start(patient, report.verdict)
    for finding in image.health:
        if finding.key != "boot" and not (patient.is_board and finding.key == "elsewhere"):
            yield _explained(patient, finding)
    yield from _kboot(patient)
    yield from _small_chip(patient)


def _no_start(patient: Patient, verdict: BootVerdict) -> Diagnosis:
    found = patient.image.at(0)
    kind, what, why, mend = verdict.kind, verdict.reason, _NO_START, "flash a firmware at 0"
    if kind == "header":
        key, why = "no-header", f"{_WHY['no-header']}; without it {_NO_START}"
        mend = "maixfs firmware wrap puts header and hash around it; then flash that at 0"
    elif kind == "hash":
        key, why, mend = "bad-hash", _WHY["bad-hash"], _MEND["bad-hash"]
    elif kind in ("blank", "zero", "cut"):
        key = "no-firmware"
    else:
        key = "wrong-file"
        if found is not None and found.kind in (MODEL, UNKNOWN):
            there = f"a model ({found.detail})" if found.kind == MODEL else found.detail
            what = f"no firmware at 0x000000: a wrong file was flashed there ({there})"
    return Diagnosis(key, True, what, why, mend, 0)


def _explained(patient: Patient, finding: Finding) -> Diagnosis:
    why = _WHY.get(finding.key, "")
    mend = _MEND.get(finding.key, "").format(name=patient.name) or finding.hint or ""
    if finding.key == "boot-entry" and any(word in finding.message for word in _DIO_BYTE):
        why = (
            "newer flashers mark firmware for DIO mode unless told otherwise; Kboot takes only 00"
        )
    return Diagnosis(finding.key, finding.is_problem, finding.message, why, mend, finding.address)


def _kboot(patient: Patient) -> Iterator[Diagnosis]:
    kboot = patient.image.kboot
    if kboot is not None and kboot.choice.source == "halt":
        yield Diagnosis(
            "kboot-halts",
            True,
            f"{kboot.version} starts nothing: {kboot.choice.reason}",
            "no entry names an application that Kboot accepts",
            "flash the firmware again, then maixfs kboot set",
            kboot.main.address,
        )


def _small_chip(patient: Patient) -> Iterator[Diagnosis]:
    """Tell of a chip on which MaixPy's file system has no place."""
    image = patient.image
    if patient.is_board or image.areas or image.size not in (0x400000, 0x800000):
        return
    yield Diagnosis(
        "small-chip",
        True,
        f"the chip has {image.size >> 20} MiB: MaixPy's file system at 0xD00000 is behind its end",
        "on such chips the address wraps round: formatting /flash erases firmware or models",
        "use a firmware that was built for this chip, or a board with 16 MiB",
    )
