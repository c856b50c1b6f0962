"""The examination of a FAT volume: what contradicts what, and what it means for a board.

``FatCheck`` is the state that the rules share: geometry, FAT, and one walk through all folders
that notes the owner of each cluster. Nothing is written, and damage raises nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from maixfs.fat import ondisk
from maixfs.fat.chains import Chain, Ending
from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.geometry import FatGeometry, decode_geometry
from maixfs.fat.ondisk import Extension16, Extension32
from maixfs.fat.reader import MOST_ENTRIES, FatReader, Folder, Item, child
from maixfs.finding import MAX_PATHS, Command, Cost, Finding, FindingKind, Severity, kind, rule
from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SectorError
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.host.drafts import Progress
    from maixfs.sd.device import SectorDevice

_PIECE = 2048
"""Sectors of a FAT that are compared at once."""
_CLEAN = {12: 0, 16: 0xC000, 32: 0x0C000000}
"""Bits of the second FAT entry that are set on a volume that was unmounted."""

_SAVE = (
    Command("unpack", ("{image}", "DIR")),
    "make a new card and copy what was saved to it",
)
_TIDY = (Command("sd fix", ("{image}", "-o", "NEW")),)
_ERROR, _WARNING, _NOTE = Severity

UNREADABLE = kind(
    "unreadable",
    _ERROR,
    "Sectors cannot be read.",
    why="the data in these sectors is lost",
    fix=("copy the card at once", *_SAVE),
)
FILES_PAST_END = kind(
    "files-past-end",
    _ERROR,
    "Files lie behind the end of the card.",
    why="the data behind the end cannot be read",
    fix=("copy the card again, completely: this is the start of a larger one",),
)
PAST_END = kind(
    "past-end",
    _WARNING,
    "The volume reaches past the end of the card.",
    why="writing fails with EIO once the card is full",
    fix=_TIDY,
)
PAST_PARTITION = kind(
    "past-partition",
    _WARNING,
    "The volume is longer than its partition.",
    why="FatFs ignores the length of a partition; other systems may refuse it",
    fix=_TIDY,
)
FAT16 = kind("fat16", _NOTE, "The volume is FAT16.", why="a board mounts it")
FAT12 = kind("fat12", _NOTE, "The volume is FAT12.", why="a board mounts it")
DIRTY = kind(
    "dirty",
    _WARNING,
    "The volume was not unmounted cleanly.",
    why="a board ignores the mark; the last writes may be missing",
    fix=("check it on the computer that wrote it", *_TIDY),
)
FSINFO_WRONG = kind(
    "fsinfo-wrong",
    _WARNING,
    "FSInfo has a wrong number of free clusters.",
    why="a board uses it: it reports a wrong free size, or that the card is full",
    fix=_TIDY,
)
FSINFO_ABSENT = kind(
    "fsinfo-absent",
    _NOTE,
    "There is no valid FSInfo sector.",
    why="a board counts the whole FAT when a program asks for the free size",
    fix=_TIDY,
)
FSINFO_HUGE = kind(
    "fsinfo-huge",
    _NOTE,
    "FSInfo has more free clusters than the volume has clusters.",
    why="a board ignores it and counts the whole FAT",
    fix=_TIDY,
)
FATS_DIFFER = kind(
    "fats-differ",
    _WARNING,
    "The two copies of the FAT differ.",
    why="a board reads only the first one",
    fix=_TIDY,
)
FULL = kind(
    "full",
    _WARNING,
    "No cluster is free.",
    why="writing fails with ENOSPC",
    fix=("remove files, or use a larger card",),
)
ROOT_CLUSTER = kind(
    "root-cluster",
    _ERROR,
    "The first cluster of the root does not exist.",
    why="the volume mounts, and every access to it fails with EIO",
    fix=("a repair program has to find the root",),
)
CHAIN_LOOP = kind(
    "chain-loop", _ERROR, "A cluster chain runs in a circle.",
    why="reading does not reach an end, or repeats data", fix=_SAVE,
)  # fmt: skip
CROSS_LINK = kind(
    "cross-link", _ERROR, "Clusters belong to two files.",
    why="writing or removing one of them destroys the other", fix=_SAVE,
)  # fmt: skip
BAD_START = kind(
    "bad-start", _ERROR, "The first cluster of a file does not exist or is free.",
    why="reading it fails with EIO", fix=_SAVE,
)  # fmt: skip
BAD_CHAIN = kind(
    "bad-chain", _ERROR, "A cluster chain leads to a free, bad or missing cluster.",
    why="reading ends there, or fails with EIO", fix=_SAVE,
)  # fmt: skip
SHORT_CHAIN = kind(
    "short-chain", _ERROR, "A file is longer than its cluster chain.",
    why="reading it to its end fails with EIO", fix=_SAVE,
)  # fmt: skip
LONG_CHAIN = kind(
    "long-chain", _WARNING, "A cluster chain is longer than its file.",
    why="the clusters behind its end are of no use",
)  # fmt: skip
DOT_ENTRIES = kind(
    "dot-entries", _WARNING, "The entries . and .. of a folder are wrong.",
    why="getcwd in it fails with EIO or returns a wrong path", fix=_SAVE,
)  # fmt: skip
BROKEN_LONG_NAME = kind(
    "broken-long-name", _WARNING, "A long name is damaged.",
    why="a board shows the short name",
)  # fmt: skip
LOST_CLUSTERS = kind(
    "lost-clusters", _WARNING, "Clusters are in use and belong to no file.",
    why="a board cannot use this room again",
)  # fmt: skip
NOT_LOOKED_AT = kind("not-looked-at", _NOTE, "Not all files and folders were examined.")

HAZARDS = frozenset(kind.key for kind in (CROSS_LINK, CHAIN_LOOP, BAD_START, BAD_CHAIN))
"""What makes writing dangerous: clusters that are freed or taken may belong to another file."""

_BROKEN = {
    Ending.FREE: BAD_CHAIN,
    Ending.BAD: BAD_CHAIN,
    Ending.ODD: BAD_CHAIN,
    Ending.OUT: BAD_CHAIN,
    Ending.LOOP: CHAIN_LOOP,
    Ending.SHARED: CROSS_LINK,
}
_WORDS = {
    CHAIN_LOOP: "the cluster chain runs in a circle",
    CROSS_LINK: "its clusters belong to two files",
    BAD_START: "the first cluster does not exist or is free",
    BAD_CHAIN: "the cluster chain breaks off",
    SHORT_CHAIN: "the file is longer than its cluster chain",
    LONG_CHAIN: "the cluster chain is longer than the file",
    DOT_ENTRIES: "the entries . and .. are wrong",
    BROKEN_LONG_NAME: "the long name is damaged",
    UNREADABLE: "the folder cannot be read",
}


class Case(NamedTuple):
    """One contradiction that the walk met."""

    owner: int
    cluster: int
    detail: str = ""


class FatCheck:
    """The state of one examination of the volume at sector ``start`` of ``device``.

    ``sectors`` is the length of its partition, if it is in one. Raises ``SectorError`` where the
    boot sector cannot be read, ``FatError`` (NO_FILESYSTEM) where nothing can be computed from it;
    a volume that FatFs refuses is examined all the same. With ``paged`` only the pages of the FAT
    that chains lead to are read: that is enough for ``files_and_folders``.
    """

    def __init__(
        self,
        device: SectorDevice,
        start: int,
        sectors: int | None = None,
        *,
        progress: Progress | None = None,
        paged: bool = False,
    ) -> None:
        self.device = device
        self.start = start
        self.sectors = sectors
        self.boot = device.read(start, 1)
        geometry, self.refusal = decode_geometry(self.boot)
        if geometry is None:
            raise self.refusal or fat_error(FResult.NO_FILESYSTEM)
        self.geometry: FatGeometry = geometry
        self.reader = FatReader(device, start, geometry, paged=paged)
        self.progress = progress
        self.fault: SectorError | None = None
        """The first failure to read the boot sector, FSInfo or a FAT again."""

    def read(self, sector: int, count: int) -> bytes:
        """Return sectors of the volume; note a failure and raise ``SectorError``."""
        try:
            return self.device.read(self.start + sector, count)
        except SectorError as error:
            self.fault = self.fault or error
            raise

    @cached_property
    def free(self) -> int:
        """Free clusters by the FAT; raises ``SectorError``."""
        try:
            return self.reader.table.count_free()
        except SectorError as error:
            self.fault = self.fault or error
            raise

    @cached_property
    def has_root(self) -> bool:
        """Whether the root can be looked for."""
        root = self.geometry.root_cluster
        return self.geometry.fat_type != 32 or 2 <= root < self.geometry.n_fatent

    @cached_property
    def label(self) -> str:
        """The volume's label; raises ``SectorError``."""
        return self.reader.label() if self.has_root else ""

    @cached_property
    def walk(self) -> FatWalk:
        """All folders, looked at once; raises ``SectorError`` or ``FatError`` for the FAT."""
        try:
            return FatWalk(self.reader, self.progress, has_root=self.has_root)
        except SectorError as error:
            self.fault = self.fault or error
            raise

    def where(self, cluster: int | None) -> int | None:
        """Return the byte address of a cluster in the device, ``None`` if there is none."""
        if cluster is None or not 2 <= cluster < self.geometry.n_fatent:
            return None
        return self.address(self.geometry.sector_of(cluster))

    def address(self, sector: int) -> int:
        """Return the byte address in the device of a sector of the volume."""
        return (self.start + sector) * SECTOR


