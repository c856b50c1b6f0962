"""Files of a volume: what FatFs answers, call by call."""

from __future__ import annotations

import pytest

from fat.volumes import NOW, every_kind, faults, mount, new_card, refused
from maixfs.errors import FullError
from maixfs.fat import Attribute, FatCore, FResult, OpenFlag, pack_time
from maixfs.sd import RamSectors

READ, WRITE = OpenFlag.READ, OpenFlag.WRITE
NEW, EMPTY, KEEP = OpenFlag.CREATE_NEW, OpenFlag.CREATE_ALWAYS, OpenFlag.OPEN_ALWAYS


@pytest.fixture(params=["fat12", "fat16", "fat32"])
def fat(request: pytest.FixtureRequest) -> FatCore:
    return mount(new_card(request.param))


def test_written_content_is_read_back(fat: FatCore) -> None:
    content = bytes(range(256)) * 50
    with fat.open("/a.bin", WRITE | EMPTY) as file:
        assert file.write(content[:700]) == 700
        assert file.write(content[700:]) == len(content) - 700
        assert file.tell() == file.size == len(content)
    assert fat.read_bytes("/a.bin") == content
    with fat.open("/A.BIN") as file:
        assert file.read(3) == content[:3]
        room = bytearray(9000)
        assert file.readinto(room) == 9000
        assert room == content[3:9003]
        assert file.read_all() == content[9003:]
        assert file.read() == b""
        assert file.readinto(room) == 0


@pytest.mark.parametrize("at", [0, 1, 511, 512, 513, 1500, 4095, 5000])
@pytest.mark.parametrize("count", [1, 2, 511, 512, 513, 1024, 2000])
def test_overwrite_at_any_position_changes_only_that_range(
    fat: FatCore, at: int, count: int
) -> None:
    content = bytearray(b"0123456789" * 500)
    fat.write_bytes("/f", content)
    with fat.open("/f", READ | WRITE) as file:
        assert file.seek(at) == at
        file.write(b"#" * count)
        content[at : at + count] = b"#" * count
        file.seek(max(at - 10, 0))
        assert file.read(count + 20) == content[max(at - 10, 0) :][: count + 20]
    assert fat.read_bytes("/f") == content


def test_open_flags_give_the_results_of_fatfs(fat: FatCore) -> None:
    refused(FResult.NO_FILE, fat.open, "/f")
    refused(FResult.NO_FILE, fat.open, "/f", READ | WRITE)
    fat.open("/f", WRITE | NEW).close()
    refused(FResult.EXIST, fat.open, "/f", WRITE | NEW)
    with fat.open("/f", WRITE | KEEP) as file:
        file.write(b"abc")
        refused(FResult.DENIED, file.read)
    with fat.open("/f", OpenFlag.APPEND | WRITE) as file:
        assert file.tell() == 3
        file.write(b"def")
    with fat.open("/f") as file:
        assert file.read() == b"abcdef"
        refused(FResult.DENIED, file.write, b"")
        refused(FResult.DENIED, file.truncate)
    fat.open("/f", WRITE | EMPTY).close()
    assert fat.stat("/f").size == 0
    with fat.open("/f", 0) as file:
        refused(FResult.DENIED, file.read)
        refused(FResult.DENIED, file.write, b"a")


def test_open_refuses_folders_and_missing_paths(fat: FatCore) -> None:
    fat.mkdir("/d")
    for path, flags, result in (
        ("/d", READ, FResult.NO_FILE),
        ("/d", WRITE | EMPTY, FResult.DENIED),
        ("/", READ, FResult.INVALID_NAME),
        ("", WRITE | EMPTY, FResult.INVALID_NAME),
        (".", WRITE | EMPTY, FResult.INVALID_NAME),
        ("/d/..", WRITE | EMPTY, FResult.DENIED),
        ("/no/f", WRITE | EMPTY, FResult.NO_PATH),
        ("/d/", READ, FResult.INVALID_NAME),
        ("/a?b", WRITE | EMPTY, FResult.INVALID_NAME),
    ):
        refused(result, fat.open, path, flags)
    fat.write_bytes("/f", b"x")
    refused(FResult.NO_PATH, fat.open, "/f/g", WRITE | EMPTY)
    fat.set_attributes("/f", Attribute.READ_ONLY)
    refused(FResult.DENIED, fat.open, "/f", READ | WRITE)
    refused(FResult.DENIED, fat.open, "/f", WRITE | EMPTY)
    assert fat.read_bytes("/f") == b"x"
    refused(FResult.DENIED, fat.remove, "/f")


def test_closed_file_raises_invalid_object(fat: FatCore) -> None:
    file = fat.open("/f", WRITE | EMPTY)
    file.close()
    file.close()
    assert file.closed
    for call in (file.read, file.sync, file.truncate):
        refused(FResult.INVALID_OBJECT, call)
    refused(FResult.INVALID_OBJECT, file.seek, 0)
    left = fat.open("/f")
    fat.abandon()
    assert left.closed
    refused(FResult.INVALID_OBJECT, left.read)
    refused(FResult.NOT_ENABLED, fat.open, "/f")
    left.close()


@every_kind
def test_seek_stops_or_grows_at_the_end(kind: str) -> None:
    card = new_card(kind)
    fat = mount(card)
    fat.write_bytes("/f", b"x" * 3000)
    with fat.open("/f") as file:
        assert file.seek(10**12) == 3000
        assert file.seek(2999) == 2999
        assert file.read() == b"x"
        refused(FResult.INVALID_PARAMETER, file.seek, -1)
    with fat.open("/f", READ | WRITE) as file:
        assert file.seek(9000) == 9000
        assert file.size == 9000
    assert fat.stat("/f").size == 9000
    assert fat.read_bytes("/f")[:3000] == b"x" * 3000
    fat.close()
    assert faults(card) == []


