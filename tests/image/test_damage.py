"""Damaged file systems: what can be read is read, and nothing is made worse."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from golden.corpus import SpiffsCase, case_folders
from image.places import SMALL, findings_of, has_errors, make_bare
from maixfs.errors import DamagedError, FitError
from maixfs.image.errors import NoFileSystemError, TargetError, UnreadableError
from maixfs.image.opening import open_image, open_mounted
from maixfs.nor import Buffer, OverlayFlash
from maixfs.spiffs import SpiffsError
from maixfs.spiffs.errors import Code
from maixfs.transfer.unpacking import unpack_files

CASES = [SpiffsCase(folder) for folder in case_folders("spiffs")]
IDS = [case.name for case in CASES]


def image_of(case: SpiffsCase, folder: Path) -> Path:
    host = folder / "image"
    host.write_bytes(gzip.decompress((case.folder / "image.bin.gz").read_bytes()))
    return host


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_each_file_reads_or_says_why_not(case: SpiffsCase, tmp_path: Path) -> None:
    host = image_of(case, tmp_path)
    if case.manifest["mount_result"] != 0:
        with pytest.raises(NoFileSystemError, match=str(case.manifest["mount_result"])):
            open_mounted(host)
        return
    with open_image(host) as target:
        entries = {entry.native.page: entry for entry in target.spiffs.files()}
        assert len({entry.path for entry in entries.values()}) == len(case.manifest["files"])
        for file in case.manifest["files"]:
            entry = entries[file["header_page"]]
            result = file["read_res"]
            assert entry.readable is (result >= 0)
            if entry.readable:
                content = target.read_bytes(entry.path)
                assert len(content) == file["read_len"]
                assert hashlib.sha256(content).hexdigest() == file["sha256"]
            elif entry.rescued:
                assert len(target.read_bytes(entry.path)) == entry.size
            else:
                with pytest.raises(UnreadableError, match=rf"cannot be read: .*\({result}\)"):
                    target.read_bytes(entry.path)


def test_file_with_a_damaged_index_is_rescued(tmp_path: Path) -> None:
    (case,) = (case for case in CASES if case.folder.name == "maixpy-powercut-inflight-read-error")
    with open_image(image_of(case, tmp_path)) as target:
        rescued = [entry for entry in target.spiffs.files() if entry.rescued]
        assert rescued
        for entry in rescued:
            assert not entry.readable
            assert len(target.read_bytes(entry)) == entry.size
        written = unpack_files(target, None, tmp_path / "out")
    noted = {Path(file.path).name for file in written if "rescued" in file.note}
    assert noted == {entry.name for entry in rescued}


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_edit_of_a_damaged_volume_keeps_other_files(case: SpiffsCase, tmp_path: Path) -> None:
    """Free pages that hold old bytes, pages booked wrongly, headers twice: all survive."""
    if case.manifest["mount_result"] != 0:
        pytest.skip("it does not mount")
    host = image_of(case, tmp_path)
    before = contents(host)
    try:
        with open_image(host, "r+") as target:
            target.write_bytes("/a new file", b"\x5a" * 70_000)
            target.gc()
            target.write_bytes("/a new file", b"\xa5" * 40_000)
    except (DamagedError, FitError) as error:
        assert error.hint
        assert contents(host) == before
        return
    after = contents(host)
    assert after.pop(b"/a new file") == b"\xa5" * 40_000
    assert after.items() >= before.items()


def contents(host: Path) -> dict[bytes, bytes]:
    """Return what can be read, by stored name, as a board finds it."""
    with open_image(host) as target:
        return {
            entry.native.raw_name: target.read_bytes(entry.path)
            for entry in reversed([*target.spiffs.files()])
            if entry.readable
        }


def poke(host: Path, offset: int, data: bytes) -> None:
    image = bytearray(host.read_bytes())
    image[offset : offset + len(data)] = data
    host.write_bytes(image)


def damaged(tmp_path: Path) -> Path:
    """Return an image in which the data page of /main.py is called free."""
    host = make_bare(tmp_path, SMALL).host
    with open_image(host) as target:
        page = target.stat("/main.py").native.page + 1
    poke(host, 2 * (page - SMALL.lookup_pages), b"\xff\xff")
    return host


def test_page_wrongly_marked_free_refuses_edits(tmp_path: Path) -> None:
    host = damaged(tmp_path)
    before = host.read_bytes()
    for change in (
        lambda target: target.write_bytes("/x", b"x"),
        lambda target: target.rename("/empty", "/x"),
        lambda target: target.gc(),
    ):
        with pytest.raises(DamagedError, match=r"holds data of /main\.py"):
            attempt(host, change)
    assert host.read_bytes() == before
    with open_image(host) as target:
        assert target.read_bytes("/main.py").startswith(b"print")
        assert [f.key for f in findings_of(host) if f.is_problem] == ["not-booked"]


def attempt(host: Path, change: object) -> None:
    with open_image(host, "r+") as target:
        change(target)  # type: ignore[operator]


def test_a_file_whose_pages_are_gone_can_be_replaced_or_says_so(tmp_path: Path) -> None:
    host = make_bare(tmp_path, SMALL).host
    with open_image(host) as target:
        page = target.stat("/lib/a.py").native.page + 1
    poke(host, page * SMALL.page_size + 4, b"\x7c")
    with open_image(host) as target:
        entry = target.stat("/lib/a.py")
        assert entry.fault is not None
        assert str(int(Code.DELETED)) in entry.fault
        with pytest.raises(UnreadableError, match="marked deleted"):
            target.read_bytes("/lib/a.py")
        (finding,) = findings_of(host)
        assert (finding.key, finding.is_problem) == ("unreadable", True)
        assert has_errors(host)


def test_old_bytes_in_free_pages_do_not_mix_with_new_ones(tmp_path: Path) -> None:
    host = make_bare(tmp_path, SMALL).host
    image = bytearray(host.read_bytes())
    for page in range(SMALL.pages):
        start = page * SMALL.page_size
        if not SMALL.is_lookup_page(page) and image[start : start + 4096] == b"\xff" * 4096:
            image[start + 5 : start + 4096] = b"\x11" * 4091
    host.write_bytes(image)
    with open_image(host) as target:
        assert [f.key for f in findings_of(host)] == ["stale-pages"]
        assert not has_errors(host)
    with open_image(host, "r+") as target:
        target.write_bytes("/new", b"\xee" * 50_000)
        assert target.read_bytes("/new") == b"\xee" * 50_000
    with open_image(host) as target:
        assert target.read_bytes("/new") == b"\xee" * 50_000
        assert findings_of(host) == []


def test_interrupted_erase_is_reported(tmp_path: Path) -> None:
    host = make_bare(tmp_path, SMALL).host
    poke(host, 3 * SMALL.block_size, b"\xff" * SMALL.block_size)
    before = host.read_bytes()
    with open_image(host) as target:
        (finding,) = findings_of(host)
        assert (finding.key, finding.where) == ("aborted-erase", 3 * SMALL.block_size)
        assert target.exists("/main.py")
    assert host.read_bytes() == before
    with open_image(host, "r+") as target:
        target.write_bytes("/x", b"x")
    with open_image(host) as target:
        assert findings_of(host) == []


def twins(tmp_path: Path) -> Path:
    """Return an image in which two headers carry one name."""
    host = make_bare(tmp_path, SMALL, {b"/one.py": b"first", b"/two.py": b"second"}).host
    with open_image(host) as target:
        page = target.stat("/two.py").native.page
    poke(host, page * SMALL.page_size + 13, b"/one.py\0")
    return host


def test_both_headers_of_one_name_can_be_read(tmp_path: Path) -> None:
    host = twins(tmp_path)
    with open_image(host) as target:
        first, second = target.scandir()
        assert (first.path, second.path) == ("/one.py", rf"/one.py\p{second.native.page}")
        assert [target.read_bytes(first.path), target.read_bytes(second.path)] == [
            b"first",
            b"second",
        ]
        assert target.read_bytes("/one.py") == b"first"
        findings = findings_of(host)
        assert [finding.key for finding in findings] == ["two-headers"]
        assert findings[0].data["pages"] == [first.native.page, second.native.page]


def test_second_header_is_not_mistaken_for_the_first(tmp_path: Path) -> None:
    host = twins(tmp_path)
    with open_image(host, "r+") as target:
        second = target.scandir()[1].path
        with pytest.raises(TargetError, match=r"is the second header of /one\.py"):
            target.rename(second, "/other")
        target.rename("/one.py", "/first.py")
        assert target.read_bytes("/first.py") == b"first"
        assert target.read_bytes("/one.py") == b"second"


def test_removing_the_second_header_leaves_the_first(tmp_path: Path) -> None:
    host = twins(tmp_path)
    with open_image(host, "r+") as target:
        target.remove(target.scandir()[1].path)
    with open_image(host) as target:
        assert [entry.path for entry in target.scandir()] == ["/one.py"]
        assert target.read_bytes("/one.py") == b"first"


def test_removing_one_of_two_leaves_the_other(tmp_path: Path) -> None:
    host = twins(tmp_path)
    with open_image(host, "r+") as target:
        target.remove("/one.py")
        assert target.read_bytes("/one.py") == b"second"
    with open_image(host) as target:
        assert findings_of(host) == []


def test_damaged_file_is_replaced_by_content_of_the_same_size(tmp_path: Path) -> None:
    host = make_bare(tmp_path, SMALL).host
    with open_image(host) as target:
        entry = target.stat("/lib/a.py")
        good = target.read_bytes("/lib/a.py")
    poke(host, (entry.native.page + 1) * SMALL.page_size + 4, b"\x7c")
    with open_image(host, "r+") as target:
        assert target.write_bytes("/lib/a.py", good).changed
    with open_image(host) as target:
        assert target.read_bytes("/lib/a.py") == good
        assert not has_errors(host)


def test_damaged_header_is_replaced(tmp_path: Path) -> None:
    """Neither opening nor removing works then: all other files are laid out anew."""
    host = make_bare(tmp_path, SMALL).host
    with open_image(host) as target:
        entry = target.stat("/lib/a.py")
        others = contents(host)
        del others[b"/lib/a.py"]
    poke(host, entry.native.page * SMALL.page_size + 4, b"\xfc")
    with open_image(host, "r+") as target:
        with pytest.raises(SpiffsError):
            target.remove("/lib/a.py")
        target.write_bytes("/lib/a.py", b"new")
    assert contents(host) == others | {b"/lib/a.py": b"new"}


def test_edit_of_one_damaged_file_keeps_the_other(tmp_path: Path) -> None:
    host = make_bare(tmp_path, SMALL).host
    with open_image(host) as target:
        pages = [target.stat(name).native.page for name in ("/lib/a.py", "/main.py")]
    for page in pages:
        poke(host, page * SMALL.page_size + 4, b"\xfc")
    before = host.read_bytes()
    with (
        pytest.raises(SpiffsError, match=str(int(Code.NOT_INDEX))),
        open_image(host, "r+") as target,
    ):
        target.write_bytes("/lib/a.py", b"new")
    assert host.read_bytes() == before


def test_written_bytes_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = make_bare(tmp_path, SMALL).host
    before = host.read_bytes()
    program = OverlayFlash.program

    def lossy(driver: OverlayFlash, address: int, data: Buffer) -> None:
        program(driver, address, data if len(data) < 1000 else bytes(data[:-1]) + b"\0")

    monkeypatch.setattr(OverlayFlash, "program", lossy)
    with (
        pytest.raises(DamagedError, match="reads back differently"),
        open_image(host, "r+") as target,
    ):
        target.write_bytes("/main.py", b"\xff" * 4000)
    assert host.read_bytes() == before
