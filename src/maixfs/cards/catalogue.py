"""Everything that the doctor can find: how bad it is, what it means for a board, the mend."""

from __future__ import annotations

from typing import NamedTuple

from maixfs.cards.report import Finding, Severity

_FIX = "maixfs sd fix {card} -o NEW makes a card that boards mount, with all its files"
_SAVE = "maixfs unpack {card} DIR saves what can be read; then maixfs sd new makes a sound card"
_TIDY = "maixfs sd fix {card} -o NEW puts it right in a copy"
_REFORMAT = (
    "copy the files away, format the card as FAT32 with an MBR (or: maixfs sd new), copy them back"
)
_OTHERS = (
    "copy its files on a computer that reads it (Windows, macOS and Linux do), format the card as"
    " FAT32 with an MBR and copy them back; Windows' own formatter refuses FAT32 over 32 GB, so"
    " there take maixfs sd new and maixfs sd write"
)
TESTED_SECTORS = 128 << 21
"""128 GiB: the largest card that has been tried."""


class Kind(NamedTuple):
    """What is the same for all findings of an id; ``{card}`` in a mend is the card's name."""

    severity: Severity
    why: str = ""
    mend: str = ""


_ERROR, _WARNING, _NOTE = Severity

KINDS: dict[str, Kind] = {
    "no-spi-mode": Kind(
        _ERROR,
        "a board speaks to its card in SPI mode only",
        "try another card: SDHC of 4 to 32 GB from a known maker; clean its contacts",
    ),
    "unreadable": Kind(_ERROR, "what lies there is lost", f"copy the card now; {_SAVE}"),
    "blank": Kind(
        _ERROR, "there is nothing to mount", "maixfs sd new makes a card with FAT32 and an MBR"
    ),
    "no-signature": Kind(_ERROR, "without 55 AA at its end sector 0 means nothing to FatFs", _FIX),
    "no-table": Kind(_ERROR, "FatFs looks for volumes in the partition table alone", _FIX),
    "gpt": Kind(_ERROR, "FatFs knows the partition table of the MBR alone", _FIX),
    "superfloppy": Kind(
        _ERROR,
        "at its start a board asks for partitions 1 to 4, and there are none; a script can mount"
        " it with uos.mount",
        _FIX,
    ),
    "no-partition": Kind(_ERROR, "all four slots of the table are empty", _REFORMAT),
    "exfat": Kind(_ERROR, "the firmware is built without exFAT", _OTHERS),
    "ntfs": Kind(_ERROR, "the firmware has FAT alone", _OTHERS),
    "foreign": Kind(_NOTE, "a board goes on to the next partition"),
    "bad-boot-sector": Kind(_ERROR, "FatFs takes no volume whose boot sector is wrong", _FIX),
    "few-clusters": Kind(
        _ERROR, "FatFs tells the type by the number of clusters, and takes it for FAT16", _FIX
    ),
    "sector-size": Kind(_ERROR, "the firmware knows sectors of 512 bytes alone", _FIX),
    "root-cluster": Kind(
        _ERROR,
        "it mounts, and every look into it gives EIO",
        "a repair has to find the root again",
    ),
    "overlap": Kind(
        _ERROR, "writing to one destroys the other", "save the files of both and partition anew"
    ),
    "files-past-end": Kind(
        _ERROR,
        "what lies there cannot be read",
        "copy the card again, whole: this is the beginning of a larger one",
    ),
    "past-end": Kind(_WARNING, "writing fails with EIO once the card is full", _TIDY),
    "past-partition": Kind(
        _WARNING, "FatFs does not look at a partition's length, other systems may refuse it", _TIDY
    ),
    "logical-partition": Kind(
        _WARNING, "FatFs does not follow extended partitions", "make it a primary partition"
    ),
    "extended": Kind(_NOTE, "FatFs does not look into extended partitions"),
    "empty-first-slot": Kind(_NOTE, "a board goes on to the next slot, other devices may not"),
    "foreign-first": Kind(_NOTE, "a board goes on to the next slot, other devices may not"),
    "odd-type": Kind(
        _NOTE, "a board does not look at the type, computers do and may not show it", _TIDY
    ),
    "large": Kind(_NOTE, "cards up to 128 GiB have been tried"),
    "fat16": Kind(_NOTE, "a board mounts it"),
    "fat12": Kind(_NOTE, "a board mounts it"),
    "dirty": Kind(
        _WARNING,
        "a board takes no notice; the last writes may be missing",
        f"check it on the computer that left it so; {_TIDY}",
    ),
    "fsinfo-wrong": Kind(
        _WARNING,
        "a board believes it: it tells a wrong free size, or says that the card is full",
        _TIDY,
    ),
    "fsinfo-absent": Kind(
        _NOTE, "a board counts the whole FAT when it is asked for free room", _TIDY
    ),
    "fsinfo-huge": Kind(_NOTE, "a board sees that, and counts the whole FAT instead", _TIDY),
    "fats-differ": Kind(_WARNING, "a board reads the first one only", _TIDY),
    "full": Kind(_WARNING, "writing gives ENOSPC", "remove files, or take a larger card"),
    "chain-loop": Kind(_ERROR, "reading never reaches an end, or goes round", _SAVE),
    "cross-link": Kind(_ERROR, "one of them reads the other's data, and so it writes", _SAVE),
    "bad-start": Kind(_ERROR, "reading it gives EIO", _SAVE),
    "bad-chain": Kind(_ERROR, "reading it ends there, or gives EIO", _SAVE),
    "short-chain": Kind(_ERROR, "reading it to its end gives EIO", _SAVE),
    "long-chain": Kind(_WARNING, "the clusters behind its end are of no use"),
    "dot-entries": Kind(_WARNING, "getcwd in it gives EIO or a wrong path", _SAVE),
    "broken-long-name": Kind(_WARNING, "a board shows the short name"),
    "lost-clusters": Kind(_WARNING, "this room cannot be used; a board never gets it back"),
    "not-looked-at": Kind(_NOTE),
}
"""All findings by id."""


def finding(
    key: str,
    what: str,
    where: int | None = None,
    *,
    card: str = "CARD",
    partition: int | None = None,
    severity: Severity | None = None,
    cases: int = 1,
    paths: tuple[str, ...] = (),
) -> Finding:
    """Make a finding; what is not given is as its kind has it.

    ``card`` is how the user calls the card, in command lines that mend it.
    """
    kind = KINDS[key]
    mend = kind.mend.replace("{card}", card)
    severity = severity or kind.severity
    return Finding(key, severity, what, where, kind.why, mend, partition, cases, paths)
