"""Folders: slots, growth, names, paths, trees."""

from __future__ import annotations

import pytest

from fat.volumes import every_kind, faults, mount, new_card, refused
from maixfs.errors import FullError
from maixfs.fat import Attribute, FatCore, FResult, OpenFlag
from maixfs.fat.ondisk import DirEntry
from maixfs.sd import SECTOR

WRITE, EMPTY = OpenFlag.WRITE, OpenFlag.CREATE_ALWAYS


@pytest.fixture(params=["fat12", "fat16", "fat32"])
def fat(request: pytest.FixtureRequest) -> FatCore:
    return mount(new_card(request.param))


def names(fat: FatCore, path: str = "/") -> list[str]:
    return [entry.name for entry in fat.scandir(path)]


def slots(fat: FatCore, path: str = "/") -> list[int]:
    return [entry.slot for entry in fat.scandir(path)]


def test_new_entry_takes_the_first_free_slots_that_fit(fat: FatCore) -> None:
    for name in ("A", "three slots take that.x", "B", "C", "D"):
        fat.write_bytes(name, b"")
    base = slots(fat)[0]
    assert [slot - base for slot in slots(fat)] == [0, 3, 4, 5, 6]
    fat.remove("B")
    fat.write_bytes("E", b"")
    fat.remove("three slots take that.x")
    fat.write_bytes("F", b"")
    fat.write_bytes("two slots need", b"")
    assert names(fat) == ["A", "F", "E", "C", "D", "two slots need"]
    assert [slot - base for slot in slots(fat)] == [0, 1, 4, 5, 6, 9]
    fat.remove("F")
    fat.remove("E")
    fat.write_bytes("four slots are here now, as it happens", b"")
    assert [slot - base for slot in slots(fat)] == [0, 4, 5, 6, 9]


@every_kind
def test_folder_grows_by_clusters(kind: str) -> None:
    card = new_card(kind)
    with mount(card) as fat:
        fat.mkdir("/d")
        wanted = [f"The file with the number {number}.txt" for number in range(100)]
        for name in wanted:
            fat.write_bytes(f"/d/{name}", name.encode())
        for name in wanted[::3]:
            fat.remove(f"/d/{name.upper()}")
        del wanted[::3]
        assert names(fat, "/d") == wanted
    assert faults(card) == []
    with mount(card) as fat:
        assert names(fat, "d") == wanted
        assert all(fat.read_bytes(f"/d/{name}") == name.encode() for name in wanted)
        assert fat.remove_tree("/d") == len(wanted) + 1
        assert names(fat) == []
    assert faults(card) == []


@pytest.mark.parametrize("kind", ["fat12", "fat16"])
def test_full_root_refuses_and_keeps_entries(kind: str) -> None:
    card = new_card(kind)
    with mount(card) as fat:
        many = fat.geometry.root_entries
        for number in range(many):
            fat.write_bytes(f"/{number}", b"x")
        with pytest.raises(FullError):
            fat.write_bytes("/more", b"x")
        free = fat.free_clusters()
        with pytest.raises(FullError):
            fat.mkdir("/more")
        assert fat.free_clusters() == fat.free_clusters(scan=True) == free
        with pytest.raises(FullError):
            fat.rename("/1", "/A longer name than it had")
        assert len(names(fat)) == many
        fat.remove("/5")
        fat.write_bytes("/more", b"m")
        assert names(fat)[5] == "more"
    assert faults(card) == []


def test_folder_is_full_at_65536_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    from maixfs.fat import directory

    monkeypatch.setattr(directory, "MAX_DIRECTORY", 2 * SECTOR)
    card = new_card("fat32")
    with mount(card) as fat:
        fat.mkdir("/d")
        for number in range(30):
            fat.write_bytes(f"/d/{number}", b"")
        with pytest.raises(FullError):
            fat.write_bytes("/d/more", b"")
        assert len(names(fat, "/d")) == 30
    assert faults(card) == []


