"""Any order of calls: what a dictionary says, and a card without a fault."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fat.volumes import KINDS, faults, mount, new_card
from maixfs.fat import FatError, FatFile, FResult, OpenFlag

READ, WRITE, EMPTY = OpenFlag.READ, OpenFlag.WRITE, OpenFlag.CREATE_ALWAYS
NAMES = st.sampled_from(
    ["a", "B.TXT", "b.txt", "Long name one.txt", "Long name two.txt", "ünï.日本", "c" * 60, "d.e"]
)
FOLDERS = st.sampled_from(["", "/x", "/x/Folder below", "/y"])
PATHS = st.builds("{}/{}".format, FOLDERS, NAMES)
SIZES = st.sampled_from([0, 1, 300, 512, 700, 1024, 5000, 9000])


class Tree(RuleBasedStateMachine):
    """Names and contents against a model; files are closed at once."""

    @initialize(kind=st.sampled_from(sorted(KINDS)))
    def start(self, kind: str) -> None:
        self.card = new_card(kind)
        self.fat = mount(self.card)
        self.model: dict[str, bytes | None] = {"": None}
        self.names: dict[str, str] = {}

    def key(self, path: str) -> str:
        return path.upper()

    def above(self, path: str) -> bool:
        return self.key(path.rpartition("/")[0]) in self.model

    def holds(self, path: str) -> bool:
        return any(key.startswith(self.key(path) + "/") for key in self.model)

    @rule(path=PATHS, size=SIZES, fill=st.binary(min_size=1, max_size=3))
    def write(self, path: str, size: int, fill: bytes) -> None:
        content = (fill * size)[:size]
        if self.above(path):
            self.fat.write_bytes(path, content)
            self.model[self.key(path)] = content
            self.names.setdefault(self.key(path), path)

    @rule(path=PATHS, at=SIZES, size=SIZES)
    def overwrite(self, path: str, at: int, size: int) -> None:
        old = self.model.get(self.key(path))
        if old is None or at > len(old):
            return
        with self.fat.open(path, READ | WRITE) as file:
            file.seek(at)
            file.write(b"o" * size)
        self.model[self.key(path)] = old[:at] + b"o" * size + old[at + size :]

    @rule(path=PATHS, size=SIZES)
    def truncate(self, path: str, size: int) -> None:
        old = self.model.get(self.key(path))
        if old is not None:
            with self.fat.open(path, WRITE) as file:
                file.seek(min(size, len(old)))
                file.truncate()
            self.model[self.key(path)] = old[:size]

    @rule(path=FOLDERS)
    def mkdir(self, path: str) -> None:
        if path and self.key(path) not in self.model and self.above(path):
            self.fat.mkdir(path)
            self.model[self.key(path)] = None
            self.names[self.key(path)] = path

    @rule(path=PATHS | FOLDERS)
    def remove(self, path: str) -> None:
        if not path:
            return
        try:
            self.fat.remove(path)
        except FatError:
            assert self.key(path) not in self.model or self.holds(path)
        else:
            del self.model[self.key(path)]
            self.names.pop(self.key(path))

    @rule(path=PATHS | FOLDERS)
    def remove_tree(self, path: str) -> None:
        if path and self.key(path) in self.model:
            gone = [k for k in self.model if (k + "/").startswith(self.key(path) + "/")]
            assert self.fat.remove_tree(path) == len(gone)
            for key in gone:
                del self.model[key]
                self.names.pop(key)

    @rule(old=PATHS, new=PATHS)
    def rename(self, old: str, new: str) -> None:
        a, b = self.key(old), self.key(new)
        try:
            self.fat.rename(old, new)
        except FatError:
            assert a not in self.model or (b in self.model and a != b) or not self.above(new)
        else:
            self.model[b] = self.model.pop(a)
            self.names.pop(a)
            self.names[b] = new

    @rule()
    def mount_again(self) -> None:
        self.fat.close()
        assert faults(self.card) == []
        self.fat = mount(self.card)

    @invariant()
    def tree_is_the_models(self) -> None:
        found = dict(self.fat.walk())
        assert {self.key(path) for path in found} == self.model.keys() - {""}
        for path, entry in found.items():
            content = self.model[self.key(path)]
            assert path.rpartition("/")[2] == self.names[self.key(path)].rpartition("/")[2]
            assert entry.is_dir == (content is None)
            assert content is None or entry.size == len(content)

    def teardown(self) -> None:
        for path, entry in self.fat.walk():
            if not entry.is_dir:
                assert self.fat.read_bytes(path) == self.model[self.key(path)]
        assert self.fat.free_clusters() == self.fat.free_clusters(scan=True)
        self.fat.close()
        assert faults(self.card) == []


Tree.TestCase.settings = settings(max_examples=15, stateful_step_count=40)
TestTree = Tree.TestCase


class Handles(RuleBasedStateMachine):
    """Files that stay open while entries come and go: nobody else's clusters are touched."""

    @initialize(kind=st.sampled_from(sorted(KINDS)))
    def start(self, kind: str) -> None:
        self.card = new_card(kind)
        self.fat = mount(self.card)
        self.fat.write_bytes("/bystander", b"#" * 7000)
        self.files: list[FatFile] = []

    @rule(name=st.sampled_from("abc"), flags=st.sampled_from([1, 2, 3, 0x0A, 0x0B, 0x13, 0x32]))
    def open(self, name: str, flags: int) -> None:
        if self.fat.exists(f"/{name}") or flags & 0x18:
            self.files.append(self.fat.open(f"/{name}", flags))

    @precondition(lambda self: self.files)
    @rule(
        which=st.integers(0, 9),
        what=st.sampled_from(["read", "write", "seek", "truncate", "sync", "close", "close"]),
        size=SIZES,
    )
    def use(self, which: int, what: str, size: int) -> None:
        file = self.files[which % len(self.files)]
        try:
            if what == "read":
                file.read(size)
            elif what == "write":
                file.write(b"w" * size)
            elif what == "seek":
                file.seek(size)
            else:
                getattr(file, what)()
        except FatError as error:
            assert error.result in (FResult.DENIED, FResult.INT_ERR)
        if file.closed:
            self.files.remove(file)

    @rule(old=st.sampled_from("abc"), new=st.sampled_from(["a", "b", "c", "A longer name"]))
    def rename(self, old: str, new: str) -> None:
        if self.fat.exists(old) and not self.fat.exists(new):
            self.fat.rename(old, new)

    @rule(name=st.sampled_from(["a", "b", "c", "A longer name"]))
    def remove(self, name: str) -> None:
        if self.fat.exists(name):
            self.fat.remove(name)

    @rule(size=SIZES)
    def write_another(self, size: int) -> None:
        self.fat.write_bytes("/another", b"!" * size)
        assert self.fat.read_bytes("/another") == b"!" * size

    @invariant()
    def bystander_is_as_it_was(self) -> None:
        assert self.fat.read_bytes("/bystander") == b"#" * 7000

    def teardown(self) -> None:
        self.fat.close()
        assert faults(self.card) == []
        with mount(self.card) as fat:
            assert fat.read_bytes("/bystander") == b"#" * 7000
            for entry in fat.scandir():
                assert len(fat.read_bytes(entry.name)) == entry.size


Handles.TestCase.settings = settings(max_examples=30, stateful_step_count=40)
TestHandles = Handles.TestCase
