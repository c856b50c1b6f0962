"""Compressed image files: read through, bounded, never written."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from maixfs.errors import DeviceError
from maixfs.host import compressed
from maixfs.host.compressed import (
    UnsupportedError,
    compression_of,
    map_image,
    open_image_bytes,
    unpack_layers,
)

CONTENT = bytes(range(256)) * 4096


def _zip(content: bytes, *names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names or ("dump.bin",):
            archive.writestr(name, content)
    return out.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zip": _zip,
}


def _file(folder: Path, content: bytes, name: str = "image") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("layer", PACKERS)
def test_open_compressed_image_gives_its_content(tmp_path: Path, layer: str) -> None:
    with open_image_bytes(_file(tmp_path, PACKERS[layer](CONTENT))) as image:
        assert bytes(image.view) == CONTENT
        assert image.compression == (layer,)
        assert image.damage is None and image.complete
        assert image.view.readonly


def test_open_plain_image_maps_it(tmp_path: Path) -> None:
    with open_image_bytes(_file(tmp_path, CONTENT)) as image:
        assert bytes(image.view) == CONTENT
        assert image.compression == ()
        image.refuse_writing()


def test_open_empty_file_gives_no_bytes(tmp_path: Path) -> None:
    with open_image_bytes(_file(tmp_path, b"")) as image:
        assert len(image) == 0


def test_open_missing_file_raises_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        open_image_bytes(tmp_path / "none")
    assert isinstance(caught.value, DeviceError)


def test_layers_are_undone_from_the_outside(tmp_path: Path) -> None:
    with open_image_bytes(_file(tmp_path, _zip(gzip.compress(CONTENT)))) as image:
        assert bytes(image.view) == CONTENT
        assert image.compression == ("zip", "gzip")


@pytest.mark.parametrize("layer", ["gzip", "xz", "bzip2"])
def test_all_members_of_a_file_are_read(tmp_path: Path, layer: str) -> None:
    pack = PACKERS[layer]
    whole = pack(CONTENT) + pack(b"more") + bytes(512)
    with open_image_bytes(_file(tmp_path, whole)) as image:
        assert bytes(image.view) == CONTENT + b"more"


@pytest.mark.parametrize("layer", ["gzip", "xz", "bzip2"])
def test_cut_off_file_gives_what_there_is(tmp_path: Path, layer: str) -> None:
    # Bytes without pattern, so that the compressed data is long.
    content = b"".join((n * n * 2654435761 % 2**32).to_bytes(4, "little") for n in range(1 << 19))
    whole = PACKERS[layer](content)
    with open_image_bytes(_file(tmp_path, whole[: len(whole) * 3 // 4])) as image:
        assert image.damage is not None
        assert 0 < len(image) < len(content)
        assert content.startswith(bytes(image.view))


@pytest.mark.parametrize("layer", ["gzip", "xz", "bzip2"])
def test_cut_off_header_raises_einval(tmp_path: Path, layer: str) -> None:
    with pytest.raises(DeviceError) as caught:
        open_image_bytes(_file(tmp_path, PACKERS[layer](CONTENT)[:14]))
    assert caught.value.errno == errno.EINVAL


def test_wrong_checksum_is_damage(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(CONTENT))
    whole[-8] ^= 1
    with open_image_bytes(_file(tmp_path, bytes(whole))) as image:
        assert image.damage is not None


def test_damaged_zip_member_is_damage(tmp_path: Path) -> None:
    whole = bytearray(_zip(CONTENT))
    at = whole.index(b"PK\x01\x02")
    whole[at + 16] ^= 1
    whole[14] ^= 1
    with open_image_bytes(_file(tmp_path, bytes(whole))) as image:
        assert image.damage is not None and len(image)


@pytest.mark.parametrize("names", [("a", "b"), ("x/flash-list.json",)])
def test_other_archives_are_opened_as_they_are(tmp_path: Path, names: tuple[str, ...]) -> None:
    whole = _zip(CONTENT, *names)
    with open_image_bytes(_file(tmp_path, whole)) as image:
        assert image.compression == () and bytes(image.view) == whole


def test_bytes_that_only_begin_like_gzip_are_opened_as_they_are(tmp_path: Path) -> None:
    whole = b"\x1f\x8b\x08\x00" + b"\xff" * 4096
    with open_image_bytes(_file(tmp_path, whole)) as image:
        assert image.compression == () and bytes(image.view) == whole


def test_large_content_goes_to_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compressed, "MOST_IN_MEMORY", len(CONTENT) // 2)
    with open_image_bytes(_file(tmp_path, gzip.compress(CONTENT))) as image:
        assert bytes(image.view) == CONTENT
        assert not isinstance(image.view.obj, bytearray)


def test_content_beyond_the_free_space_raises_efbig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compressed, "MOST_IN_MEMORY", 1 << 16)
    monkeypatch.setattr(compressed, "_RESERVE", shutil.disk_usage(tmp_path).total)
    with pytest.raises(DeviceError) as caught:
        open_image_bytes(_file(tmp_path, gzip.compress(CONTENT)))
    assert caught.value.errno == errno.EFBIG


def test_preview_stops_at_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "MOST_IN_MEMORY", 1 << 19)
    whole = map_image(_file(tmp_path, gzip.compress(CONTENT)))
    with unpack_layers(whole, preview=True) as image:
        assert not image.complete
        assert 0 < len(image) <= 1 << 19


def test_compressed_image_refuses_writing_with_the_command_to_unpack(tmp_path: Path) -> None:
    path = _file(tmp_path, gzip.compress(CONTENT), "dump.bin.gz")
    with open_image_bytes(path) as image, pytest.raises(DeviceError) as caught:
        image.refuse_writing()
    assert caught.value.errno == errno.EROFS
    assert str(path) in (caught.value.hint or "")


def test_zstd_without_a_reader_is_refused_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "compression", None)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    path = _file(tmp_path, b"\x28\xb5\x2f\xfd" + bytes(64), "dump.zst")
    with pytest.raises(UnsupportedError) as caught:
        open_image_bytes(path)
    assert caught.value.errno == errno.ENOTSUP
    assert "unzstd" in (caught.value.hint or "")


def test_zstd_is_read_where_python_can(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    whole = zstandard.ZstdCompressor().compress(CONTENT)
    with open_image_bytes(_file(tmp_path, whole)) as image:
        assert bytes(image.view) == CONTENT and image.compression == ("zstd",)
    with open_image_bytes(_file(tmp_path, whole[:-20])) as image:
        assert image.damage is not None


@pytest.mark.parametrize("layer", PACKERS)
def test_compression_of_names_the_format(layer: str) -> None:
    assert compression_of(PACKERS[layer](CONTENT)) == layer
    assert compression_of(b"BZhello") is None


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_file_that_cannot_seek_to_its_end_is_an_error_with_its_name() -> None:
    with pytest.raises(DeviceError, match="/proc/self/mem"):
        map_image(Path("/proc/self/mem"))