def test_short_names_get_numbers(fat: FatCore) -> None:
    for number in range(9):
        fat.write_bytes(f"/A long file name {number}.text", bytes([number]))
    short = [entry.short_name for entry in fat.scandir()]
    assert short[:5] == [f"ALONGF~{n}.TEX" for n in range(1, 6)]
    assert len(set(short)) == 9
    assert fat.read_bytes("/alongf~3.tex") == b"\2"
    fat.remove("/ALONGF~3.TEX")
    fat.write_bytes("/A long file name of another kind.text", b"")
    assert fat.stat("/A long file name of another kind.text").short_name == "ALONGF~3.TEX"


def test_bytes_and_str_paths_name_the_same_file(fat: FatCore) -> None:
    fat.write_bytes("/Größe.txt", b"1")
    fat.write_bytes("/日本語.txt", b"2")
    fat.write_bytes(b"/caf\x82", b"3")
    fat.write_bytes("/low.TXT", b"4")
    entries = list(fat.scandir())
    assert [entry.name for entry in entries] == ["Größe.txt", "日本語.txt", "café", "low.TXT"]
    assert [entry.oem_name for entry in entries] == [
        b"Gr\x94\xe1e.txt", b"___~1.TXT", b"caf\x82", b"low.TXT",
    ]  # fmt: skip
    assert fat.read_bytes(b"/gr\x94\xe1e.txt") == b"1"
    assert fat.read_bytes(b"/___~1.txt") == b"2"
    assert fat.read_bytes("/CAFÉ") == b"3"
    assert fat.read_bytes("/LOW.txt") == b"4"


def test_mkdir_results(fat: FatCore) -> None:
    fat.mkdir("/d")
    fat.mkdir("d/e")
    for path, result in (
        ("/d", FResult.EXIST),
        ("/D/E", FResult.EXIST),
        ("/", FResult.EXIST),
        ("/d/..", FResult.EXIST),
        ("/x/y", FResult.NO_PATH),
        ("/x/", FResult.NO_PATH),
        ("/d/*", FResult.INVALID_NAME),
        ("/d/   ", FResult.INVALID_NAME),
    ):
        refused(result, fat.mkdir, path)
    assert names(fat, "/d/.") == names(fat, "/d/e/..") == ["e"]


def test_remove_results(fat: FatCore) -> None:
    fat.mkdir("/d")
    fat.write_bytes("/d/f", b"x")
    fat.mkdir("/d/e")
    for path, result in (
        ("/d", FResult.DENIED),
        ("/", FResult.INVALID_NAME),
        ("/d/.", FResult.INVALID_NAME),
        ("/d/g", FResult.NO_FILE),
        ("/g/g", FResult.NO_PATH),
    ):
        refused(result, fat.remove, path)
    fat.chdir("/d/e")
    refused(FResult.DENIED, fat.remove, "/d/e")
    refused(FResult.DENIED, fat.remove_tree, "/d")
    fat.chdir("/")
    fat.set_attributes("/d/f", Attribute.READ_ONLY)
    refused(FResult.DENIED, fat.remove_tree, "/d")
    assert sorted(path for path, _ in fat.walk()) == ["/d", "/d/e", "/d/f"]
    fat.set_attributes("/d/f", 0)
    fat.remove("/d/e")
    assert fat.remove_tree("/d/f") == 1
    fat.remove("/d")
    assert names(fat) == []


def test_rename_results(fat: FatCore) -> None:
    fat.mkdir("/d")
    fat.mkdir("/d/e")
    fat.write_bytes("/f", b"f")
    fat.write_bytes("/g", b"g")
    fat.rename("/f", "/F")
    assert names(fat) == ["d", "g", "F"]
    for old, new, result in (
        ("/F", "/g", FResult.EXIST),
        ("/F", "/d", FResult.EXIST),
        ("/x", "/y", FResult.NO_FILE),
        ("/F", "/x/y", FResult.NO_PATH),
        ("/d/.", "/x", FResult.INVALID_NAME),
        ("/", "/x", FResult.INVALID_NAME),
        ("/F", "/a?", FResult.INVALID_NAME),
        ("/d", "/d/e/x", FResult.INVALID_PARAMETER),
        ("/d", "/d/x", FResult.INVALID_PARAMETER),
    ):
        refused(result, fat.rename, old, new)
    fat.write_bytes("/d/e/inner", b"i")
    fat.rename("/d/e", "/The folder is here now")
    fat.chdir("/The folder is here now")
    assert fat.getcwd() == b"/The folder is here now"
    assert fat.read_bytes("inner") == b"i"
    fat.rename("inner", "../d/inner")
    assert fat.read_bytes("/d/inner") == b"i"


