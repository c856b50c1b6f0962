"""Directory entries: the bulk reader against a slot-by-slot one, classification, times."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fat.volumes import mount, new_card
from maixfs.fat import FatCore, entries
from maixfs.fat.entries import (
    ROOT,
    Items,
    SlotKind,
    SlotReader,
    examine_slots,
    host_clock,
    make_entry,
    pack_time,
    unpack_time,
)
from maixfs.fat.names import checksum, decode_long, long_entries, make_name, numbered, read_long
from maixfs.fat.ondisk import DirEntry, LongEntry

Read = tuple[int, int, str, bool, bool]
FREE = b"\xe5".ljust(32, b"x")
DOT = DirEntry(b".".ljust(11), 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0).pack()
LABEL = DirEntry(b"LABEL      ", 0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0).pack()
BOTH = DirEntry(b"BOTH       ", 0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0).pack()
PART = LongEntry(0x42, b"x" * 10, 0x0F, 0, 7, b"y" * 12, 0, b"z" * 4).pack()


def file_set(name: str, number: int = 1, *, attributes: int = 0x20, size: int = 7) -> bytes:
    """Return the slots of a file: parts of its long name, if it needs one, and short entry."""
    made = make_name(name)
    short = numbered(made.short, made.long, number) if made.lossy else made.short
    entry = DirEntry(short, attributes, made.nt, 0, 0, 0, 0, 1, 0, 0x21, 2, size).pack()
    return (long_entries(made.long, short) if made.needs_long else b"") + entry


def slot_by_slot(data: bytes, start: int = 0) -> Iterator[Read]:
    """Yield slot, first slot, long name, found and listed, as FatFs's two loops see them."""
    first = -1
    for slot in range(start, len(data) // 32):
        raw = data[slot * 32 : slot * 32 + 32]
        attributes = raw[11] & 0x3F
        if raw[0] == 0:
            return
        if raw[0] != 0xE5 and attributes == 0x0F:
            first = slot if raw[0] & 0x40 else first
            continue
        if raw[0] != 0xE5:
            found, listed = not attributes & 8, raw[:1] != b"." and attributes & ~0x20 != 8
            if found or listed:
                long = set_name(data[first * 32 : slot * 32], raw) if listed and first >= 0 else ""
                yield slot, first if first >= 0 else slot, long, found, listed
        first = -1


def set_name(parts: bytes, short: bytes) -> str:
    """Return the name of a set of parts, empty if FatFs rejects it: part by part."""
    units: dict[int, bytes] = {}
    left = len(parts) // 32
    for at in range(0, len(parts), 32):
        part = LongEntry.unpack(parts, at)
        mark = 0x40 if at == 0 else 0
        if part.LDIR_Ord != mark | left or part.LDIR_FstClusLO:
            return ""
        if part.LDIR_Chksum != checksum(short[:11]):
            return ""
        units[left] = part.LDIR_Name1 + part.LDIR_Name2 + part.LDIR_Name3
        left -= 1
    return decode_long(b"".join(units[order] for order in sorted(units))) or ""


def bulk(reader: SlotReader) -> list[Read]:
    batch = reader.read()
    items = Items()
    items.add(batch)
    return [
        (item.slot, item.first, item.long or "", item.found, item.listed)
        for item in (items[slot] for slot in batch.slots)
    ]


NAMES = st.one_of(
    st.text("abcXYZ .~", min_size=1, max_size=60),
    st.text(st.characters(codec=None), min_size=1, max_size=20),
    st.sampled_from(["x" * 13, "y" * 26, "z" * 247, "w" * 255, "a😀b c", "日本語", "é", "\ud800"]),
).filter(lambda name: not set(name) & set('"*:<>?|\x7f/\\\uffff') and name.strip(" .") and
         min(name) >= " " and len(name.encode("utf-16-le", "surrogatepass")) <= 510)  # fmt: skip
SETS = st.one_of(
    st.builds(file_set, NAMES, st.integers(1, 9), attributes=st.sampled_from([0x20, 0x10, 0x61])),
    st.sampled_from([FREE, DOT, LABEL, BOTH, PART]),
    st.binary(min_size=32, max_size=32),
)
DAMAGE = st.lists(st.tuples(st.integers(0, 1 << 16), st.sampled_from([0, 1, 15, 64, 229, 255])))


@st.composite
def directories(draw: st.DrawFn) -> bytearray:
    data = bytearray(b"".join(draw(st.lists(SETS, max_size=60))))
    for at, value in draw(DAMAGE | st.just([])):
        if data:
            data[at % len(data)] = value
    return data


@settings(deadline=None)
@given(directories(), st.integers(0, 200), st.sampled_from([(0, 7), (0, 2048), (16, 40)]))
def test_reader_equals_slot_by_slot_reading(data, cut, sizes):
    """The directory comes in two steps; blocks are small, and always tried in bulk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entries, "_FEW", sizes[0])
        patch.setattr(entries, "_PIECE", sizes[1])
        grown = bytearray(data[: cut * 32])
        reader = SlotReader(grown)
        found = bulk(reader)
        grown += data[cut * 32 :]
        if not reader.ended:
            found += bulk(reader)
    assert found == list(slot_by_slot(data))
    heads = data[: len(data) // 32 * 32 : 32]
    assert reader.ended == (0 in heads)
    assert reader.next == (heads.find(0) if 0 in heads else len(heads))


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, 3), (0, 0xC3), (32, 0x42), (13, 0), (26, 1), (27, 1), (1, 0), (30, 0), (11, 0x4F)],
)
def test_damage_in_one_set_leaves_the_other_names(at, value):
    sets = [file_set(f"A long name of a file {number:04}") for number in range(40)]
    data = bytearray(b"".join(sets))
    before = bulk(SlotReader(data))
    start = sum(map(len, sets[:20])) + at
    data[start] = value
    after = bulk(SlotReader(data))
    assert after == list(slot_by_slot(data))
    assert [row[2] for row in before] == [f"A long name of a file {n:04}" for n in range(40)]
    assert after[:20] == before[:20]
    assert after[21:] == before[21:]


def test_a_zero_inside_a_name_that_fills_its_parts_is_rejected():
    sets = [file_set("abcdefghijklm nopqrstuvwxy")] * 20
    data = bytearray(b"".join(sets))
    data[32 + 14] = data[32 + 15] = 0
    names = [row[2] for row in bulk(SlotReader(data))]
    assert names == ["", *["abcdefghijklm nopqrstuvwxy"] * 19]


def test_names_with_surrogate_pairs_are_read():
    wanted = [f"smile 😀 {number}" for number in range(30)]
    data = bytearray(b"".join(map(file_set, wanted)))
    assert [row[2] for row in bulk(SlotReader(data))] == wanted


def test_reader_resumes_after_written_entries():
    data = bytearray(file_set("one") + bytes(32) + file_set("A second name"))
    reader = SlotReader(data)
    assert [row[0] for row in bulk(reader)] == [0]
    assert (reader.ended, reader.next) == (True, 1)
    data[32:64] = file_set("two")
    reader.resume(2)
    assert bulk(reader) == [(3, 2, "A second name", True, True)]


def test_dots_with_a_long_name_are_removed_with_it():
    parts = long_entries("A name of dots", DOT[:11])
    assert bulk(SlotReader(bytearray(parts + DOT))) == [(2, 0, "", True, False)]
    many = parts + DOT + b"".join(file_set(f"Some other {n}") for n in range(30))
    assert bulk(SlotReader(bytearray(many)))[0] == (2, 0, "", True, False)


def test_items_are_made_once_and_dropped():
    reader = SlotReader(bytearray(file_set("A long name") + file_set("B.TXT")))
    items = Items()
    items.add(reader.read())
    assert len(items) == 0
    item = items[1]
    assert items[1] is item
    items.drop(1)
    items.drop(2)
    with pytest.raises(KeyError):
        items[1]
    assert items.longs == {}


def test_entry_decodes_all_fields_of_its_record():
    record = DirEntry(b"AB\x90     TXT", 0x21, 0x18, 99, 1, 2, 3, 4, 5, 6, 7, 8)
    data = bytearray(32) + record.pack()
    entry = make_entry(data, 1, "", folder=9, wide=True)
    assert (entry.name, entry.oem_name, entry.short_name) == ("abÉ.txt", b"ab\x90.txt", "ABÉ.TXT")
    assert (entry.slot, entry.folder, entry.cluster) == (1, 9, 0x40007)
    assert (entry.attributes, entry.is_dir, entry.size) == (0x21, False, 8)
    assert (entry.create_tenths, entry.create_time, entry.create_date) == (99, 1, 2)
    assert (entry.access_date, entry.write_time, entry.write_date) == (3, 5, 6)
    assert entry.record == record
    assert make_entry(data, 1, "", folder=9, wide=False).cluster == 7
    assert make_entry(data, 1, "日本", folder=9, wide=False).oem_name == b"ab\x90.txt"


def test_root_entry_is_a_folder_of_the_year_2000():
    assert ROOT.is_dir
    assert (ROOT.name, ROOT.oem_name, ROOT.short_name, ROOT.slot) == ("", b"", "", -1)
    assert unpack_time(ROOT.write_date, ROOT.write_time) == (2000, 1, 1, 0, 0, 0)


def test_a_listing_decodes_each_entry_when_it_gets_there():
    card = new_card()
    with mount(card) as fat:
        for number in range(40):
            fat.write_bytes(f"/A long name {number:03}", b"")
    with FatCore(card) as fat:
        sizes = []
        for number, entry in enumerate(fat.scandir()):
            sizes.append(entry.size)
            if number < 39:
                fat.write_bytes(f"/A long name {number + 1:03}", bytes(number + 1))
        assert sizes == list(range(40))


def test_examine_slots_classifies_every_slot():
    data = (
        LABEL + DOT + PART + file_set("A long name") + FREE + PART + PART
        + BOTH + file_set("b") + PART + bytes(32) + file_set("c")
    )  # fmt: skip
    kinds = [slot.kind for slot in examine_slots(data)]
    k = SlotKind
    assert kinds == [
        k.LABEL, k.DOT, k.ORPHAN, k.LONG, k.SHORT, k.DELETED, k.ORPHAN, k.BROKEN,
        k.SHORT, k.SHORT, k.ORPHAN, k.FREE, k.FREE,
    ]  # fmt: skip
    slots = list(examine_slots(data))
    assert (slots[4].name, slots[4].first, slots[4].is_long_broken) == ("A long name", 3, False)
    assert (slots[8].name, slots[8].first, slots[8].is_long_broken) == ("BOTH", 7, True)
    assert isinstance(slots[3].record, LongEntry)
    assert isinstance(slots[4].record, DirEntry)
    assert slots[4].entry == slots[4].record
    without = [slot.number for slot in examine_slots(data, parts=False)]
    assert without == [0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12]


@given(st.binary(max_size=32 * 40) | directories().map(bytes))
def test_examine_slots_yields_every_slot_of_any_bytes(data):
    slots = list(examine_slots(data))
    assert [slot.number for slot in slots] == list(range(len(data) // 32))
    assert b"".join(slot.raw for slot in slots) == data[: len(data) // 32 * 32]
    for slot in slots:
        assert slot.first <= slot.number
        assert slot.record.pack() == slot.raw
        if slot.long is not None:
            assert read_long(data[slot.first * 32 : slot.number * 32], slot.raw[:11]) == slot.long
    shorts = [slot for slot in slots if slot.kind is SlotKind.SHORT]
    assert [slot.number for slot in shorts] == [
        row[0] for row in slot_by_slot(data) if row[4]
    ]  # fmt: skip


def test_pack_time_limits_years_and_rounds_seconds_down():
    assert unpack_time(*pack_time(2024, 2, 29, 13, 30, 43)) == (2024, 2, 29, 13, 30, 42)
    assert unpack_time(*pack_time(1979, 5, 5, 5, 5, 5)) == (1980, 1, 1, 0, 0, 0)
    assert unpack_time(*pack_time(2108, 1, 1, 0, 0, 0)) == (2107, 12, 31, 23, 59, 58)
    assert unpack_time(*pack_time(2000, 1, 1, 0, 0, 61)) == (2000, 1, 1, 0, 0, 58)


def test_host_clock_gives_a_valid_date(monkeypatch):
    monkeypatch.setattr(entries.time, "time", lambda: 86400.0 * 20000)
    year, month, *_ = unpack_time(*host_clock())
    assert (year, month) == (2024, 10)
