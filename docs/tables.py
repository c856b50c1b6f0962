"""Write the tables of docs/SPEC.md that the code knows, docs/FINDINGS.md and docs/MODULES.md.

Run ``python docs/tables.py``. A table stands between ``<!-- table NAME -->`` and ``<!-- end -->``.
The tests compare.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from maixfs.fat import ondisk as fat_ondisk
from maixfs.fat.errors import FResult, fat_error
from maixfs.finding import RULE_MODULES, Command, FindingKind, kinds, rules
from maixfs.firmware import FirmwareHeader
from maixfs.firmware.kboot import ConfigRecord, EntryRecord
from maixfs.image.layout import LAYOUTS
from maixfs.kmodel import KpuCode, kpu_words
from maixfs.kmodel import ondisk as kmodel_ondisk
from maixfs.kmodel.ondisk import V3_LAYERS, V4_NODES
from maixfs.record import Record
from maixfs.sd.mbr import PartitionEntry
from maixfs.spiffs import ondisk
from maixfs.spiffs.descriptor import OpenFlag
from maixfs.spiffs.errors import Code, spiffs_error
from maixfs.spiffs.geometry import PRESETS, Geometry
from maixfs.vfs import fat_file
from maixfs.vfs.profile import SENTENCES
from maixfs.vfs.spiffs import errno_of

SPEC = Path(__file__).parent / "SPEC.md"
FINDINGS = Path(__file__).parent / "FINDINGS.md"
MODULES = Path(__file__).parent / "MODULES.md"
ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "maixfs"
MARKED = re.compile(r"(<!-- table ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

CHOSEN = {
    "area": lambda g: f"{g.size:#x}",
    "start on the chip": lambda g: f"{g.base:#x}",
    "erase unit": lambda g: f"{g.erase_size:#x}",
    "block": lambda g: f"{g.block_size:#x}",
    "page": lambda g: f"{g.page_size:#x}",
    "NAME_LEN": lambda g: str(g.name_length),
    "META_LEN": lambda g: str(g.meta_length),
    "magic, with length": lambda g: f"{yes(g.use_magic)}, {yes(g.use_magic_length)}",
    "aligned tables": lambda g: yes(g.aligned_tables),
    "GC runs": lambda g: str(g.gc_max_runs),
}
DERIVED = {
    "blocks": lambda g: str(g.blocks),
    "pages per block": lambda g: str(g.pages_per_block),
    "look-up pages per block": lambda g: str(g.lookup_pages),
    "object pages per block (N)": lambda g: str(g.usable_pages),
    "data bytes per page (D)": lambda g: str(g.data_size),
    "index header before its table (H)": lambda g: str(g.header_size),
    "entries in the index header (HE)": lambda g: str(g.header_entries),
    "entries in a further index page (IE)": lambda g: str(g.index_entries),
    "total bytes": lambda g: str(g.total_bytes),
    "magic of block 0": lambda g: f"{g.magic(0):04X}",
}

EXAMPLES = {
    "rw-truncates": ("/a", "rw"),
    "open-hides-reason": ("/a", spiffs_error(Code.OUT_OF_FILE_DESCS)),
    "fat-trailing-slash": ("/a/",),
    "fat-name-bytes": ("/é", "/├⌐"),
    "fat-free-count": ("/a", 100),
    "fat-dates-late": (2084,),
    "device-error-ignored": ("writeblocks",),
}
"""What stands for ``{0}`` and ``{1}`` where it is not the names of two files."""


def yes(value: bool) -> str:
    """Return how a table shows a switch."""
    return "yes" if value else "no"


def with_tables(text: str) -> str:
    """Return the document with its tables made anew; ``KeyError`` for an unknown table."""
    return MARKED.sub(lambda match: match[1] + TABLES[match[2]]() + match[3], text)


def rows(heading: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """Return a table."""
    head = list(heading)
    body = [head, ["---"] * len(head), *map(list, lines)]
    return "".join(f"| {' | '.join(line)} |\n" for line in body)


def geometries(lines: dict[str, Callable[[Geometry], str]]) -> str:
    """Return a table with one column per preset."""
    heading = ["", *PRESETS]
    return rows(heading, ([name, *map(show, PRESETS.values())] for name, show in lines.items()))


def fields(record: str) -> str:
    """Return the fields of a record of SPIFFS."""
    lines = [
        [place(offset), place(length), name, meaning.replace("|", "\\|")]
        for name, offset, length, meaning in ondisk.FIELDS[record]
    ]
    return rows(["offset", "bytes", "field", "meaning"], lines)


def record_fields(record: type[Record]) -> str:
    """Return the fields of a record that is declared with ``maixfs.record``."""
    lines = [
        [str(field.offset), str(field.size), field.name, field.meaning.replace("|", "\\|")]
        for field in record.fields
    ]
    return rows(["offset", "bytes", "field", "meaning"], lines)


def errors() -> str:
    """Return every error number that this implementation gives."""
    lines = ([str(int(code)), code.name, sentence_of(code), errno_name(code)] for code in Code)
    return rows(["number", "name", "what we say", "on MaixPy"], lines)


def sentence_of(code: Code) -> str:
    """Return the sentence of an error without a file name in front."""
    return str(spiffs_error(code).strerror)


def errno_name(code: Code) -> str:
    """Return what a MicroPython program sees of an error."""
    errno = errno_of(code)
    return f"{int(errno)} {errno.name}"


def quirks() -> str:
    """Return what ``--explain-quirks`` says."""
    lines = (
        [key, text.format(*EXAMPLES.get(key, ("/a", "/b")))] for key, text in SENTENCES.items()
    )
    return rows(["quirk", "what is said about a file /a"], lines)


def open_flags() -> str:
    """Return the flags of an open."""
    return rows(["flag", "value"], ([str(flag.name), str(int(flag))] for flag in all_flags()))


def all_flags() -> list[OpenFlag]:
    """Return the flags with names, also those made of others."""
    return list(OpenFlag.__members__.values())


def place(number: int) -> str:
    """Return an offset or a length; one below 0 depends on the geometry."""
    return str(number) if number >= 0 else ""


def fat_results() -> str:
    """Return the results of FatFs and what a program sees of them."""
    lines = (
        [str(int(result)), result.name, str(fat_error(result).strerror), errno_text(result)]
        for result in FResult
        if result
    )
    return rows(["number", "name", "what we say", "on MaixPy"], lines)


def errno_text(result: FResult) -> str:
    """Return the errno for a result of FatFs, number and name."""
    errno = fat_file.errno_of(result)
    return f"{int(errno)} {errno.name}"


def layout_regions(name: str) -> str:
    """Return the regions of a preset layout."""
    lines = (
        [f"{one.start:06X} to {one.end - 1:06X}", one.name, one.kind, one.owner]
        for one in LAYOUTS[name].regions
    )
    return rows(["address", "region", "kind", "whose"], lines)


def kmodel_names(names: dict[int, str], form: str) -> str:
    """Return what the numbers of layers or nodes stand for."""
    return rows(["number", "name"], ([form.format(n), name] for n, name in names.items()))


def kpu_codes() -> str:
    """Return the numbers that kpu.load answers, and the firmware's words for them."""
    lines = ([str(int(code)), kpu_words(code, v4_support=False)] for code in KpuCode if code)
    return rows(["number", "what the board says"], lines)


