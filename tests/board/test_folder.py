"""The folder of a board: creation, configuration, files and lock."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from board.desk import SMALL, SMALL_FLASH, Desk
from maixfs.board import Board, BoardBusyError, BoardConfig, BoardConfigError, BoardError
from maixfs.errors import MaixfsError
from maixfs.host.locks import FileLock, holder_of
from maixfs.image.boardlock import LOCK_NAME, BoardLock
from maixfs.image.sdconfig import SdConfig
from maixfs.nor import NorError
from maixfs.nor.chip import MAX_SIZE
from maixfs.nor.parts import parts
from maixfs.spiffs import PRESETS

# board.toml


def test_new_board_has_the_default_configuration(tmp_path: Path) -> None:
    config = Board.create(tmp_path / "b")
    assert BoardConfig.load(tmp_path / "b") == config
    assert (config.flash_size, config.driver, config.geometry) == (
        0x1000000,
        "maixpy",
        PRESETS["maixpy"],
    )
    text = (tmp_path / "b" / "board.toml").read_text(encoding="utf-8")
    assert 'preset = "maixpy"' in text
    assert "format = 1" in text
    assert config.unique_id != Board.create(tmp_path / "c").unique_id


def test_loading_the_configuration_takes_no_lock(desk: Desk) -> None:
    before = sorted(desk.folder.iterdir())
    BoardConfig.load(desk.folder)
    assert sorted(desk.folder.iterdir()) == before


CONFIGS = st.builds(
    BoardConfig,
    part=st.sampled_from([part.name for part in parts()]),
    flash_size=st.sampled_from([0x1000000, 0x2000000]),
    driver=st.sampled_from(["maixpy", "literal", "ideal"]),
    profile=st.sampled_from(["maixpy", "modern"]),
    geometry=st.sampled_from(
        [*PRESETS.values(), SMALL, replace(SMALL, meta_length=4, use_magic=False)]
    ),
    cpu_hz=st.integers(1, 10**9),
    unique_id=st.binary(min_size=32, max_size=32),
    sd=st.builds(
        SdConfig,
        image=st.none() | st.sampled_from(["sd.img", "/dev/sdz", "../cards/my card.img"]),
        read_only=st.booleans(),
        kind=st.sampled_from([None, "SDSC v1", "SDXC"]),
        mount_all=st.booleans(),
        fat_dates=st.sampled_from(["right", "firmware"]),
    ),
)


@given(CONFIGS)
def test_saved_configuration_is_loaded_equal(config: BoardConfig) -> None:
    assert BoardConfig.parse(config.dump()) == config


def test_missing_keys_have_the_values_of_maixpy() -> None:
    assert BoardConfig.parse("format = 1") == BoardConfig()


def test_preset_fields_can_be_changed() -> None:
    text = 'format = 1\n[spiffs]\npreset = "esp-idf"\nbase = 0x10000\n'
    assert BoardConfig.parse(text).geometry == replace(PRESETS["esp-idf"], base=0x10000)


WRONG = {
    "no TOML": ("format = ", "not TOML: Invalid value"),
    "nothing": ("", "format is missing"),
    "no format": ('profile = "maixpy"', "format is missing"),
    "from the future": ("format = 2", "format is 2, this program reads up to 1"),
    "format 0": ("format = 0", "format is 0"),
    "format as text": ('format = "1"', "format is '1'"),
    "unknown key": ("format = 1\ncolour = 3", "colour is no key of a board"),
    "unknown key below": ("format = 1\n[flash]\nsise = 3", "flash.sise is no key of a board"),
    "unknown table": ("format = 1\n[tape]\n", "tape is no key"),
    "unknown card key": ("format = 1\n[sd]\nimages = 3", "sd.images is no key of a board"),
    "card as number": ("format = 1\n[sd]\nimage = 3", "sd.image is 3"),
    "card of no name": ('format = 1\n[sd]\nimage = ""', "sd.image is ''"),
    "read-only as number": ("format = 1\n[sd]\nread_only = 1", "sd.read_only is 1"),
    "mounts as text": ('format = 1\n[sd]\nmount_all = "yes"', "sd.mount_all is 'yes'"),
    "unknown kind": ('format = 1\n[sd]\nkind = "CF"', "sd.kind is 'CF'"),
    "unknown dates": ('format = 1\n[sd]\nfat_dates = "x"', "sd.fat_dates is 'x'"),
    "unknown geometry key": ("format = 1\n[spiffs]\nblocks = 3", "spiffs.blocks is no key"),
    "table as number": ("format = 1\nflash = 3", "flash is 3"),
    "size as text": ('format = 1\n[flash]\nsize = "16M"', "flash.size is '16M'"),
    "size as truth": ("format = 1\n[flash]\nsize = true", "flash.size is True"),
    "size as fraction": ("format = 1\n[flash]\nsize = 1.5", "flash.size is 1.5"),
    "negative size": ("format = 1\n[flash]\nsize = -4096", "flash.size is -4096"),
    "odd size": ("format = 1\n[flash]\nsize = 16777217", "flash.size is 16777217"),
    "huge size": ("format = 1\n[flash]\nsize = 4398046511104", "flash.size is 4398046511104"),
    "unknown part": ('format = 1\n[flash]\npart = "X1"', "flash.part: no flash chip called 'X1'"),
    "unknown driver": ('format = 1\n[flash]\ndriver = "x"', "flash.driver is 'x'"),
    "unknown profile": ('format = 1\nprofile = "x"', "profile: .*'x'"),
    "unknown preset": ('format = 1\n[spiffs]\npreset = "x"', "spiffs.preset is 'x'"),
    "geometry nonsense": ("format = 1\n[spiffs]\npage_size = 3", "spiffs: page size 3"),
    "geometry of nothing": ("format = 1\n[spiffs]\nsize = 0", "spiffs "),
    "area past the chip": ("format = 1\n[flash]\nsize = 8388608", "spiffs reaches to 0x1000000"),
    "no clock": ("format = 1\ncpu_hz = 0", "cpu_hz is 0"),
    "id that is no hex": ('format = 1\nunique_id = "zz"', "unique_id is 'zz'"),
    "short id": ('format = 1\nunique_id = "00"', "unique_id has 1 bytes"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_board_toml_is_reported_in_one_line(desk: Desk, text: str, message: str) -> None:
    path = desk.folder / "board.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BoardConfigError, match=message) as caught:
        Board.open(desk.folder)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(
    "text",
    [
        f"format = {'9' * 5_000}",
        f"format = 0x{'F' * 5_000}",
        f"format = 1\ncpu_hz = 0x{'F' * 5_000}",
        f"format = 1\ncpu_hz = [0x{'F' * 5_000}]",
        f"format = {'[' * 3_000}{']' * 3_000}",
        f"format = 1\nwhat = {'{a=' * 3_000}1{'}' * 3_000}",
        f"format = 1\ncpu_hz = {'[' * 200}{']' * 200}",
        f"format = 1\n{'a.' * 3_000}b = 1",
        f"[{'a.' * 3_000}b]",
    ],
    ids=["digits", "hex", "hz", "list", "nested", "tables", "shallow", "dotted", "header"],
)
def test_board_toml_beyond_the_limits_of_python_is_refused(desk: Desk, text: str) -> None:
    (desk.folder / "board.toml").write_text(text)
    with pytest.raises(BoardConfigError) as caught:
        BoardConfig.load(desk.folder)
    assert len(str(caught.value)) < 400


def test_board_toml_without_end_is_refused(desk: Desk) -> None:
    (desk.folder / "board.toml").write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(BoardError):
        BoardConfig.load(desk.folder)


def test_dump_larger_than_any_chip_is_refused(tmp_path: Path) -> None:
    dump = tmp_path / "dump.bin"
    with dump.open("wb") as file:
        file.truncate(MAX_SIZE + 1)
    with pytest.raises(BoardError, match="256 MiB"):
        Board.create(tmp_path / "b", from_dump=dump)
    assert not Board.exists(tmp_path / "b")


def test_full_disk_stops_a_board_before_anything_runs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    monkeypatch.setattr("maixfs.host.mapped._BLOCK_UNIT", 0)  # as if all files had holes
    flash = (desk.folder / "flash.bin").read_bytes()
    with pytest.raises(BoardError) as caught:
        Board.open(desk.folder)
    assert isinstance(caught.value.__cause__, NorError)
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert (desk.folder / "flash.bin").read_bytes() == flash


def test_board_toml_that_is_not_text_is_refused(desk: Desk) -> None:
    (desk.folder / "board.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BoardConfigError, match="is no text"):
        Board.open(desk.folder)


@given(st.binary(max_size=60))
def test_random_board_toml_raises_only_board_error(junk: bytes) -> None:
    try:
        BoardConfig.parse("format = 1\n" + junk.decode("latin-1"))
    except BoardConfigError as error:
        assert str(error)


@pytest.mark.parametrize("missing", ["no folder", "no board.toml", "a folder instead"])
def test_folder_without_board_toml_is_board_error(tmp_path: Path, missing: str) -> None:
    folder = tmp_path / "b"
    if missing != "no folder":
        folder.mkdir()
    if missing == "a folder instead":
        (folder / "board.toml").mkdir()
    with pytest.raises(BoardError, match=re.escape(str(folder))) as caught:
        Board.open(folder)
    assert not isinstance(caught.value, BoardConfigError)
    assert not Board.exists(folder)


# flash.bin


def test_missing_flash_bin_is_board_error(desk: Desk) -> None:
    (desk.folder / "flash.bin").unlink()
    with pytest.raises(BoardError, match=r"flash.bin does not exist"):
        Board.open(desk.folder)


@pytest.mark.parametrize("size", [0, 1, 4096, SMALL_FLASH - 1, SMALL_FLASH + 4096])
def test_flash_bin_of_another_size_is_board_error(desk: Desk, size: int) -> None:
    path = desk.folder / "flash.bin"
    with path.open("r+b") as stream:
        stream.truncate(size)
    with pytest.raises(BoardError, match=r"flash\.bin (is empty|has \d+ bytes, the chip has)"):
        Board.open(desk.folder)
    assert path.stat().st_size == size


def test_write_protected_flash_bin_is_board_error(desk: Desk) -> None:
    path = desk.folder / "flash.bin"
    before = path.read_bytes()
    path.chmod(stat.S_IREAD)
    try:
        with pytest.raises(BoardError, match=r"flash\.bin is write-protected"):
            Board.open(desk.folder)
    finally:
        path.chmod(stat.S_IREAD | stat.S_IWRITE)
    assert path.read_bytes() == before


def test_foreign_wear_bin_is_board_error(desk: Desk) -> None:
    (desk.folder / "wear.bin").write_bytes(b"something else")
    with pytest.raises(BoardError, match=r"wear\.bin"):
        Board.open(desk.folder)


def test_missing_wear_bin_is_created(desk: Desk) -> None:
    (desk.folder / "wear.bin").unlink()
    desk.run("")
    assert (desk.folder / "wear.bin").exists()


def test_flash_bin_removed_from_a_running_board_is_reported(desk: Desk) -> None:
    with pytest.raises(MaixfsError, match=r"flash\.bin"), desk.on() as board:
        (desk.folder / "flash.bin").unlink()
        board.run("open('f', 'w').close()")
    assert holder_of(desk.folder / LOCK_NAME) is None


def test_unknown_driver_is_nor_error(desk: Desk) -> None:
    with pytest.raises(NorError, match="no flash driver called 'x'"):
        Board.open(desk.folder, driver="x")


# Creation


def test_existing_board_is_not_overwritten(desk: Desk) -> None:
    before = (desk.folder / "board.toml").read_bytes()
    with pytest.raises(BoardError, match="exists already"):
        desk.create()
    assert (desk.folder / "board.toml").read_bytes() == before
    for name in ("board.toml", "board.lock"):
        (desk.folder / name).unlink()
    names = sorted(desk.folder.iterdir())
    with pytest.raises(BoardError, match=r"flash\.bin exists already"):
        desk.create()
    assert sorted(desk.folder.iterdir()) == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"part": "X1"}, "no flash chip called 'X1'"),
        ({"driver": "x"}, "flash.driver is 'x'"),
        ({"flash_size": 0x800000, "geometry": PRESETS["maixpy"]}, "spiffs reaches to 0x1000000"),
        ({"flash_size": 5000}, "flash.size is 5000"),
        ({"from_dump": "none.bin"}, "none.bin does not exist"),
    ],
)
def test_impossible_board_leaves_no_folder(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    desk = Desk(tmp_path / "board")
    with pytest.raises(MaixfsError, match=message):
        desk.create(**options)
    assert not desk.folder.exists()


def test_failed_creation_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise BoardError("no room")

    monkeypatch.setattr(BoardConfig, "save", full)
    desk = Desk(tmp_path / "board")
    with pytest.raises(BoardError, match="no room"):
        desk.create()
    assert not desk.folder.exists()


MAKE = """
import os, sys
from pathlib import Path
from maixfs.board import Board
steps = 0
for place, name in ((Path, "replace"), (os, "link"), (os, "fsync")):
    def step(path, *rest, real=getattr(place, name), **more):
        global steps
        steps += 1
        if steps > int(sys.argv[2]):
            os._exit(9)
        return real(path, *rest, **more)
    setattr(place, name, step)
