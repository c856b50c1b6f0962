"""What MaixPy's SPIFFS does that other drivers do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from maixfs.spiffs import PRESETS, Code, Geometry, OpenFlag
from maixfs.spiffs.errors import spiffs_error
from maixfs.vfs import Area, Errno, Vfs, VfsError, VfsSpiffs
from vfs.drivers import spiffs_area

WORD = 1 << 64
GEOMETRY = PRESETS["maixpy"]


class Board:
    """A SPIFFS at /flash, and what the driver said."""

    def __init__(self, area: Area | None = None) -> None:
        self.area = area or spiffs_area(GEOMETRY)
        self.quirks: list[tuple[str, str]] = []
        self.messages: list[str] = []
        self.driver = VfsSpiffs(
            self.area.mount(),
            lambda key, sentence: self.quirks.append((key, sentence)),
            on_message=self.messages.append,
        )
        self.vfs = Vfs()
        self.vfs.attach(self.driver, "/flash")
        self.vfs.chdir("/flash")

    def write(self, name: str, text: str) -> None:
        with self.vfs.open(name, "w") as file:
            file.write(text)

    def read(self, name: str) -> str:
        with self.vfs.open(name) as file:
            text: str = file.read()
        return text

    def store(self, name: bytes) -> None:
        """Make a file with exactly this name on flash."""
        self.driver.fs.open_descriptor(name, OpenFlag.CREAT).close()

    def fill(self) -> None:
        """Use up all room."""
        with self.vfs.open("filler", "wb") as file:
            for size in (64 * 1024, 4096, 2048, 1):
                with pytest.raises(VfsError):
                    for _ in range(1000):
                        file.write(bytes(size))
                        file.flush()

    def told(self) -> list[str]:
        return [key for key, _ in self.quirks]


@pytest.fixture
def board() -> Board:
    return Board()


def errno_of(call: Callable[..., Any], *arguments: Any) -> int:
    with pytest.raises(VfsError) as caught:
        call(*arguments)
    return caught.value.errno


# Names and listings


@pytest.mark.parametrize("path", ["x", "./x", "/flash/x", "/flash/./x", b"x", b"/flash/x"])
def test_names_are_stored_with_one_slash(board: Board, path: Any) -> None:
    board.write(path, "data")
    stored = [entry.name for entry in board.driver.fs.scandir()]
    assert stored == (["/./x"] if path == "/flash/./x" else ["/x"])
    assert board.read(path) == "data"


def test_any_path_lists_everything(board: Board) -> None:
    board.write("a", "1")
    board.write("dir/b", "22")
    for path in ("/flash", "/flash/nowhere", "dir", "", "/flash/a"):
        assert board.vfs.listdir(path) == ["a", "dir/b"]


def test_listing_skips_names_without_a_slash_and_strips_all_slashes(board: Board) -> None:
    for name in (b"plain", b"//double", b"/", b"/caf\xe9"):
        board.store(name)
    assert board.vfs.listdir() == ["double", "", "caf\udce9"]
    assert board.vfs.listdir(b"") == [b"double", b"", b"caf\xe9"]
    assert board.vfs.stat(b"caf\xe9")[6] == 0


def test_listing_ends_at_an_empty_name(board: Board) -> None:
    for name in (b"/before", b"", b"/after"):
        board.store(name)
    assert board.vfs.listdir() == ["before"]


def test_listing_of_an_unmounted_volume(board: Board) -> None:
    listing = board.vfs.ilistdir()
    board.write("a", "1")
    board.driver.fs.unmount()
    assert list(listing) in ([], [("a", 0x8000, 0, 1)])
    assert errno_of(board.vfs.ilistdir) == Errno.ENOTDIR
    assert errno_of(board.vfs.stat, "a") == Errno.ENOEXEC
    assert errno_of(board.vfs.statvfs, "a") == Errno.ENOEXEC
    assert errno_of(board.vfs.remove, "a") == Errno.ENOEXEC
    assert errno_of(board.vfs.open, "a") == Errno.ENOENT
    assert board.vfs.import_stat("a").name == "NONE"


@pytest.mark.parametrize("path", ["/flash", "/flash/", "", "./", "./nowhere", "/flash/a/.."])
def test_what_stat_takes_for_the_root(board: Board, path: str) -> None:
    if path == "/flash/a/..":
        assert errno_of(board.vfs.stat, path) == Errno.ENOENT
    else:
        assert board.vfs.stat(path) == (0x4000,) + (0,) * 9


def test_statvfs_of_an_empty_area(board: Board) -> None:
    assert board.vfs.statvfs("/flash") == (131072, 131072, 21, 21, 21, 0, 0, 0, 0, 128)
    assert board.vfs.statvfs("/flash/nowhere") == board.vfs.statvfs("/flash")


def test_names_have_at_most_127_bytes(board: Board) -> None:
    board.write("n" * 126, "fits")
    assert errno_of(board.vfs.open, "n" * 127, "w") == Errno.ENOENT
    assert errno_of(board.vfs.remove, "n" * 127) == Errno.EINVAL
    assert errno_of(board.vfs.stat, "é" * 64) == Errno.EINVAL
    assert errno_of(board.vfs.rename, "n" * 126, "m" * 127) == Errno.EINVAL
    assert board.vfs.listdir() == ["n" * 126]


def test_there_are_no_directories(board: Board) -> None:
    with pytest.raises(NotImplementedError, match=r"^SPIFFS not support$"):
        board.vfs.mkdir("d")
    assert errno_of(board.vfs.rmdir, "d") == Errno.EIO
    board.vfs.chdir("/flash/any/where")
    assert board.vfs.getcwd() == "/flash"
    board.write("here", "x")
    assert board.vfs.listdir() == ["here"]


def test_import_sees_relative_paths_only(board: Board) -> None:
    board.write("m.py", "")
    found = {path: board.vfs.import_stat(path).name for path in ("m.py", "./m.py", "/flash/m.py")}
    assert found == {"m.py": "FILE", "./m.py": "FILE", "/flash/m.py": "NONE"}


@pytest.mark.parametrize("call", ["open", "remove", "stat", "listdir", "statvfs", "chdir"])
def test_paths_of_another_type(board: Board, call: str) -> None:
    with pytest.raises(TypeError):
        getattr(board.vfs, call)(5)


@pytest.mark.parametrize("arguments", [(5, "r"), ("x", 5), ("x",)])
def test_open_on_the_driver_takes_two_texts(board: Board, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        board.driver.open(*arguments)
    with pytest.raises(TypeError):
        list(board.driver.ilistdir(5))


# Modes


def test_x_empties_an_existing_file(board: Board) -> None:
    board.write("f", "precious")
    board.vfs.open("f", "x").close()
    assert board.read("f") == ""
    board.vfs.open("f", "x").close()
    assert board.told() == ["x-truncates"]
    assert "/f" in board.quirks[0][1]


def test_x_of_a_new_file_is_no_quirk(board: Board) -> None:
    board.vfs.open("new", "x").close()
    board.vfs.open("other", "w").close()
    board.vfs.open("other", "w").close()
    assert board.told() == []


def test_letters_add_up(board: Board) -> None:
    board.write("f", "precious")
    with board.vfs.open("f", "rw") as file:
        file.write("new")
        file.seek(0)
        assert file.read() == "new"
    assert board.told() == ["rw-truncates"]


def test_a_name_that_is_too_long_is_no_file_to_empty(board: Board) -> None:
    assert errno_of(board.vfs.open, "n" * 200, "x") == Errno.ENOENT
    assert board.told() == ["open-hides-reason"]


def test_no_letter_no_right(board: Board) -> None:
    board.write("f", "text")
    with board.vfs.open("f", "b?!") as file:
        assert errno_of(file.read, 1) == Errno.EIO
        assert errno_of(file.write, "x") == Errno.EIO
        assert file.seek(2) == 2


def test_the_last_of_b_and_t_wins(board: Board) -> None:
    board.write("f", "text")
    with board.vfs.open("f", "rbt") as text, board.vfs.open("f", "rtb") as binary:
        assert (text.read(), binary.read()) == ("text", b"text")


def test_a_needs_the_file(board: Board) -> None:
    assert errno_of(board.vfs.open, "none", "a") == Errno.ENOENT
    assert board.told() == ["append-needs-file"]


def test_a_always_writes_at_the_end(board: Board) -> None:
    board.write("f", "0123456789")
    with board.vfs.open("f", "a") as file:
        file.seek(2)
        file.write("Z")
        file.seek(0)
        assert file.read() == "0123456789Z"


def test_tell_after_small_appends_is_behind(board: Board) -> None:
    board.write("f", "0123456789abc")
    with board.vfs.open("f", "a") as file:
        file.write("12345")
        file.write("67890")
        assert file.tell() == 18
        assert file.seek(0, 2) == 23


@pytest.mark.parametrize(("profile", "text"), [("maixpy", "caf\udce9"), ("modern", None)])
def test_text_that_is_no_utf8(board: Board, profile: str, text: str | None) -> None:
    vfs = Vfs(profile)
    vfs.attach(board.driver, "/v")
    with vfs.open("/v/f", "w") as file:
        file.write(b"caf\xe9")
    with vfs.open("/v/f") as file:
        if text is None:
            with pytest.raises(UnicodeError):
                file.read()
        else:
            assert file.read() == text
    with vfs.open("/v/f", "rb") as file:
        assert file.read() == b"caf\xe9"


# Positions


def test_errors_of_seek_come_back_as_positions(board: Board) -> None:
    board.write("f", "0123456789")
    file = board.vfs.open("f")
    assert file.seek(11) == WORD - 10003
    assert file.tell() == 10
    assert file.seek(-11, 2) == WORD - 10040
    assert file.tell() == 10
    assert errno_of(file.seek, -1) == Errno.EINVAL
    assert file.seek((1 << 32) + 3) == 3
    assert file.seek(5, 7) == 0
    assert file.tell() == 3
    file.close()
    assert file.tell() == WORD - 10010
    assert file.seek(5, 7) == 0


def test_a_closed_file_says_eio(board: Board) -> None:
    board.write("f", "x")
    file = board.vfs.open("f", "r+")
    file.close()
    assert errno_of(file.read) == Errno.EIO
    assert errno_of(file.write, "x") == Errno.EIO
    assert errno_of(file.flush) == Errno.EIO
    assert file.write("") == 0


# Descriptors


def test_two_descriptors(board: Board) -> None:
    board.write("c", "third")
    one, two = board.vfs.open("a", "w"), board.vfs.open("b", "w")
    assert errno_of(board.vfs.open, "c") == Errno.ENOENT
    assert errno_of(board.vfs.remove, "c") == Errno.EMFILE
    assert errno_of(board.vfs.rename, "c", "d") == Errno.EMFILE
    assert errno_of(board.vfs.rename, "c", "a") == Errno.EEXIST
    assert board.vfs.stat("c")[6] == 5
    one.close()
    assert board.read("c") == "third"
    two.close()
    assert board.told() == ["open-hides-reason"]
    assert "-10007" in board.quirks[0][1]


def test_a_dropped_file_keeps_its_descriptor_until_garbage_is_collected(board: Board) -> None:
    board.write("f", "text")
    for _ in range(2):
        board.vfs.open("f").read()
    assert errno_of(board.vfs.open, "f") == Errno.ENOENT
    assert board.vfs.collect() == 2
    assert board.read("f") == "text"


def test_a_close_that_fails_keeps_its_descriptor(board: Board) -> None:
    one, two = board.vfs.open("a", "w"), board.vfs.open("b", "w")
    one.write("cached")
    two.write("cached")
    two.flush()
    two.close()
    board.fill()
    assert errno_of(one.close) == Errno.EIO
    one.close()
    assert board.vfs.collect() == 0
    with board.vfs.open("b", "r"):
        assert errno_of(board.vfs.open, "filler") == Errno.ENOENT
    assert board.told() == ["close-keeps-descriptor", "open-hides-reason"]
    board.driver.mount(False, False)
    with board.vfs.open("b", "r") as file:
        assert board.read("a") == ""
        assert file.read() == "cached"


def test_a_collection_passes_over_a_close_that_fails(board: Board) -> None:
    board.vfs.open("a", "w").write("cached")
    board.fill()
    assert board.vfs.collect() == 1
    assert board.told() == ["close-keeps-descriptor"]


def test_a_full_volume_says_eio(board: Board) -> None:
    board.fill()
    with board.vfs.open("filler", "rb+") as file:
        file.seek(0, 2)
        assert errno_of(file.write, bytes(8192)) == Errno.EIO
    assert errno_of(board.vfs.open, "new", "w") == Errno.ENOENT
    assert "-10001" in board.quirks[-1][1]


# Removing and renaming


def test_a_failed_remove_prints_the_number(board: Board) -> None:
    assert errno_of(board.vfs.remove, "none") == Errno.ENOENT
    assert board.messages == ["[MaixPy]:SPIFFS Error Code -10002\n"]


def test_renaming_onto_itself_removes_the_file(board: Board) -> None:
    board.write("f", "precious")
    assert errno_of(board.vfs.rename, "f", "./f") == Errno.ENOENT
    assert board.vfs.listdir() == []
    assert board.told() == ["rename-onto-itself"]


def test_renaming_can_lose_the_target_without_giving_the_name(board: Board) -> None:
    board.write("target", "precious")
    board.write("source", "x")
    target = board.vfs.open("target")
    real, calls = board.driver.fs.rename, []

    def rename_twice(old: bytes, new: bytes) -> None:
        calls.append(new)
        if len(calls) == 2:
            # Somebody takes the descriptor in between: an interrupt handler on the board.
            board.vfs.open("source")
            board.vfs.open("source")
        real(old, new)

    board.driver.fs.rename = rename_twice  # type: ignore[method-assign, assignment]
    target.close()
    assert errno_of(board.vfs.rename, "source", "target") == Errno.EMFILE
    assert board.vfs.listdir() == ["source"]
    assert board.told() == ["rename-loses-target"]


def test_a_removed_file_that_is_open_is_gone(board: Board) -> None:
    board.write("f", "text")
    file = board.vfs.open("f")
    board.vfs.remove("f")
    assert errno_of(file.read) == Errno.EIO
    assert errno_of(file.close) == Errno.EIO
    assert board.told() == []


# Mounting and formatting


def test_mount_forgets_what_was_open(board: Board) -> None:
    file = board.vfs.open("f", "w")
    file.write("never written")
    board.driver.mount(False, False)
    assert errno_of(file.flush) == Errno.EIO
    assert file.tell() == WORD - 10008
    assert errno_of(file.close) == Errno.EIO
    file.close()
    assert board.read("f") == ""
    assert board.messages == ["[MAIXPY]:Spiffs Mount successful \n"]


def test_a_read_only_mount_refuses_writes(board: Board) -> None:
    board.write("f", "text")
    board.driver.mount(True, False)
    assert board.read("f") == "text"
    for mode in ("w", "a", "x", "r+"):
        assert errno_of(board.vfs.open, "f", mode) == Errno.EROFS
    assert errno_of(board.vfs.remove, "f") == Errno.EROFS
    assert errno_of(board.vfs.rename, "f", "g") == Errno.EROFS
    assert board.vfs.listdir() == ["f"]


def blank() -> Area:
    area = spiffs_area(GEOMETRY)
    area.device.erase(GEOMETRY.base, GEOMETRY.size)
    return area


def test_mount_formats_nothing_even_if_asked() -> None:
    driver = VfsSpiffs(blank(), on_quirk=(quirks := {}).__setitem__)
    assert errno_of(Vfs().mount, driver, "/flash") == Errno.EIO
    vfs = Vfs()
    with pytest.raises(VfsError):
        vfs.mount(driver, "/flash", mkfs=True)
    assert vfs.listdir("/") == []
    assert list(quirks) == ["mkfs-ignored"]


def test_mkfs_formats_where_no_file_system_is() -> None:
    messages: list[str] = []
    driver = VfsSpiffs(blank(), on_message=messages.append)
    VfsSpiffs.mkfs(driver)
    assert messages == [
        "[MAIXPY]:Spiffs Mount failed \n",
        "[MAIXPY]:Spiffs Unmount.\n",
        "[MAIXPY]:Spiffs Formating...\n",
        "[MAIXPY]:Spiffs Format successful \n",
    ]
    assert errno_of(driver.stat, "/x") == Errno.ENOEXEC
    vfs = Vfs()
    vfs.mount(driver, "/flash")
    assert vfs.listdir("/flash") == []


def test_mkfs_leaves_a_file_system_alone(board: Board) -> None:
    board.write("f", "kept")
    VfsSpiffs.mkfs(board.driver)
    assert board.read("f") == "kept"


def test_mkfs_of_an_impossible_area() -> None:
    no_room_for_a_magic = Geometry(size=1 << 20, block_size=1 << 15, page_size=256)
    driver = VfsSpiffs(spiffs_area(GEOMETRY)._replace(geometry=no_room_for_a_magic))
    assert errno_of(VfsSpiffs.mkfs, driver) == Errno.EIO
    assert driver.flash_format() is False


def test_mkfs_can_fail_to_format() -> None:
    class Stuck:
        """Flash that cannot be erased."""

        def __getattr__(self, name: str) -> Any:
            return getattr(area.device, name)

        def erase(self, address: int, length: int) -> None:
            raise spiffs_error(Code.ERASE_FAIL)

    area, messages = blank(), list[str]()
    driver = VfsSpiffs(area._replace(device=Stuck()), on_message=messages.append)  # type: ignore[arg-type]
    assert errno_of(VfsSpiffs.mkfs, driver) == Errno.EIO
    assert messages[-2:] == [
        "[MAIXPY]:Spiffs Format failed \n",
        "[MaixPy]:SPIFFS Error Code -10027\n",
    ]


def test_flash_format_empties_and_mounts(board: Board) -> None:
    board.write("f", "lost")
    assert board.vfs.flash_format() is True
    assert board.vfs.listdir("/flash") == []
    board.write("g", "new")
    assert board.read("g") == "new"


def test_flash_format_says_none_where_the_mount_fails(board: Board) -> None:
    class Wiping:
        """Flash that forgets everything once it is formatted."""

        def __getattr__(self, name: str) -> Any:
            return getattr(board.area.device, name)

        def program(self, address: int, data: Any) -> None:
            board.area.device.program(address, bytes(len(data)))

    driver = VfsSpiffs(board.area._replace(device=Wiping()))  # type: ignore[arg-type]
    assert driver.flash_format() is None


def test_flash_format_without_flash() -> None:
    assert errno_of(Vfs().flash_format) == Errno.ENODEV


def test_quirks_are_told_once_and_not_at_all_without_an_observer(board: Board) -> None:
    for _ in range(2):
        errno_of(board.vfs.open, "none", "a")
    assert board.told() == ["append-needs-file"]
    silent = VfsSpiffs(board.area.mount())
    assert errno_of(silent.open, "none", "a") == Errno.ENOENT
