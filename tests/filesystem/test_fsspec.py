"""The fsspec class: fsspec's suite for implementers on SPIFFS and a card, URLs, transactions."""

from __future__ import annotations

import errno
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.tests import abstract

from golden.extents import unpack_card
from maixfs.board import Board
from maixfs.errors import ImageError, ReadOnlyError, UsageError
from maixfs.fat import Fat, format_volume
from maixfs.filesystem import FileSystem
from maixfs.fsspec import MaixfsFileSystem
from maixfs.host.drives import journal_of
from maixfs.image import source
from maixfs.image.boardlock import BoardBusyError
from maixfs.image.errors import ImageBusyError, UnsoundError
from maixfs.nor import NorChip, make_driver
from maixfs.sd import FileSectors, RamSectors
from maixfs.sd.journal import Journal
from maixfs.sd.mbr import make_mbr, plan_partitions
from maixfs.sd.overlay import Overlay
from maixfs.spiffs import PRESETS, Spiffs
from maixfs.spiffs.geometry import Geometry

SPIFFS = Geometry(size=0x80000, block_size=0x10000, page_size=0x400, name_length=128)
CROSSED = Path(__file__).parents[1] / "data" / "fat" / "x_cross" / "image.ext.gz"
"""A card with a cluster that two files own."""


class Fixtures(abstract.AbstractFixtures):
    """What fsspec's suite needs of an implementation."""

    @pytest.fixture
    def fs_path(self) -> str:
        return "/tests"

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return lambda *parts: "/".join(parts)


class OnSpiffs(Fixtures):
    @pytest.fixture(scope="class")
    @staticmethod
    def fs() -> Iterator[MaixfsFileSystem]:
        flash = make_driver("ideal", NorChip.in_memory(SPIFFS.size))
        Spiffs.format(flash, SPIFFS)
        with Spiffs(flash, SPIFFS) as fs:
            yield MaixfsFileSystem(fs=fs)


class OnCard(Fixtures):
    @pytest.fixture(scope="class")
    @staticmethod
    def fs() -> Iterator[MaixfsFileSystem]:
        card = RamSectors(80 << 11)
        format_volume(card, 0, card.sectors, fat_type=32)
        with Fat(card) as fs:
            yield MaixfsFileSystem(fs=fs)


class TestSpiffsCopy(abstract.AbstractCopyTests, OnSpiffs):
    pass


class TestSpiffsGet(abstract.AbstractGetTests, OnSpiffs):
    pass


class TestSpiffsPut(abstract.AbstractPutTests, OnSpiffs):
    pass


class TestSpiffsOpen(abstract.AbstractOpenTests, OnSpiffs):
    pass


class TestSpiffsPipe(abstract.AbstractPipeTests, OnSpiffs):
    pass


class TestCardCopy(abstract.AbstractCopyTests, OnCard):
    pass


class TestCardGet(abstract.AbstractGetTests, OnCard):
    pass


class TestCardPut(abstract.AbstractPutTests, OnCard):
    pass


class TestCardOpen(abstract.AbstractOpenTests, OnCard):
    pass


class TestCardPipe(abstract.AbstractPipeTests, OnCard):
    pass


class OnFlash(Fixtures):
    """A whole flash of 16 MiB, with the SPIFFS at its place."""

    @pytest.fixture(scope="class")
    @staticmethod
    def fs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MaixfsFileSystem]:
        path = tmp_path_factory.mktemp("flash") / "dump.bin"
        spiffs_image(path, 0xD00000, 0x1000000)
        with MaixfsFileSystem(path, mode="r+") as fs:
            yield fs

    @pytest.fixture
    def fs_path(self) -> str:
        return "/flash/tests"


class OnBoard(Fixtures):
    @pytest.fixture(scope="class")
    @staticmethod
    def fs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MaixfsFileSystem]:
        folder = tmp_path_factory.mktemp("board") / "board"
        Board.create(folder, sd=64 << 20)
        with MaixfsFileSystem(folder, mode="r+") as fs:
            yield fs


class OnBoardFlash(OnBoard):
    @pytest.fixture
    def fs_path(self) -> str:
        return "/flash/tests"


class OnBoardCard(OnBoard):
    @pytest.fixture
    def fs_path(self) -> str:
        return "/sd/tests"


