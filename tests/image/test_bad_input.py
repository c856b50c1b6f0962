"""Host files that are no targets: one sentence says why, and nothing is written."""

from __future__ import annotations

import errno
import gzip
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.places import FILES, MAIXPY, SMALL, flash_of, make_bare, make_image, snapshot
from maixfs.errors import Command, DeviceError, MaixfsError
from maixfs.host.files import make_folder, read_file
from maixfs.image.entries import Kind
from maixfs.image.errors import AmbiguousError, NoFileSystemError, UnreadableError
from maixfs.image.identify import FileKind
from maixfs.image.opening import open_image, open_mounted
from maixfs.image.report import make_report
from maixfs.spiffs import PRESETS, Geometry
from maixfs.spiffs.pack import pack

SIZE = 0x100000
NO_SPIFFS = {
    "blank": (b"\xff" * SIZE, FileKind.ERASED),
    "zeros": (bytes(SIZE), FileKind.ZERO),
    "noise": (random.Random(2).randbytes(SIZE), FileKind.RANDOM),
    "text": (b"A line of text that goes on.\r\n" * 9000, FileKind.TEXT),
    "utf8": ("日本語のテキスト\n".encode() * 9000, FileKind.TEXT),
    "gzip": (gzip.compress(random.Random(3).randbytes(60000)), FileKind.RANDOM),
    "elf": (b"\x7fELF\2\1\1" + bytes(SIZE), FileKind.ELF),
    "zip": (b"PK\x03\x04" + bytes(SIZE), FileKind.ZIP),
    "signature": (bytes(510) + b"\x55\xaa" + b"\1" * SIZE, FileKind.UNKNOWN),
}


@pytest.mark.parametrize("name", list(NO_SPIFFS))
@pytest.mark.parametrize("writable", [False, True])
def test_opening_an_image_without_spiffs_identifies_it(
    tmp_path: Path, name: str, writable: bool
) -> None:
    content, kind = NO_SPIFFS[name]
    host = tmp_path / "file"
    host.write_bytes(content)
    before = snapshot(tmp_path)
    if writable and name == "gzip":
        with pytest.raises(DeviceError) as refused:
            open_image(host, "r+")
        assert refused.value.errno == errno.EROFS
        return
    with pytest.raises(NoFileSystemError) as caught:
        open_mounted(host, "r+" if writable else "r")
    assert caught.value.identification is not None
    assert caught.value.identification.kind is kind
    assert caught.value.hint is not None
    assert isinstance(caught.value, ValueError)
    after = snapshot(tmp_path)
    if writable:  # the lock was in the folder for a moment
        del before[str(tmp_path)], after[str(tmp_path)]
    assert after == before


def test_opening_a_damaged_volume_raises_no_file_system_error(tmp_path: Path) -> None:
    host = tmp_path / "file"
    boot = b"\xeb\x58\x90MSDOS5.0".ljust(0x52, b"\0") + b"FAT32   "
    host.write_bytes(boot.ljust(510, b"\0") + b"\x55\xaa" + bytes(SIZE - 512))
    with pytest.raises(NoFileSystemError) as caught:
        open_mounted(host)
    assert [step.verb for step in caught.value.fix if isinstance(step, Command)] == ["sd doctor"]


@pytest.mark.parametrize("size", [0, 1, 100, 4096, 12287])
def test_too_small_file_is_refused(tmp_path: Path, size: int) -> None:
    host = tmp_path / "file"
    host.write_bytes(bytes(size))
    with pytest.raises(NoFileSystemError):
        open_mounted(host)


def test_too_large_file_is_refused(tmp_path: Path) -> None:
    host = tmp_path / "file"
    with host.open("wb") as stream:
        stream.truncate((64 << 20) + 1)
    with pytest.raises(NoFileSystemError, match="it is blank"):
        open_mounted(host)


def test_missing_path_raises_missing_error(tmp_path: Path) -> None:
    for writable in (False, True):
        with pytest.raises(FileNotFoundError, match="does not exist"):
            open_image(tmp_path / "none", "r+" if writable else "r")
    with pytest.raises(FileNotFoundError):
        open_image(str(tmp_path / "none") + ":/flash")
    assert list(tmp_path.iterdir()) == []


def test_impossible_host_names_raise() -> None:
    with pytest.raises(DeviceError, match="not a name"):
        open_image("a\0b")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this host has no pipes")
def test_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DeviceError, match="neither a file nor a folder"):
        open_image(tmp_path / "pipe")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the host lets everybody read")
