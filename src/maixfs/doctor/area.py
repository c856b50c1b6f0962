"""Complaints about /flash itself: its place and format, how full it is, names of files."""

from __future__ import annotations

from collections.abc import Iterator

from maixfs.doctor.patient import Patient, Volume
from maixfs.doctor.records import Diagnosis, series
from maixfs.explain import hex_address
from maixfs.image.layout import Region, find_layout
from maixfs.spiffs import PRESETS, Geometry

_ADVISED, _CLIFF, _FULL = 60, 65, 79
"""Per cent of the pages: measured with the C at MaixPy's geometry (docs/SPEC.md, section 6.4)."""
_SHAPE = {
    "size": "size",
    "block_size": "block",
    "page_size": "page",
    "name_length": "name",
    "meta_length": "meta",
    "use_magic": "magic",
    "use_magic_length": "length in the magic",
    "aligned_tables": "aligned tables",
}


def area(patient: Patient) -> Iterator[Diagnosis]:
    """Yield what there is to say about the file system."""
    if not patient.is_bare and not patient.is_board:
        yield from _will_format(patient)
    if patient.is_bare and patient.volume is not None:
        yield from _foreign(patient, patient.volume.geometry)
    if patient.is_bare or patient.is_board:
        yield from _not_mounted(patient)
    if patient.volume is not None:
        yield from _room(patient, patient.volume)
        yield from _names(patient, patient.volume)


def _not_mounted(patient: Patient) -> Iterator[Diagnosis]:
    """Say of a board's area, or of an image of its own, that nothing mounts it."""
    geometry = patient.geometry
    if patient.volume is not None or geometry is None:
        return
    place = bytes(patient.image.view[geometry.base : geometry.base + geometry.size])
    if place.count(0xFF) == len(place):
        what = "/flash is blank: the board formats it at its first start"
        yield Diagnosis("blank", False, what, address=geometry.base)
        return
    what = f"the file system at {hex_address(geometry.base)} does not mount"
    why = "more than one block has lost its magic, or the end is missing; a board formats it then"
    mend = f"maixfs info {patient.name} says more; read the flash again"
    yield Diagnosis("no-mount", True, what, why, mend, geometry.base)


def _home(patient: Patient) -> Region:
    layout = patient.image.layout
    regions = [one for one in layout.of_kind("spiffs") if one.geometry] if layout else []
    return regions[0] if regions else find_layout("maixpy-16m").region("flash")


def _will_format(patient: Patient) -> Iterator[Diagnosis]:
    image, home = patient.image, _home(patient)
    report, wanted = image.boot_report(), home.spiffs_geometry()
    if report.formats is None or image.size < home.end:
        return
    there = next((one.geometry for one in image.areas if one.geometry.base == home.start), None)
    if there is not None and wanted is not None and _differences(there, wanted):
        yield _wrong_shape(patient, there, wanted, formats=report.formats)
    elif report.formats:
        yield _formatted(patient, home)


def _formatted(patient: Patient, home: Region) -> Diagnosis:
    """Return what to say where there is no file system in the firmware's place."""
    place = bytes(patient.image.view[home.start : home.end])
    if place.count(0xFF) == len(place):
        what = "/flash is blank: the firmware formats it at its start"
        return Diagnosis("blank", False, what, address=home.start)
    moved = [hex_address(one.geometry.base) for one in patient.image.areas]
    what = "the firmware will FORMAT /flash: no file system of its own is at"
    what += f" {hex_address(home.start)}"
    what += f", but one at {', '.join(moved)}" if moved else ""
    why = "any error of the mount has the firmware format: a shifted dump, a model or a package"
    why += " that reaches into the area, an image of another tool, two blocks without magic"
    mend = f"save the files first: maixfs unpack {patient.name} DIR" if moved else ""
    return Diagnosis("will-format", True, what, why, mend, home.start)


def _wrong_shape(
    patient: Patient, there: Geometry, wanted: Geometry, *, formats: bool
) -> Diagnosis:
    what = (
        "the firmware will FORMAT /flash" if formats else "the firmware reads nonsense from files"
    )
    what += f": the file system has another format: {', '.join(_differences(there, wanted))}"
    why = "a tool was used with other numbers than the firmware was built with; it would take"
    why += f" mkspiffs {wanted.mkspiffs_flags()} or spiffsgen.py {wanted.spiffsgen_flags()}"
    mend = f"maixfs unpack {patient.name} DIR, then maixfs pack DIR -o NEW --whole-flash"
    return Diagnosis("wrong-geometry", True, what, why, mend, there.base)


def _differences(there: Geometry, wanted: Geometry) -> list[str]:
    return [
        f"{word} {getattr(there, field):#x}, not {getattr(wanted, field):#x}"
        for field, word in _SHAPE.items()
        if getattr(there, field) != getattr(wanted, field)
    ]


def _foreign(patient: Patient, geometry: Geometry) -> Iterator[Diagnosis]:
    """Say of an image of its own that MaixPy would not mount it, and what it would take."""
    differences = _differences(geometry, PRESETS["maixpy"])
    if differences:
        what = f"not for MaixPy's /flash, which is otherwise: {', '.join(differences)}"
        why = "a board formats what it cannot mount; other firmware may be just right for it"
        mend = f"for MaixPy: maixfs unpack {patient.name} DIR, then maixfs pack DIR -o NEW"
        yield Diagnosis("foreign", False, what, why, mend, geometry.base)


def _room(patient: Patient, volume: Volume) -> Iterator[Diagnosis]:
    full = volume.percent
    if full < _ADVISED:
        return
    mend = "remove files, or move large ones to a card or to an address of their own"
    if full >= _FULL:
        what = f"/flash is {full} % full: writes fail as FULL though {100 - full} % are free"
        why = "garbage collection looks at five blocks for each write and needs two spare ones"
        yield Diagnosis("full-though-free", True, what, why, mend)
    elif full >= _CLIFF:
        what = f"/flash is {full} % full: writes are slow from 65 % on, and fail near 79 %"
        why = "each write moves more and more pages; at 74 % one small save erases eight blocks"
        yield Diagnosis("nearly-full", True, what, why, mend)
    else:
        what = f"/flash is {full} % full; it is quick up to 60 %"
        yield Diagnosis("nearly-full", False, what, "every write moves other files' pages", mend)


def _names(patient: Patient, volume: Volume) -> Iterator[Diagnosis]:
    shown = [name.decode("utf-8", "backslashreplace") for name in volume.names]
    mend = f"maixfs doctor {patient.name} --mend names -o NEW"
    odd = [text for text, name in zip(shown, volume.names, strict=True) if b"\\" in name]
    if odd:
        what = f"names with backslashes: {series(odd)}"
        why = "a path in the way of Windows is one long name here: what was to go to the card"
        why += " lies on /flash"
        yield Diagnosis("backslash-names", True, what, why, mend)
    bare = [name for name in shown if not name.startswith("/")]
    if bare:
        what = f"names without a slash in front: {series(bare)}"
        why = "MaixPy lists them, and opens only names with one: ENOENT for a file that is listed"
        yield Diagnosis("no-slash", True, what, why, mend)
    deep = [name for name in shown if "/" in name[1:]]
    if deep:
        what = f"folders are but parts of names here: {series(deep)}"
        why = "SPIFFS has no folders: mkdir raises NotImplementedError, listdir shows whole names"
        yield Diagnosis("folders", False, what, why, "open them by their whole name")