class TestFlashCopy(abstract.AbstractCopyTests, OnFlash):
    pass


class TestFlashGet(abstract.AbstractGetTests, OnFlash):
    pass


class TestFlashPut(abstract.AbstractPutTests, OnFlash):
    pass


class TestFlashOpen(abstract.AbstractOpenTests, OnFlash):
    pass


class TestFlashPipe(abstract.AbstractPipeTests, OnFlash):
    pass


class TestBoardFlashCopy(abstract.AbstractCopyTests, OnBoardFlash):
    pass


class TestBoardFlashGet(abstract.AbstractGetTests, OnBoardFlash):
    pass


class TestBoardFlashPut(abstract.AbstractPutTests, OnBoardFlash):
    pass


class TestBoardFlashOpen(abstract.AbstractOpenTests, OnBoardFlash):
    pass


class TestBoardFlashPipe(abstract.AbstractPipeTests, OnBoardFlash):
    pass


class TestBoardCardCopy(abstract.AbstractCopyTests, OnBoardCard):
    pass


class TestBoardCardGet(abstract.AbstractGetTests, OnBoardCard):
    pass


class TestBoardCardPut(abstract.AbstractPutTests, OnBoardCard):
    pass


class TestBoardCardOpen(abstract.AbstractOpenTests, OnBoardCard):
    pass


class TestBoardCardPipe(abstract.AbstractPipeTests, OnBoardCard):
    pass


def spiffs_image(path: Path, base: int = 0, size: int = 0) -> Geometry:
    """Make a file that holds a SPIFFS area with two files, at ``base`` of ``size`` bytes."""
    geometry = PRESETS["maixpy"] if base else SPIFFS
    with NorChip.create(path, size or geometry.size) as chip:
        flash = make_driver("ideal", chip)
        Spiffs.format(flash, geometry)
        with Spiffs(flash, geometry) as fs:
            fs.write_text("/main.py", "print(1)\n")
            fs.write_bytes("/lib/a.bin", b"a" * 5000)
    return geometry


def card_image(path: Path) -> None:
    """Make a card with two volumes, each with one file."""
    half = 40 << 11
    with FileSectors.create(path, 2 * half + 4096) as card:
        partitions = plan_partitions(card.sectors, [half, half])
        card.write(0, make_mbr(partitions))
        for number, partition in enumerate(partitions):
            format_volume(card, partition.start, partition.sectors)
            with Fat(card, partition.start) as fs:
                fs.write_text("/which.txt", f"volume {number}")


def test_url_reads_file_of_flash_dump(tmp_path: Path) -> None:
    spiffs_image(tmp_path / "dump.bin", 0xD00000, 0x1000000)
    with fsspec.open(f"maixfs://flash/main.py::file://{tmp_path}/dump.bin") as file:
        assert file.read() == b"print(1)\n"


def test_image_of_spiffs_can_be_changed_and_is_released(tmp_path: Path) -> None:
    spiffs_image(tmp_path / "s.img")
    with MaixfsFileSystem(str(tmp_path / "s.img"), mode="r+") as fs:
        assert fs.ls("/", detail=False) == ["/flash"]
        assert sorted(fs.find("/")) == ["/flash/lib/a.bin", "/flash/main.py"]
        fs.pipe("/flash/new", b"new")
        fs.mv("/flash/main.py", "/flash/lib")
    with MaixfsFileSystem(str(tmp_path / "s.img")) as fs:
        assert fs.cat("/flash/new") == b"new"
        assert fs.cat("/flash/lib/main.py") == b"print(1)\n"
        with pytest.raises(ReadOnlyError):
            fs.pipe("/flash/new", b"more")


def test_card_shows_each_volume_under_its_mount_point(tmp_path: Path) -> None:
    card_image(tmp_path / "card.img")
    with MaixfsFileSystem(str(tmp_path / "card.img"), mode="r+") as fs:
        assert fs.ls("", detail=False) == ["/sd", "/sd2"]
        assert fs.cat("/sd2/which.txt") == b"volume 1"
        fs.cp("/sd2/which.txt", "/sd/copied.txt")
        assert fs.info("/sd/copied.txt")["size"] == 8
        assert fs.modified("/sd/copied.txt").year >= 2024
    with FileSectors.open(tmp_path / "card.img") as card:
        assert MaixfsFileSystem(fs=Fat(card, 2048)).isfile("/copied.txt")


