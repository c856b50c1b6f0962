"""Each call of a SPIFFS that writes, on small areas of each kind, to be cut everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from maixfs.nor import (
    SEQUENTIAL_TEARS,
    TEARS,
    Buffer,
    ChipRecorder,
    NorChip,
    NorCut,
    NorRecorder,
    NorRecording,
    SnapshotFlash,
    Tear,
    make_driver,
)
from maixfs.snapshot import Snapshot
from maixfs.spiffs import Geometry, SpiffsCore, SpiffsError
from maixfs.spiffs.geometry import PRESETS
from spiffs.areas import APPEND, CREAT, NEW, RW, pattern, put


class Area(NamedTuple):
    """An area to run operations on: geometry, and how it is written and recorded.

    ``flash``: ``ideal`` and ``literal`` record the calls of these drivers, ``chip`` the commands
    of the chip under the driver ``literal``.
    """

    geometry: Geometry
    flash: str = "ideal"
    faithful: bool = True


_MAIX = Geometry(
    size=0x40000, block_size=0x8000, page_size=0x1000, name_length=32, aligned_tables=True
)
AREAS = {
    "maix": Area(_MAIX),
    "maix-literal": Area(_MAIX, "literal"),
    "maix-chip": Area(_MAIX, "chip"),
    "esp-idf": Area(PRESETS["esp-idf"].with_size(0x10000)),
    "esp8266": Area(PRESETS["esp8266"].with_size(0x10000)),
    "esp-idf-careful": Area(PRESETS["esp-idf"].with_size(0x10000), faithful=False),
    "tight": Area(Geometry(0x5000, 0x1000, 256)),
}
LONG = b"/a name that fills the field..."
UNREADABLE = "unreadable"
Contents = dict[bytes, list[bytes | str]]
"""Name to what each header of that name reads as."""
_OUT_OF_ORDER = {"second", "even", "mixed", "zeros"}
_READS_OF_A_MOUNT = 3
"""Most reads of a mount, in reads for each page."""


@dataclass(frozen=True)
class Operation:
    """An operation: ``least`` cuts between operations in each area, and what it may cost.

    ``breaks``: a cut can leave the file in flight unreadable (an overwrite, a truncation).
    ``collects``: it collects garbage, and a cut in that can leave any file unreadable until the
    area is recovered, as in the C. ``prepare`` runs before the recording starts.
    """

    run: Callable[[SpiffsCore], object]
    least: int
    breaks: bool = False
    collects: bool = False
    prepare: Callable[[SpiffsCore], object] | None = None
    areas: tuple[str, ...] = (
        *("maix", "maix-literal", "maix-chip"),
        *("esp-idf", "esp-idf-careful", "esp8266"),
    )
    moves: tuple[bytes, bytes] | None = None
    passing: frozenset[bytes] = frozenset()
    """Files that have several contents one after the other; what they read as is not judged."""

    @property
    def name(self) -> str:
        return self.run.__name__


OPERATIONS: dict[str, Operation] = {}


def operation(
    least: int,
    *,
    breaks: bool = False,
    collects: bool = False,
    prepare: Callable[[SpiffsCore], object] | None = None,
    areas: tuple[str, ...] = Operation.areas,
    moves: tuple[bytes, bytes] | None = None,
    passing: frozenset[bytes] = frozenset(),
) -> Callable[[Callable[[SpiffsCore], object]], Operation]:
    """Enter a function into OPERATIONS."""

    def enter(run: Callable[[SpiffsCore], object]) -> Operation:
        entry = Operation(run, least, breaks, collects, prepare, areas, moves, passing)
        OPERATIONS[entry.name] = entry
        return entry

    return enter


def pages(fs: SpiffsCore, count: float, seed: int = 0) -> bytes:
    """Return contents of ``count`` pages."""
    return pattern(int(fs.geometry.data_size * count), seed)


@operation(2)
def create(fs: SpiffsCore) -> None:
    fs.create("/new")


@operation(6)
def write_small(fs: SpiffsCore) -> None:
    put(fs, "/new", b"small")


@operation(12)
def write_large(fs: SpiffsCore) -> None:
    put(fs, "/new", pages(fs, 5.5, 1))


@operation(100, areas=("esp-idf", "esp8266"))
def write_several_index_pages(fs: SpiffsCore) -> None:
    put(fs, "/new", pages(fs, fs.geometry.header_entries + 3.5, 1))


@operation(8)
def append(fs: SpiffsCore) -> None:
    with fs.open_descriptor("/a", RW | APPEND) as file:
        file.write(pages(fs, 1.7, 2))


@operation(3)
def append_within_a_page(fs: SpiffsCore) -> None:
    with fs.open_descriptor("/b", RW | APPEND) as file:
        file.write(b"appended")


@operation(8, breaks=True)
def overwrite(fs: SpiffsCore) -> None:
    with fs.open_descriptor("/a", RW) as file:
        file.seek(fs.geometry.data_size // 4)
        file.write(pages(fs, 1.3, 3))


@operation(8, breaks=True)
def replace(fs: SpiffsCore) -> None:
    put(fs, "/a", pages(fs, 0.8, 4))


@operation(4, breaks=True)
def truncate(fs: SpiffsCore) -> None:
    with fs.open_descriptor("/a", RW) as file:
        file.truncate(fs.geometry.data_size // 2)


@operation(6, breaks=True)
def remove(fs: SpiffsCore) -> None:
    fs.remove("/a")


@operation(4, moves=(b"/a", b"/c"))
def rename(fs: SpiffsCore) -> None:
    fs.rename("/a", "/c")


@operation(4, moves=(b"/a", LONG))
def rename_to_a_long_name(fs: SpiffsCore) -> None:
    fs.rename("/a", LONG)


@operation(4, areas=("esp-idf",))
def set_meta(fs: SpiffsCore) -> None:
    fs.set_meta("/a", b"meta")


@operation(20)
def two_files(fs: SpiffsCore) -> None:
    with fs.open_descriptor("/one", NEW) as one, fs.open_descriptor("/two", NEW) as two:
        for number in range(3):
            one.write(pages(fs, 0.9, number))
            two.write(pages(fs, 1.2, number + 10))
        one.flush()
        two.write(b"the end")


@operation(8)
def flush_often(fs: SpiffsCore) -> None:
    with fs.open_descriptor("/new", RW | CREAT) as file:
        for number in range(4):
            file.write(pages(fs, 0.3, number))
            file.flush()


@operation(6)
def unmount_open_file(fs: SpiffsCore) -> None:
    """What is in the write cache goes to flash with the unmount."""
    file = fs.open_descriptor("/new", NEW)
    file.write(pages(fs, 0.4, 5))
    fs.unmount()


PASSING = frozenset((b"/new", b"/renamed", b"/busy"))


@operation(40, breaks=True, passing=PASSING)
def every_call_in_turn(fs: SpiffsCore) -> None:
    put(fs, "/new", pages(fs, 2.7, 3))
    with fs.open_descriptor("/new", RW | APPEND) as file:
        file.write(pages(fs, 1.2, 4))
    with fs.open_descriptor("/new", RW) as file:
        file.seek(fs.geometry.data_size * 4 // 5)
        file.write(pages(fs, 1.6, 5))
        file.truncate(fs.geometry.data_size)
    fs.rename("/new", "/renamed")
    put(fs, "/renamed", b"replaced")
    fs.remove("/renamed")


def delete_much(fs: SpiffsCore) -> None:
    """Leave blocks that hold deleted pages only, and blocks that hold others too."""
    used = fs.geometry.usable_pages
    put(fs, "/junk", pages(fs, used * 2.6, 6))
    put(fs, "/mixed", pages(fs, 1.5, 7))
    fs.remove("/junk")


def fill_up(fs: SpiffsCore) -> None:
    """Leave few free pages, and deleted ones between files that stay."""
    names = [f"/x{number}" for number in range(fs.geometry.pages)]
    made = []
    while fs.info().total - fs.info().used > 12 * fs.geometry.data_size:
        made.append(names.pop())
        put(fs, made[-1], pages(fs, 1.5, len(names)))
    for name in made[::2]:
        fs.remove(name)


@operation(3, prepare=delete_much)
def collect_a_deleted_block(fs: SpiffsCore) -> None:
    fs.gc_quick()


@operation(6, prepare=fill_up, collects=True)
def collect_garbage(fs: SpiffsCore) -> None:
    fs.gc(fs.geometry.data_size * 8)


@operation(12, prepare=fill_up, collects=True, breaks=True)
def replace_in_a_full_area(fs: SpiffsCore) -> None:
    put(fs, "/a", pages(fs, 1.8, 8))
    put(fs, "/new", pages(fs, 3.2, 9))


@operation(200, collects=True, breaks=True, areas=("tight",), passing=PASSING)
def every_call_in_a_tight_area(fs: SpiffsCore) -> None:
    for number in range(9):
        put(fs, "/busy", pattern(900, number))
        every_call_in_turn.run(fs)


@cache
def prepared(area: str, prepare: Callable[[SpiffsCore], object] | None) -> Snapshot:
    """Return an area with files, after ``prepare``."""
    geometry = AREAS[area].geometry
    flash = SnapshotFlash(Snapshot(geometry.base + geometry.size, 0xFF))
    SpiffsCore.format(flash, geometry)
    with SpiffsCore(flash, geometry, faithful=True) as fs:
        put(fs, "/junk", pages(fs, 1.1, 10))
        put(fs, "/keep", pages(fs, 2.3, 11))
        put(fs, "/still", pattern(100, 12))
        if area != "tight":
            put(fs, "/a", pages(fs, 2.5, 13))
            put(fs, "/b", pages(fs, 0.2, 14))
        fs.remove("/junk")
        if prepare is not None:
            prepare(fs)
    return flash.snapshot


def record(area: str, name: str) -> NorRecording:
    """Run an operation in an area and return what was programmed and erased."""
    geometry, kind, faithful = AREAS[area]
    chip = NorChip.in_memory(content=bytes(prepared(area, OPERATIONS[name].prepare)))
    chip_recorder = ChipRecorder(chip)
    driver = make_driver("ideal" if kind == "ideal" else "literal", chip)
    recorder = NorRecorder(driver)
    fs = SpiffsCore(recorder, geometry, faithful=faithful, max_files=2, cache_pages=4)
    with chip.cause(name):
        OPERATIONS[name].run(fs)
        if fs.mounted:
            fs.unmount()
    return chip_recorder.recording if kind == "chip" else recorder.recording


def tears(area: str) -> dict[str, Tear]:
    """Return the models by which operations in an area are torn.

    A chip that rewrites a sector backwards could leave look-up entries out of the middle of a
    page: no driver survives that, so commands of the chip are torn upwards only.
    """
    return SEQUENTIAL_TEARS if AREAS[area].flash == "chip" else TEARS


class CountedFlash(SnapshotFlash):
    """A snapshot that counts what is asked of it."""

    reads = 0
    changes = 0

    def read(self, address: int, length: int) -> bytes:
        self.reads += 1
        return super().read(address, length)

    def program(self, address: int, data: Buffer) -> None:
        self.changes += 1
        super().program(address, data)

    def erase(self, address: int, length: int) -> None:
        self.changes += 1
        super().erase(address, length)


def contents(fs: SpiffsCore) -> Contents:
    """Return what a program finds, header by header."""
    found: Contents = {}
    for entry in fs.scandir():
        try:
            with fs.open_page(entry.page) as file:
                data: bytes | str = file.read()
        except SpiffsError:
            data = UNREADABLE
        found.setdefault(entry.raw_name, []).append(data)
    return found


class Judge:
    """Knows what an area may hold at any cut of an operation."""

    def __init__(self, area: str, name: str, recording: NorRecording) -> None:
        self.geometry = AREAS[area].geometry
        self.literal = AREAS[area].flash != "ideal"
        self.operation = OPERATIONS[name]
        self.before = self._files(recording.initial)
        self.after = self._files(recording.at(len(recording)))
        self.quiet = {
            name: data for name, data in self.before.items() if self.after.get(name) == data
        }

    def mount(self, state: Snapshot, *, read_only: bool = False) -> SpiffsCore:
        flash = SnapshotFlash(state, literal=self.literal)
        return SpiffsCore(flash, self.geometry, faithful=True, read_only=read_only)

    def judge(self, cut: NorCut) -> tuple[list[str], int]:
        """Return what is wrong with the area after a cut, and how many closed files are
        unreadable where the operation may cost that.
        """
        found = contents(self.mount(cut.state, read_only=True))
        wrong, unreadable = [], 0
        for name, data in self.quiet.items():
            if self.operation.collects and UNREADABLE in found.get(name, []):
                unreadable += 1
            elif data not in found.get(name, []):
                wrong.append(f"{name!r} is lost")
            if not {*found.get(name, [])} <= {data, UNREADABLE}:
                wrong.append(f"{name!r} has other bytes")
        if cut.torn not in _OUT_OF_ORDER:
            # Torn in another order, the four bytes of a size can be any number: the file that
            # is being written then reads as anything, and no driver can tell.
            changed = (self.before.keys() | self.after.keys()) - self.quiet.keys()
            for name in changed - self.operation.passing:
                wrong += self._hot(name, found.get(name, []))
        if self.operation.moves and not {*self.operation.moves} & found.keys():
            wrong.append("the file is under neither name")
        if cut.torn == "none":
            known = self.before.keys() | self.after.keys() | self.operation.passing
            wrong += [f"{name!r} never was" for name in found.keys() - known]
        return wrong + self._mounting(cut, found), unreadable

    def works(self, cut: NorCut) -> list[str]:
        """Remove what is not quiet and write six files; return what goes wrong then.

        A torn program leaves bytes on a page that counts as free, and no page is looked at
        before it is written. Where a driver replaces bytes that harms nothing; where they are
        ANDed, what is written there can be lost, so only errors of other kinds count.
        """
        if not self.literal:
            self._worked_on(cut, literal=False)
        sound, first, last, codes = self._worked_on(cut, literal=True)
        if self.operation.prepare is fill_up:
            # Where garbage collection was cut, an index can lead to pages of other files, and
            # removing its file deletes them: as the C does.
            return []
        wrong = [f"{name!r} is lost" for name in sound if last.get(name) != first[name]]
        return wrong + [f"writing gives {code}" for code in codes - {0, -10001}]

    def _worked_on(
        self, cut: NorCut, *, literal: bool
    ) -> tuple[list[bytes], Contents, Contents, set[int]]:
        """Return sound files, contents before and after, and what the writes returned."""
        fs = SpiffsCore(
            SnapshotFlash(cut.state.copy(), literal=literal), self.geometry, faithful=False
        )
        first = contents(fs)
        sound = [name for name, data in self.quiet.items() if first.get(name) == [data]]
        for entry in list(fs.scandir()):
            if entry.raw_name not in self.quiet:
                _code_of(fs.remove, entry.raw_name)
        codes = {_code_of(put, fs, "/after", pattern(900, number)) for number in range(6)}
        return sound, first, contents(fs), codes

    def _hot(self, name: bytes, headers: list[bytes | str]) -> list[str]:
        old, new = self.before.get(name), self.after.get(name)
        if not headers:
            return [] if old is None or new is None else [f"{name!r} is gone"]
        may_break = self.operation.breaks or self.operation.collects
        return [
            f"{name!r} has other bytes"
            for data in headers
            if not (may_break if isinstance(data, str) else _is_between(data, old, new))
        ]

    def _mounting(self, cut: NorCut, found: Contents) -> list[str]:
        """Mount for writing, which mends an erase that was cut; return what is wrong then."""
        flash = CountedFlash(cut.state.copy(), literal=self.literal)
        fs = SpiffsCore(flash, self.geometry, faithful=True)
        wrong = []
        if flash.reads > _READS_OF_A_MOUNT * self.geometry.pages or flash.changes > 4:
            wrong.append(f"the mount took {flash.reads} reads and {flash.changes} changes")
        if contents(fs) != found:
            wrong.append("a mount for writing shows other files than one for reading")
        return wrong

    def _files(self, state: Snapshot) -> dict[bytes, bytes]:
        found = contents(self.mount(state, read_only=True))
        files = {name: data for name, (data, *_) in found.items()}
        assert all(isinstance(data, bytes) for data in files.values())
        return files  # type: ignore[return-value]


def _is_between(data: bytes, old: bytes | None, new: bytes | None) -> bool:
    """Return whether a file may read so: old, new, the beginning of one, or new bytes up to some
    place and old ones after it.
    """
    for whole in (old, new):
        if whole is not None and whole.startswith(data):
            return True
    if old is None or new is None or len(data) not in (len(old), len(new)):
        return False
    pairs = zip(data, new, strict=False)
    place = next((at for at, (byte, will) in enumerate(pairs) if byte != will), len(data))
    return data[place:] == old[place:]


def _code_of(call: Callable[..., object], *arguments: object) -> int:
    try:
        call(*arguments)
    except SpiffsError as error:
        return int(error.code)
    return 0
