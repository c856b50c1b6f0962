"""Images without a file system, compressed, shifted and cut ones are opened for reading."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from image.cards import make_card
from image.places import FILES, MAIXPY, SMALL, flash_of
from image.whole_image import make_flash
from maixfs.errors import DeviceError, ReadOnlyError
from maixfs.image.entries import PACKED_DAMAGE, Kind, Where
from maixfs.image.errors import MissingError, NoFileSystemError
from maixfs.image.identify import FileKind
from maixfs.image.opening import is_card, open_image, open_mounted

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
}
FLASH = flash_of(SMALL, 0x100000, FILES)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (bytes(make_flash()[:0xD00000]) + b"\xff" * 0x300000, FileKind.FLASH),
        (b"\xff" * 0x100000, FileKind.ERASED),
        (bytes(510) + b"\x55\xaa" + bytes(0x10000 - 512), None),
    ],
)
def test_image_without_file_system_opens(
    tmp_path: Path, content: bytes, kind: FileKind | None
) -> None:
    host = tmp_path / "dump.bin"
    host.write_bytes(content)
    with open_image(host) as image:
        assert image.filesystems == {}
        assert image.read(0, 16) == content[:16]
        assert image.size == len(content)
        with pytest.raises(NoFileSystemError) as caught:
            image.fs("/flash")
        if kind is not None:
            assert image.identification.kind is kind
            assert image.kind is Kind.FLASH_IMAGE
            assert caught.value.identification is not None
            assert caught.value.identification.kind is kind


def test_file_system_written_as_bytes_is_mounted(tmp_path: Path) -> None:
    host = tmp_path / "dump.bin"
    host.write_bytes(b"\xff" * len(FLASH))
    with open_image(host, "r+") as image:
        assert image.filesystems == {}
        image.write(SMALL.base, FLASH[SMALL.base : SMALL.base + SMALL.size])
        assert image.read_bytes("/flash/main.py") == FILES[b"/main.py"]
    with open_image(host) as image:
        assert [*image.filesystems] == ["/flash"]


@pytest.mark.parametrize("suffix", PACKERS)
def test_compressed_dump_is_read(tmp_path: Path, suffix: str) -> None:
    host = tmp_path / f"dump.bin.{suffix}"
    host.write_bytes(PACKERS[suffix](FLASH))
    with open_image(host) as image:
        assert image.kind is Kind.FLASH_IMAGE and image.size == len(FLASH)
        assert image.compression == image.identification.compression != ()
        assert image.read_bytes("main.py") == FILES[b"/main.py"]
        with pytest.raises(ReadOnlyError):
            image.write_bytes("main.py", b"")
    with pytest.raises(DeviceError) as caught:
        open_image(host, "r+")
    assert caught.value.errno == errno.EROFS and caught.value.hint is not None
    assert [*tmp_path.iterdir()] == [host]


def test_compressed_card_is_read(tmp_path: Path) -> None:
    card = make_card(tmp_path / "card.img", 12)
    with open_image(card) as image:
        expected = {entry.path: entry.size for entry in image.scandir(recursive=True)}
    host = tmp_path / "card.img.xz"
    host.write_bytes(lzma.compress(card.read_bytes(), preset=0))
    with open_image(host) as image:
        assert image.kind is Kind.CARD and is_card(image.place, Where())
        assert image.size == card.stat().st_size and not image.torn
        assert {entry.path: entry.size for entry in image.scandir(recursive=True)} == expected


def test_truncated_compressed_dump_is_read_with_a_note(tmp_path: Path) -> None:
    host = tmp_path / "dump.bin.gz"
    host.write_bytes(gzip.compress(FLASH)[:-6])
    with open_image(host) as image:
        assert PACKED_DAMAGE in {note.key for note in image.notes}
        assert image.read_bytes("main.py") == FILES[b"/main.py"]
        assert PACKED_DAMAGE in {found.key for found in image.findings().findings}


def test_truncated_compressed_card_is_found_by_its_examination(tmp_path: Path) -> None:
    card = make_card(tmp_path / "card.img", 12)
    host = tmp_path / "card.img.gz"
    host.write_bytes(gzip.compress(card.read_bytes(), 1)[:-6])
    with open_image(host) as image:
        assert PACKED_DAMAGE in {found.key for found in image.findings().findings}


@pytest.mark.parametrize("front", [b"header", b"\0" * 0x1005])
def test_shifted_dump_is_read_with_a_note(tmp_path: Path, front: bytes) -> None:
    host = tmp_path / "dump.bin"
    host.write_bytes(front + flash_of(MAIXPY, 0x1000000, FILES))
    with open_image(host) as image:
        assert [note.key for note in image.notes] == ["shifted"]
        assert image.notes[0].where == len(front) % 0x1000
        assert image.read_bytes("/flash/main.py") == FILES[b"/main.py"]
        assert image.identification.shift == len(front)
    before = host.read_bytes()
    with pytest.raises(NoFileSystemError):
        open_mounted(host, "r+")
    assert host.read_bytes() == before


def test_fs_of_a_path_without_file_system_raises_missing_error(tmp_path: Path) -> None:
    host = tmp_path / "dump.bin"
    host.write_bytes(FLASH)
    with open_image(host) as image, pytest.raises(MissingError):
        image.fs("/sd")


def test_cut_dump_names_what_is_missing(tmp_path: Path) -> None:
    host = tmp_path / "dump.bin"
    host.write_bytes(flash_of(SMALL, 0x100000, FILES))
    with open_image(host, "r+") as image:
        image.write_bytes("/flash/first", bytes(range(256)) * 1000)
        # The driver writes a header again for a new name: behind the data.
        image.rename("/flash/first", "/flash/large")
    content = host.read_bytes()
    with open_image(host) as image:
        header = image.stat("/flash/large").native.page
    ends = (SMALL.page_address(header), SMALL.page_address(header) + SMALL.page_size)
    for end in ends:
        host.write_bytes(content[: end - end % 0x1000])
        with open_image(host) as image:
            listed = {entry.path: entry for entry in image.scandir(recursive=True)}
            keys = {note.key for note in image.notes}
            assert "cut-short" in keys
            assert ("/flash/large" in listed) is (end == ends[1])
            assert ("nameless" in keys) is (end == ends[0])
    host.write_bytes(content[: SMALL.base + 2 * SMALL.block_size])
    with open_image(host) as image:
        for entry in image.scandir(recursive=True):
            assert entry.is_dir or entry.fault or len(image.read_bytes(entry)) == entry.size