def test_image_behind_another_protocol_is_fetched_and_read_only(tmp_path: Path) -> None:
    spiffs_image(tmp_path / "s.img")
    fsspec.filesystem("memory").pipe("/s.img", (tmp_path / "s.img").read_bytes())
    with fsspec.open("maixfs://flash/main.py::memory://s.img", "r") as file:
        assert file.read() == "print(1)\n"
    with pytest.raises(UsageError):
        MaixfsFileSystem("s.img", mode="r+", target_protocol="memory")
    fsspec.filesystem("memory").rm("/s.img")


def test_transaction_writes_when_it_ends_and_not_after_an_error(tmp_path: Path) -> None:
    spiffs_image(tmp_path / "s.img")
    with MaixfsFileSystem(str(tmp_path / "s.img"), mode="r+") as fs:
        with fs.transaction:
            fs.pipe("/flash/in", b"in")
            assert not fs.exists("/flash/in")
        assert fs.cat("/flash/in") == b"in"
        with pytest.raises(ZeroDivisionError), fs.transaction:
            fs.pipe("/flash/out", b"out")
            raise ZeroDivisionError
        assert not fs.exists("/flash/out")


def test_image_without_a_volume_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "blank.bin").write_bytes(b"\xff" * 0x10000)
    with pytest.raises(ImageError):
        MaixfsFileSystem(str(tmp_path / "blank.bin"), mode="r+")
    assert (tmp_path / "blank.bin").read_bytes() == b"\xff" * 0x10000