def test_unguarded_rename_loses_a_folder_in_itself(fat: FatCore) -> None:
    fat.mkdir("/d")
    fat.mkdir("/d/e")
    fat.rename("/d", "/d/e/f", guarded=False)
    assert names(fat) == []


def test_chdir_and_getcwd_results(fat: FatCore) -> None:
    fat.mkdir("/One folder")
    fat.mkdir("/One folder/two")
    assert fat.getcwd() == b"/"
    fat.chdir("one folder/TWO")
    assert fat.getcwd() == b"/One folder/two"
    assert fat.getcwd(15) == b"/One folder/two"
    refused(FResult.NOT_ENOUGH_CORE, fat.getcwd, 14)
    fat.write_bytes("f", b"x")
    assert fat.stat("/One folder/two/f").size == 1
    fat.chdir("..")
    assert fat.getcwd() == b"/One folder"
    fat.chdir("../../..")
    assert fat.getcwd() == b"/"
    refused(FResult.NO_PATH, fat.chdir, "/none")
    refused(FResult.NO_PATH, fat.chdir, "/One folder/two/f")


def test_stat_returns_the_entry(fat: FatCore) -> None:
    root = fat.stat("/")
    assert (root.is_dir, root.write_date) == (True, 0x2821)
    refused(FResult.INVALID_NAME, fat.stat, ".")
    refused(FResult.NO_FILE, fat.stat, "/x")
    assert fat.exists("/") and not fat.exists("/x/y") and not fat.exists("?")
    fat.mkdir("/d")
    assert fat.stat("/d/.").cluster == fat.stat("/d").cluster
    refused(FResult.NO_PATH, fat.scandir, "/x")


def test_listing_continues_while_entries_change(fat: FatCore) -> None:
    for name in "ABCDEF":
        fat.write_bytes(name, b"")
    seen = []
    for entry in fat.scandir():
        seen.append(entry.name)
        if entry.name == "B":
            fat.remove("A")
            fat.remove("C")
            fat.write_bytes("G", b"")
            fat.write_bytes("H", b"")
            fat.write_bytes("I", b"")
    assert seen == ["A", "B", "H", "D", "E", "F", "I"]


def test_walk_enters_each_folder_once(fat: FatCore) -> None:
    fat.mkdir("/d")
    fat.mkdir("/d/e")
    fat.write_bytes("/d/e/f", b"x")
    directory, item = fat._volume.directory(fat.stat("/d").cluster), fat.stat("/d/e")
    directory.put_cluster(item.slot, fat.stat("/d").cluster)
    assert [path for path, _ in fat.walk()] == ["/d", "/d/e"]
    assert fat.remove_tree("/d") == 2


def test_labels_are_not_listed(fat: FatCore) -> None:
    assert fat.label == ""
    fat.set_label("my card")
    fat.write_bytes("/my card", b"x")
    assert fat.label == "MY CARD"
    assert fat.geometry.label == "MY CARD"
    assert names(fat) == ["my card"]
    fat.set_label("Ölsand")
    assert fat.label == "ÖLSAND"
    for bad in ("twelve chars", "a/b", "日本"):
        refused(FResult.INVALID_NAME, fat.set_label, bad)
    fat.set_label("")
    assert fat.label == ""
    assert names(fat) == ["my card"]