def test_unreadable_file_raises_permission_error(tmp_path: Path) -> None:
    host = make_bare(tmp_path, SMALL).host
    host.chmod(0)
    with pytest.raises(PermissionError):
        open_image(host)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_cut_dump_is_refused_for_writing(tmp_path: Path, kept: float) -> None:
    image = flash_of(SMALL, 0x100000, FILES)
    host = tmp_path / "cut.img"
    host.write_bytes(image[: SMALL.base + int(SMALL.size * kept) & ~0xFFF])
    with open_image(host) as target:
        assert [note.key for note in target.notes] == ["cut-short"]
        assert "0xc0000" in target.notes[0].what and str(host) not in target.notes[0].what
        assert {entry.path for entry in target.scandir(recursive=True)} <= {
            f"/flash{path}" for path in ("/main.py", "/empty", "/lib", "/lib/a.py", "/lib/deep")
        } | {"/flash/lib/deep/b.bin"}
        assert target.read_bytes("main.py") == FILES[b"/main.py"]
    with pytest.raises(NoFileSystemError, match="is cut short"):
        open_mounted(host, "r+")


def test_given_geometry_behind_the_file_is_refused(tmp_path: Path) -> None:
    image = make_image(tmp_path, SMALL, 0x100000)
    with pytest.raises(NoFileSystemError, match="is cut short"):
        open_mounted(image.host, "r+", geometry=replace(SMALL, base=0x90000))
    with pytest.raises(NoFileSystemError, match="does not mount") as caught:
        open_mounted(image.host, geometry=replace(SMALL, base=0x20000))
    assert caught.value.hint == "leave the geometry out to have it found"
    with pytest.raises(NoFileSystemError, match=r"is blank \(all 0xFF\)"):
        open_mounted(image.host, geometry=Geometry(0x30000, 0x10000, 4096, base=0xC0000))


def test_two_file_systems_raise_ambiguous_error(tmp_path: Path) -> None:
    second = replace(PRESETS["esp-idf"], size=0x40000, base=0xC0000)
    image = bytearray(flash_of(SMALL, 0x100000, FILES))
    image[second.base :] = pack({b"/other": b"esp" * 4000}, second)
    host = tmp_path / "two.img"
    host.write_bytes(image)
    before = snapshot(tmp_path)
    with pytest.raises(AmbiguousError, match="2 file systems: 0x40000-0xc0000, 0xc0000-0x100000"):
        open_mounted(host)
    for geometry, base in ((SMALL, None), (None, SMALL.base)):
        with open_image(host, geometry=geometry, base=base) as target:
            assert target.kind is Kind.FLASH_IMAGE
            assert target.read_bytes("/flash/main.py") == FILES[b"/main.py"]
    with open_image(host, base=second.base) as target:
        assert target.read_bytes("/flash/other") == b"esp" * 4000
    with pytest.raises(NoFileSystemError, match="no SPIFFS starts at 0x1000") as caught:
        open_mounted(host, base=0x1000)
    assert "0x40000" in str(caught.value.hint)
    assert snapshot(tmp_path) == before


@settings(max_examples=15)
@given(st.data())
def test_damage_raises_only_maixfs_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    geometry = replace(PRESETS["esp-idf"], size=0x10000)
    image = bytearray(pack(FILES, geometry))
    for _ in range(data.draw(st.integers(1, 30))):
        start = data.draw(st.integers(0, len(image) - 1))
        piece = data.draw(st.binary(min_size=1, max_size=8))
        image[start : start + len(piece)] = piece
    host = tmp_path_factory.mktemp("damaged") / "image"
    host.write_bytes(image[: 0x10000 - data.draw(st.sampled_from([0, 0, 1, 4096]))])
    try:
        with open_image(host) as target:
            for entry in target.scandir(recursive=True):
                assert target.stat(entry.path) == entry
                if entry.is_dir:
                    continue
                if entry.readable or entry.rescued:
                    assert len(target.read_bytes(entry.path)) == entry.size
                else:
                    with pytest.raises(UnreadableError):
                        target.read_bytes(entry.path)
            make_report(target).as_dict()
        with open_image(host, "r+") as target:
            target.write_bytes("/new", b"new" * 500)
            target.remove("/new")
    except MaixfsError as error:
        assert str(error)


def test_preset_for_a_larger_image_is_refused(tmp_path: Path) -> None:
    host = make_bare(tmp_path, replace(PRESETS["esp-idf"], size=0x8000), {}).host
    with pytest.raises(NoFileSystemError, match="under three blocks"):
        open_mounted(host, geometry=MAIXPY)


def test_error_names_an_unreadable_host_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none")
    with pytest.raises(DeviceError) as caught:
        read_file(tmp_path / ("n" * 5000))
    assert caught.value.errno == errno.ENAMETOOLONG
    with pytest.raises(DeviceError) as caught:
        read_file(Path("a\0b"))
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(DeviceError) as caught:
        make_folder(tmp_path / ("n" * 5000))
    assert caught.value.errno == errno.ENAMETOOLONG