@pytest.mark.parametrize("arguments", [{}, {"fo": "x", "fs": object()}, {"fo": "x", "mode": "w"}])
def test_wrong_arguments_are_a_usage_error(arguments: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        MaixfsFileSystem(**arguments)


def test_second_writer_of_an_image_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PATIENCE", 0.0)
    card_image(tmp_path / "card.img")
    spiffs_image(tmp_path / "s.img")
    for name, folder, busy in (
        ("card.img", "sd", BoardBusyError),
        ("s.img", "flash", ImageBusyError),
    ):
        path = str(tmp_path / name)
        with MaixfsFileSystem(path, mode="r+") as fs:
            with pytest.raises(busy):
                MaixfsFileSystem(path, mode="r+")
            fs.pipe(f"/{folder}/a", b"a")
            with MaixfsFileSystem(path) as reader:
                assert not reader.exists(f"/{folder}/a")
        with MaixfsFileSystem(path) as one, MaixfsFileSystem(path) as other:
            assert one.cat(f"/{folder}/a") == other.cat(f"/{folder}/a") == b"a"


def test_reader_of_a_card_sees_what_was_committed_since(tmp_path: Path) -> None:
    card_image(tmp_path / "card.img")
    path = str(tmp_path / "card.img")
    with MaixfsFileSystem(path) as reader:
        assert not reader.exists("/sd/a")
        with MaixfsFileSystem(path, mode="r+") as fs:
            fs.pipe("/sd/a", b"a")
            fs.pipe("/sd2/a", b"b")
        assert reader.cat("/sd/a") + reader.cat("/sd2/a") == b"ab"


def test_exception_in_a_with_block_discards_the_changes(tmp_path: Path) -> None:
    spiffs_image(tmp_path / "s.img")
    before = (tmp_path / "s.img").read_bytes()
    with (
        pytest.raises(ZeroDivisionError),
        MaixfsFileSystem(tmp_path / "s.img", mode="r+") as fs,
    ):
        fs.pipe("/flash/a", b"a")
        raise ZeroDivisionError
    assert (tmp_path / "s.img").read_bytes() == before


def test_failed_end_of_a_transaction_stores_nothing(tmp_path: Path) -> None:
    spiffs_image(tmp_path / "s.img")
    with MaixfsFileSystem(tmp_path / "s.img", mode="r+") as fs:
        with pytest.raises(OSError) as caught, fs.transaction:
            fs.pipe("/flash/small", b"a")
            fs.pipe("/flash/huge", bytes(SPIFFS.size))
        assert caught.value.errno == errno.ENOSPC
        assert not fs.exists("/flash/small")
        assert fs.cat("/flash/main.py") == b"print(1)\n"


@pytest.mark.parametrize("change", ["pipe", "touch", "rm", "mkdir", "rmdir", "mv", "cp"])
def test_card_with_shared_clusters_is_not_changed(change: str, tmp_path: Path) -> None:
    card = tmp_path / "card.img"
    unpack_card(CROSSED, card)
    before = card.read_bytes()
    changes: dict[str, Callable[[MaixfsFileSystem], object]] = {
        "pipe": lambda fs: fs.pipe("/sd/NEW", b"new"),
        "touch": lambda fs: fs.touch("/sd/NEW"),
        "rm": lambda fs: fs.rm("/sd/A.BIN"),
        "mkdir": lambda fs: fs.mkdir("/sd/NEW"),
        "rmdir": lambda fs: fs.rmdir("/sd/NEW"),
        "mv": lambda fs: fs.mv("/sd/A.BIN", "/sd/B"),
        "cp": lambda fs: fs.cp_file("/sd/A.BIN", "/sd/B"),
    }
    with MaixfsFileSystem(card, mode="r+") as fs, pytest.raises(UnsoundError):
        changes[change](fs)
    assert card.read_bytes() == before


def test_partition_of_a_card_is_the_only_one_shown(tmp_path: Path) -> None:
    card_image(tmp_path / "card.img")
    with MaixfsFileSystem(f"{tmp_path}/card.img@2") as fs:
        assert fs.ls("/", detail=False) == ["/sd2"]
        assert fs.cat("/sd2/which.txt") == b"volume 1"


def test_board_shows_flash_and_card(tmp_path: Path) -> None:
    Board.create(tmp_path / "board", sd=64 << 20)
    with MaixfsFileSystem(tmp_path / "board", mode="r+") as fs:
        assert fs.ls("/", detail=False) == ["/flash", "/sd"]
        fs.pipe({"/flash/a": b"a", "/sd/b": b"b"})
        fs.mv("/flash/a", "/sd/a")
    with Board.open(tmp_path / "board") as board:
        assert {"a", "b"} <= set(board.uos.listdir("/sd"))


def test_flash_of_a_running_board_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PATIENCE", 0.0)
    Board.create(tmp_path / "board")
    image = str(tmp_path / "board" / "flash.bin")
    with Board.open(tmp_path / "board"), pytest.raises(BoardBusyError):
        MaixfsFileSystem(image, mode="r+")
    with MaixfsFileSystem(image, mode="r+") as fs:
        fs.pipe("/flash/new", b"new")
    with Board.open(tmp_path / "board") as board:
        assert "new" in board.uos.listdir("/flash")


def test_card_with_a_pending_journal_is_read_as_finished_and_finished_before_a_write(
    tmp_path: Path,
) -> None:
    card_image(tmp_path / "card.img")
    path = tmp_path / "card.img"
    with FileSectors.open(path) as below:
        changed = Overlay(below)
        with Fat(changed, 2048) as fs:
            fs.write_text("/which.txt", "changed")
        journal = Journal(path)
        journal.write(changed, below, list(changed.runs()), None)
        journal.leave()
    with MaixfsFileSystem(str(path)) as images:
        assert images.cat("/sd/which.txt") == b"changed"
    assert journal_of(path).exists()
    with MaixfsFileSystem(str(path), mode="r+") as images:
        assert images.cat("/sd/which.txt") == b"changed"
    assert not journal_of(path).exists()


@pytest.fixture
def image(fs: FileSystem[Any]) -> MaixfsFileSystem:
    """Return each kind of file system as fsspec sees it."""
    return MaixfsFileSystem(fs=fs)


def test_copy_of_a_file_onto_itself_keeps_it(image: MaixfsFileSystem) -> None:
    image.pipe("/a", b"a" * 5000)
    image.cp_file("/a", "/a")
    image.cp("/a", "/a")
    assert image.cat("/a") == b"a" * 5000


def test_end_and_blocks_of_a_file_are_found(image: MaixfsFileSystem) -> None:
    image.pipe("/a", b"one\ntwo\nthree\n")
    assert image.cat_file("/a", start=-6) == b"three\n"
    assert image.cat_file("/a", start=4, end=-6) == b"two\n"
    assert image.read_block("/a", 1, 5, delimiter=b"\n") == b"two\n"
    assert image.read_block("/a", 4, None) == b"two\nthree\n"


def test_update_in_a_transaction_is_written_at_once(image: MaixfsFileSystem) -> None:
    image.pipe("/a", b"old content")
    with image.transaction, image.open("/a", "r+b") as file:
        file.write(b"new")
    assert image.cat("/a") == b"new content"


def test_file_left_open_in_a_transaction_is_stored(image: MaixfsFileSystem) -> None:
    with image.transaction:
        file = image.open("/a", "wb")
        file.write(b"content")
    assert image.cat("/a") == b"content"
    assert file.closed


def test_move_of_a_pattern_moves_every_match(image: MaixfsFileSystem) -> None:
    image.pipe({"/a1": b"1", "/a2": b"2", "/b1": b"3"})
    image.makedirs("/into", exist_ok=True)
    image.mv("/a?", "/into/")
    assert image.cat("/into/a1") == b"1"
    assert image.cat("/into/a2") == b"2"
    assert image.exists("/b1")
    assert not image.exists("/a1")


def test_root_of_an_image_exists_already(tmp_path: Path) -> None:
    card_image(tmp_path / "card.img")
    with MaixfsFileSystem(str(tmp_path / "card.img"), mode="r+") as fs:
        fs.makedirs("/", exist_ok=True)
        with pytest.raises(FileExistsError):
            fs.makedirs("/")


def test_appends_to_one_file_in_a_transaction_add_up(image: MaixfsFileSystem) -> None:
    image.pipe("/a", b"old")
    with image.transaction:
        for data in (b"1", b"2"):
            with image.open("/a", "ab") as file:
                file.seek(0)
                file.write(data)
        with image.open("/new", "wb") as file:
            file.write(b"1")
        with image.open("/new", "ab") as file:
            file.write(b"2")
        with pytest.raises(FileExistsError):
            image.open("/new", "xb")
    assert image.cat("/a") == b"old12"
    assert image.cat("/new") == b"12"


def test_transaction_given_up_leaves_no_folder(image: MaixfsFileSystem) -> None:
    image.transaction.start()
    image.open("/new/folder/x", "wb").close()
    image.transaction.complete(commit=False)
    assert not image.exists("/new")


def test_image_of_a_dropped_file_system_is_released(tmp_path: Path) -> None:
    card_image(tmp_path / "card.img")
    path = str(tmp_path / "card.img")
    MaixfsFileSystem(path, mode="r+").pipe("/sd/a", b"a")
    with fsspec.open(f"maixfs://sd/a::file://{path}", "rb") as file:
        gc.collect()
        assert file.read() == b"a"
    del file
    gc.collect()
    stream = MaixfsFileSystem(path, mode="r+").open("/sd/b", "wb")
    gc.collect()
    stream.write(b"b")
    stream.close()
    del stream
    gc.collect()
    with MaixfsFileSystem(path, mode="r+") as fs:
        assert fs.cat("/sd/b") == b"b"


def test_close_writes_what_a_text_stream_holds(tmp_path: Path) -> None:
    card_image(tmp_path / "card.img")
    fs = MaixfsFileSystem(str(tmp_path / "card.img"), mode="r+")
    stream = fs.open("/sd/open", "w")
    stream.write("unclosed")
    fs.close()
    assert stream.closed
    with MaixfsFileSystem(str(tmp_path / "card.img")) as again:
        assert again.cat("/sd/open") == b"unclosed"


def test_move_makes_the_folders_of_its_target(image: MaixfsFileSystem) -> None:
    image.pipe("/x", b"x")
    image.mv("/x", "/new/y")
    assert image.cat("/new/y") == b"x"
    with pytest.raises(FileNotFoundError):
        image.mv("/missing", "/other/y")
    assert not image.exists("/other")


def test_touch_keeps_the_file_if_it_is_told_to(image: MaixfsFileSystem) -> None:
    image.touch("/a", truncate=False)
    image.pipe("/a", b"a")
    image.touch("/a", truncate=False)
    assert image.cat("/a") == b"a"
    image.touch("/a")
    assert image.cat("/a") == b""