@every_kind
def test_damaged_long_names_show_the_short_name(kind: str) -> None:
    """A part that does not belong there makes the short name count; removing frees all of it."""
    card = new_card(kind)
    with mount(card) as fat:
        fat.write_bytes("/A name that takes three entries", b"x")
        entry = next(fat.scandir())
        at = fat.geometry.root_start * SECTOR if kind != "fat32" else _root(fat)
    raw = bytearray(card.read(at // SECTOR, 1))
    raw[(entry.slot - 2) * 32 + 13] ^= 0xFF
    card.write(at // SECTOR, raw)
    with mount(card) as fat:
        assert names(fat) == [entry.short_name]
        refused(FResult.NO_FILE, fat.stat, "/A name that takes three entries")
        fat.remove(entry.short_name)
        fat.write_bytes("/A", b"x")
        assert slots(fat) == [entry.slot - 3]
    assert faults(card) == []


def _root(fat: FatCore) -> int:
    geometry = fat.geometry
    first = geometry.root_cluster - 2
    return (geometry.data_start + first * geometry.sectors_per_cluster) * SECTOR


def test_first_of_two_equal_names_is_found() -> None:
    """The first on the card counts; when it is gone, the other one does."""
    card = new_card("fat32")
    with mount(card) as fat:
        fat.write_bytes("/AA", b"1")
        fat.write_bytes("/BB", b"22")
        at = _root(fat) // SECTOR
        slot = slots(fat)[1]
    raw = bytearray(card.read(at, 1))
    raw[slot * 32 : slot * 32 + 2] = b"AA"
    card.write(at, raw)
    with mount(card) as fat:
        assert names(fat) == ["AA", "AA"]
        assert fat.read_bytes("/aa") == b"1"
        fat.remove("/aa")
        assert fat.read_bytes("/aa") == b"22"
        fat.remove("/aa")
        assert names(fat) == []
    assert faults(card) == []


def test_entries_have_the_fields_that_fatfs_writes() -> None:
    card = new_card("fat32")
    with mount(card) as fat:
        fat.mkdir("/d")
        fat.write_bytes("/d/lower.TXT", b"x" * 600)
        cluster = fat.stat("/d").cluster
        at = fat.geometry.data_start + (cluster - 2) * fat.geometry.sectors_per_cluster
    date, time = 0x5A21, 0x6B42
    entries = list(DirEntry.struct.iter_unpack(card.read(at, 1)))
    assert entries[0] == (b".          ", 0x10, 0, 0, 0, 0, 0, 0, time, date, cluster, 0)
    assert entries[1] == (b"..         ", 0x10, 0, 0, 0, 0, 0, 0, time, date, 0, 0)
    assert entries[2] == (
        b"LOWER   TXT", 0x20, 8, 0, time, date, 0, 0, time, date, cluster + 1, 600,
    )  # fmt: skip
    assert faults(card) == []


def test_rename_to_a_folder_itself_is_refused(fat: FatCore) -> None:
    fat.set_label("")
    fat.mkdir("first")
    in_slot_0 = next(fat.scandir()).slot == 0
    for dots in (".", ".."):
        refused(FResult.EXIST, fat.rename, "first", dots)
    for start in ("", "/", "//"):
        expected = FResult.INVALID_NAME if in_slot_0 else FResult.EXIST
        refused(expected, fat.rename, "first", start)


def test_invalid_name_is_refused_before_its_folder_is_read() -> None:
    card = new_card("fat16")
    fat = mount(card)
    fat.mkdir("/d")
    fat.close()
    at = fat.geometry.root_start
    root = bytearray(card.read(at, 1))
    root[26:28] = b"\xff\xff"
    card.write(at, bytes(root))
    fat = mount(card)
    refused(FResult.INVALID_NAME, fat.stat, "/d/a*b")
    refused(FResult.INT_ERR, fat.stat, "/d/ab")


def test_mkdir_refuses_the_cluster_of_the_root() -> None:
    card = new_card("fat32")
    fat = mount(card)
    fat.write_bytes("/f", b"f")
    fat.close()
    geometry = fat.geometry
    for copy in range(geometry.fats):
        at = geometry.fat_start + copy * geometry.fat_sectors
        table = card.read(at, 1)
        card.write(at, table[:8] + bytes(4) + table[12:])
    info = card.read(1, 1)
    card.write(1, info[:492] + bytes(4) + info[496:])
    fat = mount(card)
    refused(FResult.INT_ERR, fat.mkdir, "/d")
    assert names(fat) == ["f"]