Board.create(sys.argv[1], flash_size=0x300000 + 0xD00000)
"""


def test_killed_creation_can_be_repeated(tmp_path: Path) -> None:
    for steps in range(20):
        folder = tmp_path / f"board{steps}"
        line = [sys.executable, "-c", MAKE, str(folder), str(steps)]
        if not subprocess.run(line, check=False).returncode:
            break
        if Board.exists(folder):  # killed between board.toml and the sync of its folder
            BoardConfig.load(folder).save(folder)
        else:
            Board.create(folder)
        names = {"board.lock", "board.toml", "flash.bin", "wear.bin"}
        assert {path.name for path in folder.iterdir()} == names
        assert Board.open(folder).run("print(1)").exit_code == 0
        shutil.rmtree(folder)
    assert 9 < steps < 20


def test_creation_in_progress_is_not_disturbed(tmp_path: Path) -> None:
    folder = tmp_path / "board"
    folder.mkdir()
    BoardConfig().save_draft(folder)
    (folder / "flash.bin").write_bytes(b"being written")
    with BoardLock(folder), pytest.raises(BoardBusyError):
        Board.create(folder)
    assert (folder / "flash.bin").read_bytes() == b"being written"


def test_dump_larger_than_its_chip_is_board_error(tmp_path: Path) -> None:
    dump = tmp_path / "dump.bin"
    dump.write_bytes(bytes(SMALL_FLASH + 1))
    with pytest.raises(MaixfsError, match="do not fit"):
        Desk(tmp_path / "board").create(from_dump=dump)


def test_chip_of_8_mib_is_chosen_by_size(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "board")
    desk.create(flash_size=0x800000)
    assert desk.run("print(1)").out == "1\n"
    assert desk.folder.joinpath("flash.bin").stat().st_size == 0x800000


def test_part_sets_the_flash_size(tmp_path: Path) -> None:
    part = parts()[0]
    config = Board.create(tmp_path / "b", part=part.name, geometry=replace(SMALL, base=0))
    assert config.flash_size == part.size


# One at a time

HOLD = """
import sys
from maixfs.board import Board
with Board.open(sys.argv[1]) as board:
    print("on", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(desk: Desk) -> Any:
    """Run another process that has the board powered on."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(desk.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"on"
        yield process
        process.kill()


def test_second_process_is_refused_with_the_pid_of_the_first(desk: Desk, other: Any) -> None:
    before = (desk.folder / "flash.bin").read_bytes()
    with pytest.raises(BoardBusyError, match=f"powered on by process {other.pid}") as caught:
        Board.open(desk.folder)
    assert caught.value.pid == other.pid
    assert (desk.folder / "flash.bin").read_bytes() == before
    other.communicate(b"")
    assert desk.run("print('free')").out == "free\n"


def test_holder_query_does_not_take_the_lock(desk: Desk) -> None:
    asking = FileLock(desk.folder / LOCK_NAME, shared=os.name != "nt").acquire()
    threading.Timer(0.03, asking.release).start()
    assert desk.run("print('on')").out == "on\n"


def test_ctrl_c_during_power_off_leaves_no_pid(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.ftruncate

    def press(handle: int, size: int) -> None:
        monkeypatch.undo()
        signal.raise_signal(signal.SIGINT)
        real(handle, size)

    with pytest.raises(KeyboardInterrupt), desk.on():
        monkeypatch.setattr(os, "ftruncate", press)
    assert holder_of(desk.folder / LOCK_NAME) is None
    assert desk.run("print('free')").out == "free\n"


@pytest.mark.skipif(os.name == "nt", reason="no process dies by signal there")
def test_lock_of_a_dead_process_is_taken_over(desk: Desk, other: Any) -> None:
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert holder_of(desk.folder / LOCK_NAME) == other.pid
    assert desk.run("print('free')").out == "free\n"


BUSY = """
import sys
from maixfs.board import Board
script = '''
open('f', 'wb').close()
print('on')
while True:
  with open('f', 'wb') as f: f.write(bytes(9000))
'''
with Board.open(sys.argv[1]) as board:
    code = board.run(script).exit_code
sys.exit(code)
"""


@pytest.mark.skipif(os.name == "nt", reason="no signal goes to one process there")
def test_ctrl_c_from_another_process_leaves_a_sound_board(desk: Desk) -> None:
    line = [sys.executable, "-u", "-c", BUSY, str(desk.folder)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"on\n"
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read().decode()
    assert process.returncode == 130
    assert rest.startswith("Traceback (most recent call last):\n")
    assert rest.endswith("\nKeyboardInterrupt: \n")
    assert desk.run("import uos\nprint(uos.stat('f')[6] <= 9000)").out == "True\n"


@pytest.mark.parametrize("name", ["write_text", "unlink"])
def test_unwritable_pid_does_not_stop_the_board(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, name, refused)
    assert desk.run("print('on')").out == "on\n"
    assert desk.run("print('again')").out == "again\n"
    with desk.on(), pytest.raises(BoardBusyError, match=r"powered on by (process|another)"):
        Board.open(desk.folder)


def test_lock_can_be_released_by_another_thread(desk: Desk) -> None:
    lock = BoardLock(desk.folder)
    thread = threading.Thread(target=lock.__enter__)
    thread.start()
    thread.join()
    lock.__exit__(None, None, None)
    assert desk.run("print('free')").out == "free\n"


def test_second_open_in_one_process_is_refused(desk: Desk) -> None:
    with desk.on() as board:
        with pytest.raises(BoardBusyError, match=rf"process {os.getpid()} \(this one\)"):
            Board.open(desk.folder)
        assert board.run("print(1)").exit_code == 0
    assert holder_of(desk.folder / LOCK_NAME) is None


def test_failed_start_releases_the_board(desk: Desk) -> None:
    with pytest.raises(NorError):
        Board.open(desk.folder, driver="x")
    assert desk.run("print('free')").out == "free\n"