def test_seek_beyond_a_full_card_stops_at_its_end(fat: FatCore) -> None:
    free = fat.free_clusters()
    with fat.open("/f", WRITE | EMPTY) as file:
        most = free * fat.geometry.cluster_size
        assert file.seek(most + 1) == most
    assert fat.free_clusters() == 0
    fat.remove("/f")
    assert fat.free_clusters() == fat.free_clusters(scan=True) == free


@every_kind
@pytest.mark.parametrize("size", [0, 1, 512, 2048, 2049, 5999, 6000])
def test_truncate_frees_clusters_beyond_the_position(kind: str, size: int) -> None:
    card = new_card(kind)
    fat = mount(card)
    content = bytes(range(250)) * 24
    fat.write_bytes("/f", content)
    with fat.open("/f", READ | WRITE) as file:
        file.seek(size)
        file.truncate()
        assert file.size == size
    assert fat.read_bytes("/f") == content[:size]
    assert fat.free_clusters() == fat.free_clusters(scan=True)
    fat.close()
    assert faults(card) == []


@every_kind
def test_full_card_keeps_existing_files(kind: str) -> None:
    card = new_card(kind)
    fat = mount(card)
    fat.write_bytes("/kept", b"k" * 4000)
    room = fat.free_clusters() * fat.geometry.cluster_size
    with fat.open("/big", WRITE | EMPTY) as file:
        assert file.write(bytes(room - 100)) == room - 100
        assert file.write(b"a" * 5000) == 100
        assert file.write(b"b") == 0
    with pytest.raises(FullError):
        fat.write_bytes("/none", b"x")
    with pytest.raises(FullError):
        fat.mkdir("/folder")
    assert not fat.exists("/folder")
    assert fat.stat("/none").size == 0
    assert fat.stat("/big").size == room
    assert fat.read_bytes("/kept") == b"k" * 4000
    fat.close()
    assert faults(card) == []


def test_file_ends_below_4_gibibytes() -> None:
    from maixfs.fat import format_volume

    card = RamSectors(5 << 21)
    format_volume(card, 0, card.sectors, fat_type=32, cluster_size=32768)
    with FatCore(card) as fat, fat.open("/f", READ | WRITE | EMPTY) as file:
        assert file.seek(1 << 40) == 0xFFFFFFFF
        file.seek(0xFFFFFFF0)
        assert file.write(b"x" * 100) == 15
        assert file.write(b"x") == 0
        file.seek(0xFFFFFFF0)
        assert file.read() == b"x" * 15


def test_times_and_attributes_are_stored() -> None:
    now = [pack_time(2024, 2, 29, 13, 30, 42)]
    fat = FatCore(new_card(), clock=lambda: now[0])
    fat.write_bytes("/f", b"1")
    made = fat.stat("/f")
    assert (made.create_date, made.create_time) == (made.write_date, made.write_time) == now[0]
    assert (made.create_tenths, made.access_date) == (0, 0)
    assert made.attributes == Attribute.ARCHIVE
    fat.set_attributes("/f", Attribute.HIDDEN, 0xFF)
    fat.set_times("/f", modified=NOW, created=(1, 2), accessed=3)
    entry = fat.stat("/f")
    assert entry.attributes == Attribute.HIDDEN
    assert (entry.write_date, entry.write_time) == NOW
    assert (entry.create_date, entry.create_time, entry.create_tenths) == (1, 2, 0)
    assert entry.access_date == 3
    now[0] = pack_time(2025, 1, 1, 0, 0, 0)
    with fat.open("/f", WRITE) as file:
        file.write(b"2")
    entry = fat.stat("/f")
    assert entry.attributes == Attribute.HIDDEN | Attribute.ARCHIVE
    assert (entry.write_date, entry.write_time) == now[0]
    assert (entry.create_date, entry.create_time, entry.access_date) == (1, 2, 0)
    fat.mkdir("/d")
    folder = fat.stat("/d")
    assert folder.is_dir
    assert (folder.write_date, folder.write_time) == now[0]
    assert (folder.create_date, folder.create_time, folder.access_date) == (0, 0, 0)


def test_open_for_writing_writes_no_sector() -> None:
    card = new_card()
    fat = mount(card)
    fat.write_bytes("/old", b"x" * 5000)
    before = card.read(0, card.sectors)
    file, other = fat.open("/new name", WRITE | EMPTY), fat.open("/old", WRITE | EMPTY)
    assert card.read(0, card.sectors) == before
    assert [entry.size for entry in fat.scandir()] == [0, 0]
    fat.abandon()
    assert file.closed and other.closed
    assert mount(card).read_bytes("/old") == b"x" * 5000


def test_read_only_mount_refuses_changes() -> None:
    card = new_card()
    mount(card).write_bytes("/f", b"x")
    fat = FatCore(card, read_only=True)
    assert fat.read_only
    for call, arguments in (
        (fat.open, ("/f", WRITE)),
        (fat.open, ("/g", WRITE | EMPTY)),
        (fat.mkdir, ("/d",)),
        (fat.remove, ("/f",)),
        (fat.remove_tree, ("/f",)),
        (fat.rename, ("/f", "/g")),
        (fat.set_attributes, ("/f", 1)),
        (fat.set_times, ("/f",)),
        (fat.set_label, ("A",)),
    ):
        refused(FResult.WRITE_PROTECTED, call, *arguments)
    before = card.read(0, card.sectors)
    assert fat.read_bytes("/f") == b"x"
    fat.free_clusters(scan=True)
    fat.sync()
    fat.close()
    assert card.read(0, card.sectors) == before