class FatWalk:
    """One walk through all folders: who owns which cluster, and what contradicts that.

    Of each file it keeps 12 bytes, and finds its path again where a finding shows it.
    """

    def __init__(
        self, reader: FatReader, progress: Progress | None = None, *, has_root: bool = True
    ) -> None:
        self.reader = reader
        self.files = 0
        self.folders = 0
        self.orphans = 0
        """Parts of long names that belong to no file."""
        self.complete = True
        self.cases: dict[FindingKind, list[Case]] = {}
        """The first cases of each kind; ``counts`` has the number of all."""
        self.counts: dict[FindingKind, int] = {}
        self._progress = progress
        # By owner: the folder that it is in, its slot there, its first cluster. 1 is the root.
        self._parents = array("I", [0, 0])
        self._slots = array("I", [0, 0])
        self._clusters = array("I", [0, reader.geometry.root_cluster])
        if has_root:
            self._run()

    def _run(self) -> None:
        length: int | None = None
        if self.reader.geometry.fat_type == 32:
            chain = self.reader.chains.claim(self.reader.geometry.root_cluster, 1)
            length = chain.clusters
            if chain.ending is not Ending.END:
                self._note(_BROKEN[chain.ending], 1, chain.at)
        waiting: list[tuple[int, int | None]] = [(1, length)]
        while waiting:
            owner, clusters = waiting.pop()
            # In the order of the folder: clusters are then mostly claimed in ascending order, and
            # of two owners the first one in a listing is the rightful one.
            waiting += reversed(self._look_into(owner, clusters))

    def _look_into(self, owner: int, clusters: int | None) -> list[tuple[int, int | None]]:
        """Look at a folder; return the folders in it as (owner, clusters)."""
        try:
            folder = self.reader.folder(self._clusters[owner], clusters)
        except (SectorError, FatError):
            self._note(UNREADABLE, owner, self._clusters[owner])
            return []
        if owner != 1 and not self._dots_are_right(owner, folder):
            self._note(DOT_ENTRIES, owner, self._clusters[owner])
        self.orphans += folder.orphans
        found: list[tuple[int, int | None]] = []
        for item in folder.items:
            if len(self._parents) > MOST_ENTRIES:
                self.complete = False
                return []
            clusters = self._take(owner, item)
            if item.is_dir and clusters:
                found.append((len(self._parents) - 1, clusters))
        if self._progress is not None:
            self._progress("check", self.files, self.files)
        return found

    def _take(self, parent: int, item: Item) -> int:
        """Claim the chain of a file or folder; return the number of its clusters."""
        owner = len(self._parents)
        self._parents.append(parent)
        self._slots.append(item.slot)
        self._clusters.append(item.cluster)
        self.files += not item.is_dir
        self.folders += item.is_dir
        if item.long_broken:
            self._note(BROKEN_LONG_NAME, owner, item.cluster)
        if not item.cluster:
            if item.size or item.is_dir:
                self._note(BAD_START, owner, 0, "0")
            return 0
        chain = self.reader.chains.claim(item.cluster, owner)
        self._judge(owner, item, chain)
        return chain.clusters

    def _judge(self, owner: int, item: Item, chain: Chain) -> None:
        """Note what is wrong with a chain."""
        size = self.reader.geometry.cluster_size
        needed = -(-item.size // size)
        if chain.ending is not Ending.END:
            what = _BROKEN[chain.ending]
            if not chain.clusters and chain.ending in {Ending.OUT, Ending.FREE, Ending.BAD}:
                what = BAD_START
            detail = f"cluster {chain.at} {chain.ending.value}"
            if chain.ending is Ending.SHARED and self.counts.get(what, 0) < MAX_PATHS:
                detail += f", {self.path(chain.owner)}"
            self._note(what, owner, chain.at, detail)
        elif item.is_dir:
            return
        elif needed > chain.clusters:
            detail = f"{item.size} bytes, {chain.clusters * size} in its clusters"
            self._note(SHORT_CHAIN, owner, item.cluster, detail)
        elif needed < chain.clusters:
            detail = f"{item.size} bytes, {chain.clusters} clusters"
            self._note(LONG_CHAIN, owner, item.cluster, detail)

    def _dots_are_right(self, owner: int, folder: Folder) -> bool:
        parent = self._parents[owner]
        # The root is 0 there, also on FAT32, where it has a number.
        above = 0 if parent == 1 else self._clusters[parent]
        return folder.dot == self._clusters[owner] and folder.dotdot == above

    def _note(self, what: FindingKind, owner: int, cluster: int, detail: str = "") -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
        cases = self.cases.setdefault(what, [])
        if len(cases) < MAX_PATHS:
            cases.append(Case(owner, cluster, detail))

    def path(self, owner: int) -> str:
        """Return the path of an owner of clusters; reads its folders again."""
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
        except (SectorError, FatError):
            return "?"
        return next((item.name for item in items if item.slot == slot), "?")


# Rules


@rule("fat", Cost.MOUNT, FAT12, FAT16)
def volume_type(check: FatCheck) -> Iterator[Finding]:
    """Report a volume that is not FAT32."""
    fat_type = check.geometry.fat_type
    if fat_type != 32:
        what = FAT12 if fat_type == 12 else FAT16
        where = check.address(0)
        yield what.found(f"the volume is FAT{fat_type}, not FAT32", where=where)


@rule("fat", Cost.METADATA, FILES_PAST_END, PAST_END, PAST_PARTITION)
def ends_of_volume_partition_and_card(check: FatCheck) -> Iterator[Finding]:
    """Compare where volume, partition and device end."""
    geometry, sectors = check.geometry, check.sectors
    _ = check.free  # notes a FAT that cannot be read
    highest = check.reader.table.highest_used()
    end = check.start + max(sectors or 0, geometry.total_sectors)
    room = check.device.sectors
    last = geometry.sector_of(highest + 1) if highest else geometry.data_start
    if check.start + last > room:
        text = f"files lie behind the end of the card, sector {room:#x}"
        yield FILES_PAST_END.found(text, where=room * SECTOR)
    elif end > room:
        text = f"it reaches {end - room} sectors past the end of the card"
        yield PAST_END.found(text, where=room * SECTOR)
    elif sectors is not None and geometry.total_sectors > sectors:
        text = f"its volume has {geometry.total_sectors} sectors, the partition {sectors}"
        yield PAST_PARTITION.found(text, where=check.address(0))


@rule("fat", Cost.METADATA, DIRTY)
def marks_of_an_unclean_unmount(check: FatCheck) -> Iterator[Finding]:
    """Report the marks that other systems leave while a volume is mounted."""
    fat_type = check.geometry.fat_type
    extension = Extension32 if fat_type == 32 else Extension16
    marks = []
    by_boot = extension.unpack(check.boot).BS_Reserved1 & ondisk.BOOT_DIRTY
    if by_boot:
        marks.append("in the boot sector")
    bits = _CLEAN[fat_type]
    _ = check.free
    if int(check.reader.table.table[1]) & bits != bits:
        marks.append("in the FAT")
    if marks:
        text = f"it was not unmounted cleanly (marked {' and '.join(marks)})"
        yield DIRTY.found(text, where=check.address(0 if by_boot else check.geometry.fat_start))


@rule("fat", Cost.METADATA, FSINFO_ABSENT, FSINFO_HUGE, FSINFO_WRONG)
def free_count_in_fsinfo(check: FatCheck) -> Iterator[Finding]:
    """Compare FSInfo with the FAT."""
    geometry = check.geometry
    if geometry.fat_type != 32:
        return
    # FatFs uses sector 1 only.
    if geometry.fsinfo_sector != geometry.sector_size // SECTOR:
        yield FSINFO_ABSENT.found("it has no FSInfo sector", where=check.address(0))
        return
    free, where = check.free, check.address(geometry.fsinfo_sector)
    info = ondisk.FsInfo.unpack(check.read(geometry.fsinfo_sector, 1))
    marks = (info.FSI_LeadSig, info.FSI_StrucSig, info.FSI_TrailSig)
    if marks != (ondisk.FSI_LEAD_SIG, ondisk.FSI_STRUC_SIG, ondisk.FSI_TRAIL_SIG):
        yield FSINFO_ABSENT.found("its FSInfo sector has wrong signatures", where=where)
    elif info.FSI_Free_Count not in (ondisk.FSI_UNKNOWN, free):
        what = FSINFO_WRONG if info.FSI_Free_Count <= geometry.clusters else FSINFO_HUGE
        text = f"FSInfo says {info.FSI_Free_Count} clusters are free, the FAT says {free}"
        yield what.found(text, where=where)


@rule("fat", Cost.METADATA, FATS_DIFFER)
def copies_of_the_fat(check: FatCheck) -> Iterator[Finding]:
    """Compare the two FATs as far as they have entries."""
    geometry = check.geometry
    if geometry.fats < 2:
        return
    used = -(-geometry.n_fatent * geometry.fat_type // (8 * SECTOR))
    for at in range(0, used, _PIECE):
        count = min(_PIECE, used - at)
        one = check.read(geometry.fat_start + at, count)
        two = check.read(geometry.fat_start + geometry.fat_sectors + at, count)
        if one != two:
            pairs = enumerate(zip(one, two, strict=True))
            first = next(offset for offset, (a, b) in pairs if a != b)
            where = check.address(geometry.fat_start + at + first // SECTOR)
            yield FATS_DIFFER.found("the two copies of the FAT differ", where=where)
            return


@rule("fat", Cost.METADATA, FULL)
def full_volume(check: FatCheck) -> Iterator[Finding]:
    """Report a volume without a free cluster."""
    if not check.free:
        yield FULL.found("no cluster is free")


@rule("fat", Cost.MOUNT, ROOT_CLUSTER)
def place_of_the_root(check: FatCheck) -> Iterator[Finding]:
    """Report a root that does not exist."""
    if not check.has_root:
        text = f"the root's first cluster, {check.geometry.root_cluster}, is out of range"
        yield ROOT_CLUSTER.found(text, where=check.address(0))


@rule("fat", Cost.METADATA, *_WORDS)
def files_and_folders(check: FatCheck) -> Iterator[Finding]:
    """Report what contradicts itself in folders and chains, one finding for each kind."""
    walk = check.walk
    for what, cases in walk.cases.items():
        yield _finding(check, what, cases, walk.counts[what])
    if walk.orphans:
        text = f"{walk.orphans} parts of long names belong to no file"
        yield BROKEN_LONG_NAME.found(text, cases=walk.orphans)


@rule("fat", Cost.METADATA, LOST_CLUSTERS, NOT_LOOKED_AT)
def clusters_of_no_file(check: FatCheck) -> Iterator[Finding]:
    """Report clusters that are in use and were met in no chain."""
    if not check.has_root:
        return
    if not check.walk.complete:
        text = f"only the first {MOST_ENTRIES} files and folders were examined"
        yield NOT_LOOKED_AT.found(text)
        return
    clusters, chains, first = check.reader.table.lost()
    if clusters:
        size = clusters * check.geometry.cluster_size
        text = f"{clusters} clusters belong to no file ({size} bytes, chains: {chains})"
        yield LOST_CLUSTERS.found(text, where=check.where(first), cases=clusters)


@rule("fat", Cost.METADATA, UNREADABLE)
def unreadable_sectors(check: FatCheck) -> Iterator[Finding]:
    """Report that FAT, FSInfo or boot sector cannot be read; the last rule, after all reads."""
    if check.fault is not None:
        yield UNREADABLE.found(f"the volume cannot be read: {check.fault}")


def _finding(check: FatCheck, what: FindingKind, cases: list[Case], count: int) -> Finding:
    paths = tuple(check.walk.path(case.owner) for case in cases)
    if count == 1:
        detail = f" ({cases[0].detail})" if cases[0].detail else ""
        text = f"{paths[0]}: {_WORDS[what]}{detail}"
    else:
        shown = ", ".join(paths[:3])
        more = f" and {count - 3} more" if count > 3 else ""
        text = f"{_WORDS[what]}, {count} times: {shown}{more}"
    return what.found(text, where=check.where(cases[0].cluster), paths=paths, cases=count)


# Before an edit


def edit_hazards(device: SectorDevice, start: int) -> tuple[Finding, ...]:
    """Return what makes writing to the volume at sector ``start`` dangerous.

    These are cross links, loops, and entries or chains that lead to free or missing clusters: an
    edit would free or overwrite clusters of a file that it does not touch. The cost grows with
    the files on the volume, not with its size. Raises ``SectorError`` and ``FatError`` where boot
    sector or FAT cannot be read.
    """
    check = FatCheck(device, start, paged=True)
    return tuple(found for found in files_and_folders(check) if found.key in HAZARDS)