TABLES: dict[str, Callable[[], str]] = {
    "presets": lambda: geometries(CHOSEN),
    "derived": lambda: geometries(DERIVED),
    "page-header": lambda: fields("page header"),
    "index-header": lambda: fields("object index header"),
    "index-page": lambda: fields("object index page"),
    "errors": errors,
    "open-flags": open_flags,
    "quirks": quirks,
    "partition-entry": lambda: record_fields(PartitionEntry),
    "boot-sector": lambda: record_fields(fat_ondisk.BootSector),
    "boot-sector-16": lambda: record_fields(fat_ondisk.Extension16),
    "boot-sector-32": lambda: record_fields(fat_ondisk.Extension32),
    "fsinfo": lambda: record_fields(fat_ondisk.FsInfo),
    "directory-entry": lambda: record_fields(fat_ondisk.DirEntry),
    "long-name-entry": lambda: record_fields(fat_ondisk.LongEntry),
    "fat-results": fat_results,
    **{f"layout-{name}": partial(layout_regions, name) for name in LAYOUTS},
    "firmware-image": lambda: record_fields(FirmwareHeader),
    "boot-config": lambda: record_fields(ConfigRecord),
    "boot-entry": lambda: record_fields(EntryRecord),
    "kmodel-v1-header": lambda: record_fields(kmodel_ondisk.V1Header),
    "kmodel-v1-layer": lambda: record_fields(kmodel_ondisk.V1Metadata),
    "kmodel-v3-header": lambda: record_fields(kmodel_ondisk.V3Header),
    "kmodel-v3-output": lambda: record_fields(kmodel_ondisk.V3Output),
    "kmodel-v3-layer": lambda: record_fields(kmodel_ondisk.V3Layer),
    "kmodel-v3-types": lambda: kmodel_names(V3_LAYERS, "{}"),
    "kmodel-v3-conv": lambda: record_fields(kmodel_ondisk.V3Conv),
    "kmodel-v4-header": lambda: record_fields(kmodel_ondisk.V4Header),
    "kmodel-v4-range": lambda: record_fields(kmodel_ondisk.V4Range),
    "kmodel-v4-node": lambda: record_fields(kmodel_ondisk.V4Node),
    "kmodel-v4-opcodes": lambda: kmodel_names(V4_NODES, "{:#x}"),
    "kmodel-v5-header": lambda: record_fields(kmodel_ondisk.V5Header),
    "kmodel-v5-module": lambda: record_fields(kmodel_ondisk.V5Module),
    "kmodel-v5-pool": lambda: record_fields(kmodel_ondisk.V5Pool),
    "kmodel-v5-function": lambda: record_fields(kmodel_ondisk.V5Function),
    "kmodel-v5-range": lambda: record_fields(kmodel_ondisk.V5Range),
    "kmodel-v5-section": lambda: record_fields(kmodel_ondisk.V5Section),
    "kmodel-beta-header": lambda: record_fields(kmodel_ondisk.BetaHeader),
    "kmodel-beta-module": lambda: record_fields(kmodel_ondisk.BetaModule),
    "smodel-header": lambda: record_fields(kmodel_ondisk.SealedHeader),
    "kpu-codes": kpu_codes,
}

