"""New images: empty ones, and folders laid out as one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from image.places import FILES, MAIXPY, SMALL, flash_of, has_errors, litter
from maixfs.errors import DeviceError, FitError, UsageError
from maixfs.host.files import OccupiedError
from maixfs.image.entries import Kind
from maixfs.image.errors import TakenError
from maixfs.image.opening import open_image
from maixfs.spiffs import PRESETS, Geometry, GeometryError
from maixfs.transfer.formatting import make_image
from maixfs.transfer.packing import pack_folder

ESP_IDF = PRESETS["esp-idf"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a host's folder with the usual files in it."""
    root = tmp_path / "data"
    for name, content in FILES.items():
        path = root / name.decode()[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


@pytest.mark.parametrize("geometry", [MAIXPY, SMALL, ESP_IDF, PRESETS["esp8266"]])
def test_empty_image_mounts_and_takes_files(tmp_path: Path, geometry: Geometry) -> None:
    out = tmp_path / "new.img"
    made = make_image(out, geometry)
    assert (made.size, made.changed) == (geometry.size, True)
    assert made.sha256 == hashlib.sha256(out.read_bytes()).hexdigest()
    with open_image(out, "r+") as target:
        assert target.kind is Kind.SPIFFS_IMAGE
        assert target.scandir() == []
        target.write_bytes("/x", b"x" * 5000)
    with open_image(out) as target:
        assert target.read_bytes("/x") == b"x" * 5000


def test_make_image_of_a_whole_flash_has_the_area_in_place(tmp_path: Path) -> None:
    out = tmp_path / "flash.img"
    made = make_image(out, MAIXPY, flash_size=0x1000000)
    assert made.size == out.stat().st_size == 0x1000000
    with open_image(out) as target:
        assert (target.kind, target.spiffs.geometry.base) == (Kind.FLASH_IMAGE, 0xD00000)
    with pytest.raises(UsageError, match="cannot hold the area 0xd00000-0x1000000"):
        make_image(tmp_path / "small", MAIXPY, flash_size=0x800000)
    with pytest.raises(UsageError):
        make_image(tmp_path / "odd", SMALL, flash_size=0x100001)
    with pytest.raises(GeometryError):
        make_image(tmp_path / "none", replace(ESP_IDF, size=0))
    assert [path.name for path in tmp_path.iterdir()] == ["flash.img"]


def test_make_image_overwrites_only_with_force(tmp_path: Path) -> None:
    out = tmp_path / "new.img"
    make_image(out, SMALL)
    assert not make_image(out, SMALL).changed
    out.write_bytes(b"mine")
    with pytest.raises(OccupiedError) as caught:
        make_image(out, SMALL)
    assert caught.value.replaceable
    assert out.read_bytes() == b"mine"
    assert make_image(out, SMALL, force=True).changed
    assert out.stat().st_size == SMALL.size


def test_make_image_in_a_flash_keeps_the_rest(tmp_path: Path) -> None:
    out = tmp_path / "dump.img"
    before = flash_of(SMALL, 0x100000, FILES)
    out.write_bytes(before)
    with pytest.raises(TakenError, match="is not blank"):
        make_image(out, SMALL)
    assert out.read_bytes() == before
    make_image(out, SMALL, force=True)
    after = out.read_bytes()
    assert (after[: SMALL.base], after[0xC0000:]) == (before[: SMALL.base], before[0xC0000:])
    with open_image(out) as target:
        assert target.scandir() == []


def test_make_image_in_a_blank_flash_needs_no_force(tmp_path: Path) -> None:
    out = tmp_path / "blank.img"
    out.write_bytes(b"\xff" * 0x100000)
    make_image(out, SMALL)
    with open_image(out) as target:
        assert target.kind is Kind.FLASH_IMAGE


@pytest.mark.parametrize("geometry", [MAIXPY, SMALL, ESP_IDF, PRESETS["esp8266"]])
def test_pack_folder_makes_an_image(folder: Path, tmp_path: Path, geometry: Geometry) -> None:
    out = tmp_path / "out.img"
    packed = pack_folder(folder, out, geometry)
    assert (packed.size, packed.files, packed.changed) == (geometry.size, len(FILES), True)
    assert packed.sha256 == hashlib.sha256(out.read_bytes()).hexdigest()
    assert any("SPIFFS has no folders" in warning for warning in packed.warnings)
    with open_image(out) as target:
        assert {
            e.native.raw_name: target.read_bytes(e.path) for e in target.spiffs.files()
        } == FILES
        assert target.room().used_pages == packed.pages
        assert target.room().spare_blocks >= 2
        assert not has_errors(target.host)


def test_packed_folder_is_reproducible(folder: Path, tmp_path: Path) -> None:
    first = pack_folder(folder, tmp_path / "a.img", SMALL)
    second = pack_folder(folder, tmp_path / "b.img", SMALL)
    assert first.sha256 == second.sha256
    assert not pack_folder(folder, tmp_path / "a.img", SMALL).changed
    (folder / "more").write_bytes(b"more")
    with pytest.raises(FileExistsError):
        pack_folder(folder, tmp_path / "a.img", SMALL)
    assert pack_folder(folder, tmp_path / "a.img", SMALL, force=True).changed


@pytest.mark.parametrize(("whole", "size"), [(True, 0x1000000), (0x200000, 0x200000)])
def test_pack_folder_makes_a_whole_flash(
    folder: Path, tmp_path: Path, whole: bool | int, size: int
) -> None:
    out = tmp_path / "flash.img"
    packed = pack_folder(folder, out, SMALL, whole_flash=whole)
    assert packed.size == out.stat().st_size == size
    with open_image(out) as target:
        assert target.spiffs.geometry.base == SMALL.base
        assert target.read_bytes("/flash/main.py") == FILES[b"/main.py"]


def test_pack_folder_leaves_out_its_own_output(folder: Path) -> None:
    out = folder / "out.img"
    first = pack_folder(folder, out, SMALL)
    second = pack_folder(folder, out, SMALL)
    assert (first.sha256, second.changed) == (second.sha256, False)
    assert any("it is the output" in warning for warning in second.warnings)


def test_pack_of_too_much_names_the_largest_files(folder: Path, tmp_path: Path) -> None:
    (folder / "huge.bin").write_bytes(bytes(3_000_000))
    out = tmp_path / "out.img"
    wanted = r"does not fit: \d+ pages of 4096 bytes too many: 5 files need \d+, 90 fit$"
    with pytest.raises(FitError, match=wanted) as caught:
        pack_folder(folder, out, SMALL)
    assert caught.value.free == 90
    assert caught.value.needed > 700
    assert caught.value.hint is not None
    assert "/huge.bin" in caught.value.hint
    assert not out.exists()


def test_pack_of_too_long_names_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / ("n" * 40)).touch()
    (folder / ("m" * 40)).touch()
    with pytest.raises(UsageError, match=r"\(and 1 more\): the name has 41 bytes, 31 fit"):
        pack_folder(folder, tmp_path / "out.img", ESP_IDF)
    assert pack_folder(folder, tmp_path / "out.img", SMALL).files == len(FILES) + 2


def test_pack_of_a_missing_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        pack_folder(tmp_path / "none", tmp_path / "out.img", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_make_image_in_a_missing_folder_raises(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="cannot be written"):
        pack_folder(folder, tmp_path / "none" / "out.img", SMALL)
    with pytest.raises(OccupiedError, match="is a folder"):
        pack_folder(folder, folder, SMALL, force=True)


@pytest.mark.parametrize("phase", ["collect", "pack", "write"])
def test_interrupted_pack_leaves_nothing(folder: Path, tmp_path: Path, phase: str) -> None:
    out = tmp_path / "out.img"
    out.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        pack_folder(folder, out, SMALL, force=True, progress=interrupt_in(phase))
    assert out.read_bytes() == b"old"
    assert litter(tmp_path) == []
    if phase == "write":
        with pytest.raises(KeyboardInterrupt):
            make_image(out, SMALL, force=True, progress=interrupt_in(phase))
        assert out.read_bytes() == b"old"


def interrupt_in(wanted: str) -> Callable[[str, int, int], None]:
    def progress(phase: str, _done: int, _total: int) -> None:
        if phase == wanted:
            raise KeyboardInterrupt

    return progress
