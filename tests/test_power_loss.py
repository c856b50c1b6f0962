"""What docs/SPEC.md, section 5.8 says of a power loss, tried at every program and erase.

A small area, MaixPy's page size; the power goes between two operations of the chip, or in the
middle of a program, of which the first half has landed.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maixfs.nor.chip import NorChip, NorEvent
from maixfs.nor.drivers import make_driver
from maixfs.spiffs import SpiffsCore, SpiffsError
from maixfs.spiffs.geometry import Geometry

AREA = Geometry(
    size=0x40000, block_size=0x8000, page_size=0x1000, name_length=32, aligned_tables=True
)
KEPT = b"k" * 9000
OLD = b"A" * 10000
OVERWRITTEN = b"A" * 1000 + b"Y" * 5000 + b"A" * 4000
FRESH = b"N" * 3000
UNREADABLE = object()
Operation = Callable[[SpiffsCore], None]
Listing = dict[str, list[object]]


class PowerLossError(Exception):
    """The power is gone."""


class PowerCut:
    """Lets ``operations`` programs and erases happen, then takes the power away."""

    def __init__(self, operations: int, *, torn: bool) -> None:
        self.left = operations
        self.torn = torn

    def before(self, chip: NorChip, event: NorEvent) -> None:
        if event.kind == "read":
            return
        if self.left == 0:
            if self.torn and event.kind == "program":
                old = chip.peek(event.address, event.length)
                half = event.length // 2
                chip.poke(event.address, event.outcome(old)[:half] + old[half:])
            raise PowerLossError
        self.left -= 1

    def after(self, chip: NorChip, event: NorEvent) -> None:
        """Nothing: the power goes before an operation."""


def put(fs: SpiffsCore, name: str, data: bytes, mode: str = "wb") -> None:
    with fs.open(name, mode) as file:
        file.write(data)


def append(fs: SpiffsCore) -> None:
    put(fs, "/a", b"Z" * 7000, "ab")


def overwrite(fs: SpiffsCore) -> None:
    with fs.open("/a", "r+b") as file:
        file.seek(1000)
        file.write(b"Y" * 5000)


def replace(fs: SpiffsCore) -> None:
    put(fs, "/a", FRESH)


def create(fs: SpiffsCore) -> None:
    put(fs, "/new", FRESH)


def remove(fs: SpiffsCore) -> None:
    fs.remove("/a")


def rename(fs: SpiffsCore) -> None:
    fs.rename("/a", "/c")


def image_of(files: dict[str, bytes]) -> bytes:
    """Return an area that holds ``files``."""
    chip = NorChip.in_memory(AREA.size)
    device = make_driver("ideal", chip)
    SpiffsCore.format(device, AREA)
    fs = SpiffsCore(device, AREA, faithful=True)
    for name, data in files.items():
        put(fs, name, data)
    fs.unmount()
    return chip.peek(0, AREA.size)


def cut(image: bytes, operation: Operation, cutter: PowerCut, driver: str) -> bytes | None:
    """Return the area after the power went, or ``None`` if the operation came to its end."""
    chip = NorChip.in_memory(content=image)
    fs = SpiffsCore(make_driver(driver, chip), AREA, faithful=True, max_files=2, cache_pages=4)
    chip.attach(cutter)
    try:
        operation(fs)
    except PowerLossError:
        chip.detach(cutter)
        return chip.peek(0, AREA.size)
    return None


def contents(image: bytes) -> Listing:
    """Return what the next mount shows: name to the contents of every header with that name."""
    fs = SpiffsCore(make_driver("ideal", NorChip.in_memory(content=image)), AREA, faithful=True)
    found: Listing = {}
    for entry in fs.scandir():
        try:
            with fs.open(entry.name, "rb") as file:
                data: object = file.read()
        except SpiffsError:
            data = UNREADABLE
        found.setdefault(entry.name, []).append(data)
    return found


def states(image: bytes, operation: Operation, *, torn: bool, driver: str) -> list[Listing]:
    """Return what is left after each possible cut, in the order of the cuts."""
    found: list[Listing] = []
    while (area := cut(image, operation, PowerCut(len(found), torn=torn), driver)) is not None:
        found.append(contents(area))
    return found


def is_beginning(data: object, whole: bytes) -> bool:
    return isinstance(data, bytes) and whole.startswith(data)


def allowed(operation: Operation, data: object) -> bool:
    """Tell whether /a may read so after a cut in ``operation``."""
    if operation is append:
        return data in (OLD, OLD + b"Z" * 7000)
    if operation is overwrite:
        return data in (OLD, OVERWRITTEN, UNREADABLE)
    if operation is replace:
        return data in (OLD, UNREADABLE) or is_beginning(data, FRESH)
    return data == OLD


@pytest.fixture(scope="module")
def image() -> bytes:
    return image_of({"/keep": KEPT, "/a": OLD})


@pytest.mark.parametrize("torn", [False, True], ids=["between", "torn"])
@pytest.mark.parametrize("driver", ["ideal", "literal"])
@pytest.mark.parametrize(
    "operation", [append, overwrite, replace, create, remove, rename], ids=lambda op: op.__name__
)
def test_every_cut_leaves_what_is_promised(
    image: bytes, operation: Operation, driver: str, torn: bool
) -> None:
    found = states(image, operation, torn=torn, driver=driver)
    assert len(found) > 5
    for listing in found:
        assert listing["/keep"] == [KEPT]
        assert all(allowed(operation, data) for data in listing.get("/a", []))
        assert all(is_beginning(data, FRESH) for data in listing.get("/new", []))
        if operation is rename:
            assert {"/a", "/c"} & listing.keys()
            assert set(listing.get("/c", [])) <= {OLD}
        elif operation is not remove:
            assert "/a" in listing


def test_overwriting_can_make_a_file_unreadable(image: bytes) -> None:
    """The promise is as weak as the specification says, not weaker for want of a cut."""
    found = states(image, overwrite, torn=False, driver="ideal")
    assert any(UNREADABLE in listing["/a"] for listing in found)


def test_collecting_garbage_can_make_another_file_unreadable() -> None:
    files = {"/a": OLD} | {f"/{number}": bytes([number]) * 5000 for number in range(8)}
    full = image_of({"/keep": KEPT, "/b": b"B" * 6000} | files)
    found = states(full, replace, torn=False, driver="ideal")
    untouched = files.keys() - {"/a"}
    assert any(UNREADABLE in listing[name] for listing in found for name in untouched)
    for listing in found:
        for name in untouched:
            assert set(listing[name]) <= {files[name], UNREADABLE}
