"""Random programs over the interface end as they end on the host's own file system."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from filesystem.kinds import FAT, SPIFFS, Medium, medium
from maixfs.filesystem import FileSystem

PATHS = ["a", "b", "a/x", "a/b", "a/b/y", "c/d"]
MODES = ["rb", "r+b", "wb", "w+b", "ab", "a+b", "xb", "x+b"]
Step = tuple[Any, ...]

PATH = st.sampled_from(PATHS)
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("edit"),
            PATH,
            st.sampled_from(MODES),
            st.lists(
                st.one_of(
                    st.tuples(st.just("write"), st.integers(0, 700)),
                    st.tuples(st.just("read"), st.integers(-1, 600)),
                    st.tuples(st.just("seek"), st.integers(0, 900)),
                    st.tuples(st.just("truncate"), st.integers(0, 900)),
                ),
                max_size=5,
            ),
        ),
        st.tuples(st.sampled_from(["mkdir", "remove", "rmdir", "rmtree", "listdir"]), PATH),
        st.tuples(st.sampled_from(["rename", "replace"]), PATH, PATH),
        st.tuples(st.just("remount")),
    ),
    max_size=14,
)


class Host:
    """The host's file system below a folder, with the few rules in which ours differs."""

    def __init__(self, root: Path, *, is_spiffs: bool) -> None:
        self.root = root
        self.is_spiffs = is_spiffs

    def at(self, path: str) -> Path:
        return self.root / path

    def open(self, path: str, mode: str) -> Any:
        if self.is_spiffs and mode[0] != "r":
            self.make_parents(path)
        return self.at(path).open(mode)

    def make_parents(self, path: str) -> None:
        """SPIFFS makes the folders of a new file by themselves."""
        try:
            self.at(path).parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, "a file is in the way") from error

    def rename(self, old: str, new: str) -> None:
        if self.at(new).exists() and old != new and self.at(old).exists():
            if new.startswith(old + "/"):
                raise OSError(errno.EINVAL, "into itself")
            raise FileExistsError(errno.EEXIST, "exists")
        self.replace(old, new)

    def replace(self, old: str, new: str) -> None:
        if self.at(new).is_dir() and old != new:
            raise IsADirectoryError(errno.EISDIR, "only files give way")
        if self.is_spiffs and self.at(old).exists() and not new.startswith(old + "/"):
            self.make_parents(new)
        self.at(old).rename(self.at(new))

    def remount(self) -> None:
        """Empty folders of SPIFFS do not survive."""
        if self.is_spiffs:
            for folder, _, _ in [*os.walk(self.root)][:0:-1]:
                if not any(Path(folder).iterdir()):
                    Path(folder).rmdir()

    def tree(self) -> dict[str, bytes | None]:
        return {
            "/" + path.relative_to(self.root).as_posix(): path.read_bytes()
            if path.is_file()
            else None
            for path in self.root.rglob("*")
        }


def tree(fs: FileSystem[Any]) -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    for _, folders, files in fs.walk():
        found |= {entry.path: None for entry in folders}
        found |= {entry.path: fs.read_bytes(entry) for entry in files}
    return found


def outcome(call: Any) -> object:
    """Return what a call gives, or the errno that it raises."""
    try:
        return call()
    except OSError as error:
        return error.errno


def edit(opened: Any, steps: list[Step]) -> list[object]:
    results: list[object] = []
    with opened as file:
        for number, (verb, value) in enumerate(steps):
            argument = bytes([65 + number]) * value if verb == "write" else value
            try:
                results.append(getattr(file, verb)(argument))
            except OSError as error:
                results.append(type(error).__name__)
    return results


def run(fs: FileSystem[Any], host: Host, step: Step) -> tuple[object, object]:
    """Do one step on both; returns both outcomes."""
    verb, *rest = step
    if verb == "edit":
        path, mode, steps = rest
        return (
            outcome(lambda: edit(fs.open(path, mode), steps)),
            outcome(lambda: edit(host.open(path, mode), steps)),
        )
    if verb in ("rename", "replace"):
        return (
            outcome(lambda: getattr(fs, verb)(*rest)),
            outcome(lambda: getattr(host, verb)(*rest)),
        )
    if verb == "listdir":
        return (
            outcome(lambda: sorted(fs.listdir(*rest))),
            outcome(lambda: sorted(path.name for path in host.at(*rest).iterdir())),
        )
    if verb == "rmtree":
        path = rest[0]
        if not host.at(path).is_dir():
            return None, None  # shutil's own errors are another matter
        import shutil

        return outcome(lambda: fs.rmtree(path)), outcome(lambda: shutil.rmtree(host.at(path)))
    call = {"mkdir": os.mkdir, "remove": os.remove, "rmdir": os.rmdir}[verb]
    return outcome(lambda: getattr(fs, verb)(*rest)), outcome(lambda: call(host.at(*rest)))


@pytest.mark.parametrize("kind", [*SPIFFS, *FAT])
@given(steps=STEPS)
@example(steps=[("edit", "a/x", "wb", [("write", 700)]), ("rename", "a", "c"), ("remount",)])
@example(steps=[("mkdir", "a"), ("rename", "a", "a/b"), ("replace", "a", "b"), ("rmdir", "b")])
def test_programs_end_as_on_the_host(kind: str, steps: list[Step]) -> None:
    disk: Medium = medium(kind)
    fs = disk.mount()
    with tempfile.TemporaryDirectory() as folder:
        host = Host(Path(folder), is_spiffs=disk.is_spiffs)
        for step in steps:
            if step[0] == "remount":
                fs.close()
                fs = disk.mount()
                host.remount()
            else:
                ours, theirs = run(fs, host, step)
                if step[0] in ("rename", "replace"):  # hosts differ in the errno
                    ours, theirs = isinstance(ours, int), isinstance(theirs, int)
                assert ours == theirs, step
            assert tree(fs) == host.tree(), step
    fs.close()
