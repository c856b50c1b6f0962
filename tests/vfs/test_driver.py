"""What every mounted driver has in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from maixfs.vfs import Errno, FileIO, TextIOWrapper, VfsError
from vfs.drivers import VOLUMES, Volume, errno_of

FILE = 0x8000


@pytest.fixture(params=VOLUMES)
def volume(request: pytest.FixtureRequest) -> Iterator[Volume]:
    yield VOLUMES[request.param]()


def test_new_volume_is_empty(volume: Volume) -> None:
    assert volume.vfs.listdir("/") == ["v"]
    assert volume.vfs.listdir("/v") == []


def test_documentation_example_works(volume: Volume) -> None:
    with volume.vfs.open("/v/test.txt", "w") as file:
        assert file.write("hello text") == 10
    assert volume.vfs.listdir("/v") == ["test.txt"]
    with volume.vfs.open("/v/test.txt", "r") as file:
        assert file.read() == "hello text"


def test_closed_files_survive_power_off(volume: Volume) -> None:
    volume.write("/v/a", "first")
    volume.write("/v/b", bytes(range(256)) * 40)
    volume.power_on()
    assert sorted(volume.vfs.listdir("/v")) == ["a", "b"]
    assert volume.read("/v/a") == b"first"
    assert volume.read("/v/b") == bytes(range(256)) * 40


def test_unflushed_data_is_lost_at_power_off(volume: Volume) -> None:
    volume.write("/v/a", "kept")
    dropped = volume.vfs.open("/v/b", "w")
    dropped.write("not on the medium")
    volume.power_on()
    assert volume.read("/v/a") == b"kept"
    # SPIFFS creates the file when it is opened; FAT may not have written its entry yet.
    assert [volume.read(f"/v/{name}") for name in volume.vfs.listdir("/v")][1:] in ([], [b""])


def test_flushed_data_survives_power_off(volume: Volume) -> None:
    file = volume.vfs.open("/v/a", "w")
    file.write("flushed")
    file.flush()
    file.write(" and this was not")
    volume.power_on()
    assert volume.read("/v/a") == b"flushed"


def test_collect_closes_dropped_files(volume: Volume) -> None:
    volume.vfs.open("/v/a", "w").write("closed late")
    assert volume.vfs.collect() == 1
    assert volume.vfs.collect() == 0
    volume.power_on()
    assert volume.read("/v/a") == b"closed late"


def test_listing_has_name_kind_and_size(volume: Volume) -> None:
    volume.write("/v/a.txt", "12345")
    assert list(volume.vfs.ilistdir("/v")) == [("a.txt", FILE, 0, 5)]
    assert list(volume.vfs.ilistdir(b"/v")) == [(b"a.txt", FILE, 0, 5)]
    assert volume.vfs.listdir(b"/v") == [b"a.txt"]
    assert volume.vfs.stat("/v/a.txt")[0] == FILE
    assert volume.vfs.stat("/v/a.txt")[6] == 5
    assert len(volume.vfs.stat("/v/a.txt")) == 10


def test_relative_names_work_after_chdir(volume: Volume) -> None:
    volume.vfs.chdir("/v")
    assert volume.vfs.getcwd() == "/v"
    volume.write("a", "x")
    assert volume.vfs.listdir() == ["a"]
    assert volume.read("./a") == volume.read("/v/a") == b"x"


def test_bytes_names_equal_their_utf8(volume: Volume) -> None:
    volume.write("/v/日本.txt", "x")
    assert volume.vfs.listdir("/v") == ["日本.txt"]
    assert volume.vfs.listdir(b"/v") == ["日本.txt".encode()]
    assert volume.read("/v/日本.txt") == b"x"
    with volume.vfs.open("/v/日本.txt".encode()) as file:
        assert file.read() == "x"


def test_missing_file_is_enoent(volume: Volume) -> None:
    assert errno_of(volume.vfs.open, "/v/none") == Errno.ENOENT
    assert errno_of(volume.vfs.open, "/v/none", "r+") == Errno.ENOENT
    assert errno_of(volume.vfs.stat, "/v/none") == Errno.ENOENT
    assert errno_of(volume.vfs.remove, "/v/none") == Errno.ENOENT
    assert errno_of(volume.vfs.rename, "/v/none", "/v/other") == Errno.ENOENT
    assert volume.vfs.listdir("/v") == []


def test_remove_deletes_one_file(volume: Volume) -> None:
    volume.write("/v/a", "1")
    volume.write("/v/b", "2")
    volume.vfs.remove("/v/a")
    assert volume.vfs.listdir("/v") == ["b"]
    assert errno_of(volume.vfs.open, "/v/a") == Errno.ENOENT


def test_files_can_be_removed_during_a_listing(volume: Volume) -> None:
    for number in range(12):
        volume.write(f"/v/f{number}", str(number))
    for name, *_ in volume.vfs.ilistdir("/v"):
        volume.vfs.remove(f"/v/{name}")
    assert volume.vfs.listdir("/v") == []


def test_rename_keeps_the_contents(volume: Volume) -> None:
    volume.write("/v/a", "A")
    volume.vfs.rename("/v/a", "/v/b")
    assert volume.vfs.listdir("/v") == ["b"]
    assert volume.read("/v/b") == b"A"


def test_rename_replaces_an_existing_file(volume: Volume) -> None:
    volume.write("/v/a", "A")
    volume.write("/v/b", "B")
    volume.vfs.rename("/v/a", "/v/b")
    assert volume.vfs.listdir("/v") == ["b"]
    assert volume.read("/v/b") == b"A"


def test_mode_chooses_the_class(volume: Volume) -> None:
    volume.write("/v/a", "x")
    for mode, kind in (("r", TextIOWrapper), ("rt", TextIOWrapper), ("rb", FileIO)):
        with volume.vfs.open("/v/a", mode) as file:
            assert type(file) is kind


def test_write_mode_empties_the_file(volume: Volume) -> None:
    volume.write("/v/a", "long text")
    volume.write("/v/a", "short")
    assert volume.read("/v/a") == b"short"
    assert volume.vfs.stat("/v/a")[6] == 5


def test_update_mode_reads_and_writes_at_one_position(volume: Volume) -> None:
    volume.write("/v/a", "0123456789")
    with volume.vfs.open("/v/a", "r+") as file:
        assert file.read(3) == "012"
        assert file.write("XY") == 2
        assert file.tell() == 5
        assert file.read() == "56789"
    assert volume.read("/v/a") == b"012XY56789"


def test_append_mode_adds_to_the_file(volume: Volume) -> None:
    volume.write("/v/a", "one ")
    with volume.vfs.open("/v/a", "a") as file:
        file.write("two")
    assert volume.read("/v/a") == b"one two"


def test_seek_and_tell_agree(volume: Volume) -> None:
    volume.write("/v/a", b"0123456789")
    with volume.vfs.open("/v/a", "rb") as file:
        assert file.seek(3) == 3
        assert file.read(2) == b"34"
        assert file.seek(2, 1) == 7
        assert file.tell() == 7
        assert file.seek(-2, 2) == 8
        assert file.read() == b"89"
        assert file.read() == file.read(5) == b""
        assert errno_of(file.seek, -1) == Errno.EINVAL
        file.seek(99)
        assert file.tell() == 10


def test_two_files_are_open_at_once(volume: Volume) -> None:
    volume.write("/v/a", bytes(5000))
    with volume.vfs.open("/v/a", "rb") as source, volume.vfs.open("/v/b", "wb") as target:
        while piece := source.read(512):
            target.write(piece)
    assert volume.read("/v/b") == bytes(5000)


def test_two_readers_have_their_own_positions(volume: Volume) -> None:
    volume.write("/v/a", "0123456789")
    with volume.vfs.open("/v/a") as one, volume.vfs.open("/v/a") as two:
        assert one.read(4) == "0123"
        assert two.read(2) == "01"
        assert one.read(1) == "4"


def test_closed_file_refuses_every_call(volume: Volume) -> None:
    volume.write("/v/a", "x")
    file = volume.vfs.open("/v/a")
    file.close()
    file.close()
    for call in (file.read, file.readline, file.flush, file.readlines):
        with pytest.raises(VfsError):
            call()
    with pytest.raises(VfsError):
        file.write("x")
    assert file.read(0) == ""


def test_argument_of_another_type_is_typeerror_and_changes_nothing(volume: Volume) -> None:
    volume.write("/v/a", "kept")
    other: Any
    for other in (None, 5, ["a"], bytearray(b"a")):
        for call in (volume.driver.ilistdir, volume.driver.remove, volume.driver.stat):
            with pytest.raises(TypeError):
                call(other)
        for arguments in ((other, "r"), ("a", other)):
            with pytest.raises(TypeError):
                volume.driver.open(*arguments)
            with pytest.raises(TypeError):
                volume.driver.rename(*arguments)
    with volume.vfs.open("/v/a", "r+") as file:
        for wrong in (None, 5, 1.5, ["x"]):
            with pytest.raises(TypeError):
                file.write(wrong)
            with pytest.raises(TypeError):
                file.readinto(wrong)
        for wrong in (None, "1", 1.5):
            for call in (file.read, file.readline, file.seek):
                with pytest.raises(TypeError):
                    call(wrong)
            with pytest.raises(TypeError):
                file.seek(0, wrong)
            with pytest.raises(TypeError):
                file.write("x", wrong)
    assert volume.vfs.listdir("/v") == ["a"]
    assert volume.read("/v/a") == b"kept"


def test_reader_cannot_write(volume: Volume) -> None:
    volume.write("/v/a", "x")
    with volume.vfs.open("/v/a") as file, pytest.raises(VfsError):
        file.write("y")
    assert volume.read("/v/a") == b"x"


def test_statvfs_follows_writes_and_removals(volume: Volume) -> None:
    block, _, blocks, free, *_ = volume.vfs.statvfs("/v")
    assert block * free <= block * blocks
    volume.write("/v/a", bytes(3 * block))
    assert volume.vfs.statvfs("/v")[3] <= free - 3
    volume.vfs.remove("/v/a")
    assert volume.vfs.statvfs("/v")[3] == free


def test_full_volume_keeps_its_files(volume: Volume) -> None:
    volume.write("/v/kept", "safe")
    file = volume.vfs.open("/v/big", "wb")
    with pytest.raises(VfsError):
        for _ in range(8192):
            file.write(bytes(8192))
    with pytest.raises(VfsError):
        volume.write("/v/more", bytes(8192 * 8))
    with suppress(VfsError):  # SPIFFS has no room for the index of the file
        file.close()
    volume.power_on()
    assert volume.read("/v/kept") == b"safe"
    volume.vfs.remove("/v/big")
    volume.write("/v/after", bytes(8192))
    assert volume.read("/v/after") == bytes(8192)


def test_driver_works_after_umount(volume: Volume) -> None:
    file = volume.vfs.open("/v/a", "w")
    file.write("hello")
    volume.vfs.umount("/v")
    file.write(" world")
    file.close()
    assert volume.vfs.listdir("/") == []
    volume.vfs.mount(volume.driver, "/w")
    assert volume.read("/w/a") == b"hello world"


def test_import_stat_finds_modules_in_the_current_directory(volume: Volume) -> None:
    volume.write("/v/module.py", "x = 1\n")
    volume.vfs.chdir("/v")
    assert volume.vfs.import_stat("module.py").name == "FILE"
    assert volume.vfs.import_stat("other.py").name == "NONE"
