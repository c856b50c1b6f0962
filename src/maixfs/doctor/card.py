"""Rules about a card as a whole: would a board mount it, and if not, why."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from maixfs.cards.check import CardCheck, PartitionCheck, of_partition
from maixfs.fat.check import FILES_PAST_END, UNREADABLE
from maixfs.fat.probe import PROBE_SECTORS, foreign_kind
from maixfs.finding import Command, Cost, Finding, FindingKind, Severity, kind, rule
from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SectorError
from maixfs.sd.mbr import FAT_TYPES

TESTED_SECTORS = 128 << 21
"""128 GiB: the largest card that was tested."""

_FIX = (Command("sd fix", ("{image}", "-o", "NEW")),)
_TIDY = _FIX
_REFORMAT = (
    "copy the files away, format the card as FAT32 with an MBR, copy them back",
    Command("sd new", ("SIZE", "NEW")),
)
_OTHERS = (
    "copy its files on a computer that reads it (Windows, macOS and Linux do), format the card as"
    " FAT32 with an MBR and copy them back; Windows' own formatter refuses FAT32 over 32 GB: make"
    " an image and write it to the card there",
    Command("sd new", ("SIZE", "NEW")),
    Command("sd write", ("NEW", "DRIVE")),
)
_ERROR, _WARNING, _NOTE = Severity

NO_SPI_MODE = kind(
    "no-spi-mode", _ERROR, "The card does not start up in SPI mode.",
    why="a board uses only the SPI mode of a card",
    fix=("use another card: SDHC of 4 to 32 GB from a known maker; clean its contacts",),
)  # fmt: skip
BLANK = kind(
    "blank", _ERROR, "The card is blank.", why="there is nothing to mount",
    fix=("make a card with FAT32 and an MBR", Command("sd new", ("SIZE", "NEW"))),
)  # fmt: skip
OTHER_VOLUME = kind(
    "other-volume", _ERROR, "The whole card is formatted with another file system than FAT.",
    why="the firmware supports only FAT", fix=_OTHERS,
)  # fmt: skip
NO_SIGNATURE = kind(
    "no-signature", _ERROR, "Sector 0 does not end in 55 AA.",
    why="FatFs ignores a sector 0 without this signature", fix=_FIX,
)  # fmt: skip
NO_TABLE = kind(
    "no-table", _ERROR, "The partition table is lost.",
    why="FatFs finds volumes only through the partition table", fix=_FIX,
)  # fmt: skip
GPT = kind(
    "gpt", _ERROR, "The card has a GPT.",
    why="FatFs knows only the partition table of the MBR", fix=_FIX,
)  # fmt: skip
SUPERFLOPPY = kind(
    "superfloppy", _ERROR, "A volume starts at sector 0, without a partition table.",
    why="a board looks for partitions 1 to 4 when it starts, and there are none; a script can"
    " mount the volume with uos.mount",
    fix=_FIX,
)  # fmt: skip
NO_PARTITION = kind(
    "no-partition", _ERROR, "The partition table is empty.",
    why="all four slots of the table are free", fix=_REFORMAT,
)  # fmt: skip
EXFAT = kind(
    "exfat", _ERROR, "A partition is formatted as exFAT.",
    why="the firmware is built without exFAT", fix=_OTHERS,
)  # fmt: skip
NTFS = kind(
    "ntfs", _ERROR, "A partition is formatted as NTFS.",
    why="the firmware supports only FAT", fix=_OTHERS,
)  # fmt: skip
FOREIGN = kind(
    "foreign", _NOTE, "A partition holds no FAT volume.", why="a board skips this partition"
)
BAD_BOOT_SECTOR = kind(
    "bad-boot-sector", _ERROR, "The boot sector of a volume is damaged.",
    why="FatFs does not mount a volume with a wrong boot sector", fix=_FIX,
)  # fmt: skip
FEW_CLUSTERS = kind(
    "few-clusters", _ERROR, "A FAT32 volume has too few clusters.",
    why="FatFs derives the type from the number of clusters, and takes it for FAT16", fix=_FIX,
)  # fmt: skip
SECTOR_SIZE = kind(
    "sector-size", _ERROR, "A volume has sectors of another size than 512 bytes.",
    why="the firmware supports only sectors of 512 bytes", fix=_FIX,
)  # fmt: skip
OVERLAP = kind(
    "overlap", _ERROR, "Two partitions overlap.", why="writing to one destroys the other",
    fix=("save the files of both and partition the card again",),
)  # fmt: skip
LOGICAL_PARTITION = kind(
    "logical-partition", _WARNING, "A FAT volume is in an extended partition.",
    why="FatFs ignores extended partitions", fix=("make it a primary partition", *_FIX),
)  # fmt: skip
EXTENDED = kind(
    "extended", _NOTE, "There is an extended partition.", why="FatFs ignores extended partitions"
)
EMPTY_FIRST_SLOT = kind(
    "empty-first-slot", _NOTE, "The first slot of the partition table is free.",
    why="a board uses the next slot, other devices may not",
)  # fmt: skip
FOREIGN_FIRST = kind(
    "foreign-first", _NOTE, "The first slot of the partition table holds no FAT volume.",
    why="a board uses the next slot, other devices may not",
)  # fmt: skip
ODD_TYPE = kind(
    "odd-type", _NOTE, "The type of a partition with a FAT volume is not one of FAT.",
    why="a board ignores the type; computers use it and may not show the volume", fix=_TIDY,
)  # fmt: skip
ODD_TABLE = kind(
    "odd-table", _NOTE, "The partition table contradicts itself.",
    why="a board ignores this error; other systems may refuse the card",
)  # fmt: skip
UNAPPLIED_JOURNAL = kind(
    "unapplied-journal", _WARNING, "A write was interrupted before it reached the card's file.",
    why="maixfs reads the finished state; other programs see the card half written",
    fix=("apply it: any command that writes does", Command("gc", ("{image}",))),
)  # fmt: skip
LARGE = kind(
    "large", _NOTE, "The card is larger than the tested ones.",
    why="cards up to 128 GiB were tested",
)  # fmt: skip


@rule("card", Cost.MOUNT, NO_SPI_MODE, UNREADABLE)
def card_that_cannot_be_read(check: CardCheck) -> Iterator[Finding]:
    """Report a card that does not start up, or whose first sector cannot be read."""
    if check.no_start is not None:
        yield NO_SPI_MODE.found(f"the card does not start up in SPI mode: {check.no_start}")
    if check.error is not None:
        yield UNREADABLE.found(f"sector 0 cannot be read: {check.error}", where=0)


@rule("card", Cost.MOUNT, UNAPPLIED_JOURNAL)
def unapplied_journal(check: CardCheck) -> Iterator[Finding]:
    """Report writes that a killed process left in a journal."""
    if check.journal is not None:
        yield UNAPPLIED_JOURNAL.found(f"interrupted writes wait in {check.journal}")


@rule("card", Cost.MOUNT, LARGE)
def capacity(check: CardCheck) -> Iterator[Finding]:
    """Report a card larger than the tested ones."""
    if check.table is not None and check.device and check.device.sectors > TESTED_SECTORS:
        size = check.device.sectors >> 21
        yield LARGE.found(f"the card has {size} GiB, more than any that was tested")


@rule(
    "card", Cost.MOUNT, GPT, BLANK, OTHER_VOLUME, NO_TABLE, NO_SIGNATURE, SUPERFLOPPY, NO_PARTITION
)  # fmt: skip
def partition_table(check: CardCheck) -> Iterator[Finding]:
    """Report what keeps FatFs from finding any partition."""
    table = check.table
    if table is None:
        return
    parts = check.partitions
    if table.scheme == "GPT":
        yield GPT.found("it has a GPT (GUID partition table), not an MBR", where=0)
    # ext4 and others leave the first sector zero: a card with them looks blank to FatFs.
    elif table.blank and (name := _other_volume(check)):
        yield OTHER_VOLUME.found(f"it is formatted as {name}", where=0)
    elif table.blank:
        yield BLANK.found("it is blank: no partition table, no file system", where=0)
    elif table.lost:
        starts = ", ".join(f"{part.place.start:#x}" for part in parts)
        text = f"it has no partition table; volumes start at sectors {starts}"
        yield NO_TABLE.found(text, where=0)
    elif not table.signature:
        yield NO_SIGNATURE.found("sector 0 does not end in 55 AA", where=0)
        # exFAT and NTFS in sector 0 are reported by the rule about partitions.
    elif table.superfloppy and parts[0].kind.startswith("FAT"):
        text = "a file system starts at sector 0, without a partition table"
        yield SUPERFLOPPY.found(text, where=0)
    elif not parts:
        yield NO_PARTITION.found("its partition table is empty", where=0)


@rule("card", Cost.MOUNT, ODD_TABLE)
def contradictions_in_the_table(check: CardCheck) -> Iterator[Finding]:
    """Report slots and chains of boot records that cannot be as they are."""
    for note in check.table.notes if check.table is not None else ():
        yield ODD_TABLE.found(note, where=0)


def _other_volume(check: CardCheck) -> str | None:
    """Return the name of a volume that leaves the first sector empty, as ext4 does."""
    assert check.device is not None  # it has a table
    try:
        head = check.device.read(0, min(PROBE_SECTORS, check.device.sectors))
    except SectorError:
        return None
    return foreign_kind(head)


@rule("card", Cost.MOUNT, EMPTY_FIRST_SLOT, FOREIGN_FIRST)
def first_slot(check: CardCheck) -> Iterator[Finding]:
    """Report a first slot that a board skips."""
    first = next(iter(check.mounts), 1)
    if first == 1:
        return
    before = [part.place for part in check.partitions if part.place.number < first]
    if not before:
        text = f"the first slot of the table is free, the volume is in slot {first}"
        yield EMPTY_FIRST_SLOT.found(text, where=0)
    else:
        text = f"slot 1 holds no FAT volume ({before[0].type_name}), slot {first} does"
        yield FOREIGN_FIRST.found(text, where=0)


@rule(
    "card", Cost.MOUNT, EXTENDED, FILES_PAST_END, UNREADABLE, EXFAT, NTFS, SECTOR_SIZE,
    FEW_CLUSTERS, BAD_BOOT_SECTOR, FOREIGN, LOGICAL_PARTITION, ODD_TYPE,
)  # fmt: skip
def contents_of_partitions(check: CardCheck) -> Iterator[Finding]:
    """Report partitions that FatFs does not mount, and why."""
    for part in check.partitions:
        for finding in _about(check, part):
            yield of_partition(finding, part.place.number)


def _about(check: CardCheck, part: PartitionCheck) -> Iterator[Finding]:
    place, where = part.place, part.place.start * SECTOR
    if place.extended:
        yield EXTENDED.found("an extended partition holds logical ones", where=where)
        return
    assert check.device is not None  # it has partitions
    if place.start >= check.device.sectors:
        text = f"it lies behind the end of the card, sector {check.device.sectors:#x}"
        yield FILES_PAST_END.found(text, where=where)
        return
    if part.error is not None:
        yield UNREADABLE.found(f"it cannot be read: {part.error}", where=where)
        return
    if part.why_not is not None:
        yield from _refusal(check, part)
    elif place.scheme == "logical":
        yield LOGICAL_PARTITION.found("a FAT volume in an extended partition", where=where)
    if part.volume is not None and place.type_byte not in (None, *FAT_TYPES):
        text = f"its type is {place.type} ({place.type_name}), which is not one of FAT"
        yield ODD_TYPE.found(text, where=0)


def _refusal(check: CardCheck, part: PartitionCheck) -> Iterator[Finding]:
    """Report why FatFs refuses a partition; not so bad where a board mounts another one."""
    what, text = _reason(part)
    where = part.place.start * SECTOR
    if what is not FOREIGN:
        # One partition that mounts makes a usable card: then the others are no error.
        severity = Severity.WARNING if check.mounts else None
        yield what.found(text, where=where, severity=severity)
    elif check.table is not None and check.table.scheme != "none":
        severity = None if check.mounts else Severity.ERROR
        yield what.found(text, where=where, severity=severity)


def _reason(part: PartitionCheck) -> tuple[FindingKind, str]:
    if part.kind == "exFAT":
        return EXFAT, "it is formatted as exFAT"
    if part.kind == "NTFS":
        return NTFS, "it is formatted as NTFS"
    if part.volume is not None:
        geometry = part.volume.geometry
        if geometry.sector_size != SECTOR:
            return SECTOR_SIZE, f"its sectors have {geometry.sector_size} bytes, not {SECTOR}"
        # Formatters make such volumes on request; FatFs takes the type from this number alone, and
        # finds no root where FAT16 has it (docs/SPEC.md, 14.2).
        if geometry.fat_type == 32 and geometry.clusters <= 65525:
            text = f"it is FAT32 with {geometry.clusters} clusters, and FAT32 has more than 65525"
            return FEW_CLUSTERS, text
    if part.kind.startswith("FAT"):
        return BAD_BOOT_SECTOR, f"its boot sector is damaged: {part.why_not}"
    return FOREIGN, f"no FAT volume is in it ({part.kind})"


@rule("card", Cost.MOUNT, OVERLAP)
def neighbours(check: CardCheck) -> Iterator[Finding]:
    """Report partitions that overlap; an extended one contains its logical ones."""
    places = [part.place for part in check.partitions if not part.place.extended]
    for first, second in pairwise(sorted(places, key=lambda place: place.start)):
        if first.start + first.sectors > second.start:
            text = f"partitions {first.number} and {second.number} overlap"
            finding = OVERLAP.found(text, where=second.start * SECTOR)
            yield of_partition(finding, second.number)
