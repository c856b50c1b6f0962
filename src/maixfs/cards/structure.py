"""A light check of a volume's structure: whose each cluster is, and what contradicts that."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from maixfs.cards.catalogue import finding
from maixfs.cards.fattable import Chain, Ending
from maixfs.cards.folders import Folder, Item, child
from maixfs.cards.report import Finding, Progress
from maixfs.cards.volume import MOST_ENTRIES, VolumeReader
from maixfs.sd.errors import SectorError

SHOWN = 20
"""Paths that a finding names at most."""
_WORDS = {
    "chain-loop": "the cluster chain runs in a circle",
    "cross-link": "the clusters belong to two files",
    "bad-start": "the first cluster is none",
    "bad-chain": "the cluster chain breaks off",
    "short-chain": "the file is longer than its cluster chain",
    "long-chain": "the cluster chain is longer than the file",
    "dot-entries": "the entries . and .. are wrong",
    "broken-long-name": "the long name is broken",
    "unreadable": "the folder cannot be read",
}
_BROKEN = {
    Ending.FREE: "bad-chain",
    Ending.BAD: "bad-chain",
    Ending.ODD: "bad-chain",
    Ending.OUT: "bad-chain",
    Ending.LOOP: "chain-loop",
    Ending.SHARED: "cross-link",
}


class Case(NamedTuple):
    """One contradiction."""

    key: str
    owner: int
    cluster: int
    detail: str = ""


class StructureCheck:
    """Looks at every folder of a volume once; the result is in ``findings``.

    Of each file it keeps 16 bytes, and makes up its path again where that is to be shown.
    """

    def __init__(
        self, reader: VolumeReader, number: int, card: str, progress: Progress | None = None
    ) -> None:
        self.reader = reader
        self.files = 0
        self.folders = 0
        self._number = number
        self._card = card
        self._progress = progress
        self._cases: dict[str, list[Case]] = {}
        self._counts: dict[str, int] = {}
        self._orphans = 0
        self._complete = True
        # By owner: the folder that it is in, its slot there, its first cluster. 1 is the root.
        self._parents = array("I", [0, 0])
        self._slots = array("I", [0, 0])
        self._clusters = array("I", [0, reader.root_cluster()])

    def run(self) -> None:
        """Look at everything; raises ``SectorError`` where the FAT itself cannot be read."""
        root = self.reader.root_cluster()
        length: int | None = None
        if self.reader.layout.fat_type == 32:
            chain = self.reader.table.claim(root, 1)
            length = chain.clusters
            if chain.ending is not Ending.END:
                self._note(_BROKEN[chain.ending], 1, chain.at)
        waiting: list[tuple[int, int | None]] = [(1, length)]
        while waiting:
            owner, clusters = waiting.pop()
            waiting += self._look_into(owner, clusters)

    def findings(self) -> Iterator[Finding]:
        """Yield what was found, one finding for each kind."""
        for key, cases in self._cases.items():
            yield self._finding(key, cases, self._counts[key])
        if self._orphans:
            yield self._made("broken-long-name", self._orphans_text(), None, self._orphans, ())
        if self._complete:
            yield from self._lost()
        else:
            text = f"only the first {MOST_ENTRIES} files and folders were looked at"
            yield self._made("not-looked-at", text, None, 1, ())

    def _look_into(self, owner: int, clusters: int | None) -> list[tuple[int, int | None]]:
        """Look at a folder; return the folders in it as (owner, clusters)."""
        try:
            folder = self.reader.folder(self._clusters[owner], clusters)
        except SectorError:
            self._note("unreadable", owner, self._clusters[owner])
            return []
        if owner != 1 and not self._dots_right(owner, folder):
            self._note("dot-entries", owner, self._clusters[owner])
        self._orphans += folder.orphans
        found: list[tuple[int, int | None]] = []
        for item in folder.items:
            if len(self._parents) > MOST_ENTRIES:
                self._complete = False
                return []
            clusters = self._take(owner, item)
            if item.is_dir and clusters:
                found.append((len(self._parents) - 1, clusters))
        if self._progress is not None:
            self._progress("check", self.files, self.files)
        return found

    def _take(self, parent: int, item: Item) -> int:
        """Take a file or folder and its chain; return how many clusters that has."""
        owner = len(self._parents)
        self._parents.append(parent)
        self._slots.append(item.slot)
        self._clusters.append(item.cluster)
        self.files += not item.is_dir
        self.folders += item.is_dir
        if item.long_broken:
            self._note("broken-long-name", owner, item.cluster)
        if not item.cluster:
            if item.size or item.is_dir:
                self._note("bad-start", owner, 0, "0")
            return 0
        chain = self.reader.table.claim(item.cluster, owner)
        self._judge(owner, item, chain)
        return chain.clusters

    def _judge(self, owner: int, item: Item, chain: Chain) -> None:
        """Note what is wrong with a chain."""
        size = self.reader.layout.cluster_size
        needed = -(-item.size // size)
        if chain.ending is not Ending.END:
            key = _BROKEN[chain.ending]
            if not chain.clusters and chain.ending in {Ending.OUT, Ending.FREE, Ending.BAD}:
                key = "bad-start"
            detail = f"cluster {chain.at} {chain.ending.value}"
            if chain.ending is Ending.SHARED and self._counts.get(key, 0) < SHOWN:
                detail += f", {self.path(chain.owner)}"
            self._note(key, owner, chain.at, detail)
        elif item.is_dir:
            return
        elif needed > chain.clusters:
            detail = f"{item.size} bytes, {chain.clusters * size} in its clusters"
            self._note("short-chain", owner, item.cluster, detail)
        elif needed < chain.clusters:
            detail = f"{item.size} bytes, {chain.clusters} clusters"
            self._note("long-chain", owner, item.cluster, detail)

    def _dots_right(self, owner: int, folder: Folder) -> bool:
        parent = self._parents[owner]
        # The root is 0 there, also on FAT32, where it has a number.
        above = 0 if parent == 1 else self._clusters[parent]
        return folder.dot == self._clusters[owner] and folder.dotdot == above

    def _lost(self) -> Iterator[Finding]:
        clusters, chains, first = self.reader.table.lost()
        if not clusters:
            return
        size = clusters * self.reader.layout.cluster_size
        text = f"{clusters} clusters belong to no file ({size} bytes, chains: {chains})"
        yield self._made("lost-clusters", text, first, clusters, ())

    def _note(self, key: str, owner: int, cluster: int, detail: str = "") -> None:
        self._counts[key] = self._counts.get(key, 0) + 1
        cases = self._cases.setdefault(key, [])
        if len(cases) < SHOWN:
            cases.append(Case(key, owner, cluster, detail))

    def _finding(self, key: str, cases: list[Case], count: int) -> Finding:
        paths = tuple(self.path(case.owner) for case in cases)
        if count == 1:
            detail = f" ({cases[0].detail})" if cases[0].detail else ""
            text = f"{paths[0]}: {_WORDS[key]}{detail}"
        else:
            shown = ", ".join(paths[:3])
            more = f" and {count - 3} more" if count > 3 else ""
            text = f"{_WORDS[key]}, {count} times: {shown}{more}"
        return self._made(key, text, cases[0].cluster, count, paths)

    def _orphans_text(self) -> str:
        return f"{self._orphans} entries of long names belong to no file"

    def _made(
        self, key: str, text: str, cluster: int | None, count: int, paths: tuple[str, ...]
    ) -> Finding:
        layout = self.reader.layout
        where = None
        if cluster is not None and 2 <= cluster < layout.limit:
            where = self.reader.start + layout.sector_of(cluster)
        return finding(
            key, text, where, card=self._card, partition=self._number, cases=count, paths=paths
        )

    def path(self, owner: int) -> str:
        """Return the path of a file by the number that its clusters carry; reads its folders."""
        names: list[str] = []
        while owner > 1 and len(names) < 1000:
            parent = self._parents[owner]
            names.append(self._name_in(self._clusters[parent], self._slots[owner]))
            owner = parent
        path = "/"
        for name in reversed(names):
            path = child(path, name)
        return path

    def _name_in(self, cluster: int, slot: int) -> str:
        try:
            items = self.reader.folder(cluster).items
        except SectorError:
            return "?"
        return next((item.name for item in items if item.slot == slot), "?")