ABOUT_FINDINGS = """\
# Findings

Every kind of finding that `maixfs info`, `maixfs doctor` and `maixfs.doctor.examine_target`
report, by subject. `key` stays the same from version to version. The severity is that of the usual
case; some rules report a note instead. `info` runs the rules up to the cost `metadata`, `doctor`
those of the cost `content` too; what was not run is listed as not checked. `{image}` stands for
the image that was examined. The tests are in `tests/doctor`. This file is written by
`python docs/tables.py`.
"""
SUBJECTS = {
    "flash": "Flash: chip, firmware, Kboot, models, place and format of /flash",
    "spiffs": "One SPIFFS file system",
    "board": "A board: programs and settings on /flash, and the card",
    "fat": "One FAT file system",
    "card": "A card",
}


def findings_page() -> str:
    """Return docs/FINDINGS.md."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from doctor import card_cases, doctor_cases

    tests: dict[tuple[str, str], str] = {}
    for name, case in doctor_cases.CASES.items():
        for subject in ("flash", "spiffs", "board"):
            tests[subject, case.key] = f"`test_complaint[{name}]`"
    for name, shown in card_cases.CASES.items():
        tests[shown.subject, shown.key] = f"`test_card_complaint[{name}]`"
    page = ABOUT_FINDINGS
    for subject in (name for name in SUBJECTS if name in RULE_MODULES):
        costs = {each.key: rule.cost for rule in rules(subject) for each in rule.kinds}
        lines = [
            [
                f"`{each.key}`",
                str(each.severity),
                costs[each.key].name.lower(),
                each.meaning,
                each.why,
                fix_text(each),
                tests.get((subject, each.key), ""),
            ]
            for each in kinds(subject)
        ]
        if lines:
            heading = ["key", "severity", "cost", "meaning", "why", "fix", "test"]
            page += f"\n## {SUBJECTS[subject]}\n\n{rows(heading, lines)}"
    return page


def fix_text(kind: FindingKind) -> str:
    """Return the steps of a fix; commands as they are typed."""
    return "; ".join(
        f"`maixfs {' '.join([step.verb, *step.arguments])}`" if isinstance(step, Command) else step
        for step in kind.fix
    )


ABOUT_MODULES = """\
# Modules

Every module in one line, the packages from the highest floor down; [DESIGN.md](DESIGN.md) says why
they are cut like this. This file is written by `python docs/tables.py` from the first lines of the
modules.
"""


def modules_page() -> str:
    """Return docs/MODULES.md."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    layers = tools["importlinter"]["contracts"][0]["layers"]
    names = [name for layer in layers for name in layer.split(" | ")]
    single = [SOURCE / f"{name}.py" for name in names if not (SOURCE / name).is_dir()]
    page = f"{ABOUT_MODULES}\n## Modules of their own\n\n{module_table(single)}"
    for name in (name for name in names if (SOURCE / name).is_dir()):
        inner = (path.parent for path in (SOURCE / name).rglob("__init__.py"))
        for folder in sorted(inner):
            files = [file for file in sorted(folder.glob("*.py")) if file.stem != "__init__"]
            page += f"\n## `{folder.relative_to(SOURCE).as_posix()}/`\n\n{module_table(files)}"
    return page


def module_table(files: Iterable[Path]) -> str:
    """Return the names of modules and the first lines of their docstrings."""
    texts = {file.stem: ast.parse(file.read_text(encoding="utf-8")) for file in files}
    return rows(
        ["module", "content"],
        (
            [f"`{name}`", sentence.split("\n\n")[0].replace("\n", " ").replace("``", "`")]
            for name, text in texts.items()
            if (sentence := ast.get_docstring(text))
        ),
    )


if __name__ == "__main__":
    MODULES.write_text(modules_page(), encoding="utf-8")
    FINDINGS.write_text(findings_page(), encoding="utf-8")
    SPEC.write_text(with_tables(SPEC.read_text(encoding="utf-8")), encoding="utf-8")
