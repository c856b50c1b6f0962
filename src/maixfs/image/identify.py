"""What a file, a drive or some bytes are: by magic and structure, with the evidence.

    found = identify("dump.bin")
    found.kind, found.description     # FileKind.FLASH, "flash dump of 0x1000000 bytes: ..."
    found.evidence                    # ("firmware at 0x0-0x1B3A45: MaixPy, ...", ...)
    found.next                        # Command("info", ("{image}",))

``ENTRIES`` is the one table. A new kind is a member of ``FileKind`` and an entry. Its recogniser
is an ``Identification`` where a magic decides, else a function in ``maixfs.image.kinds`` that
takes a ``Sample`` and returns an ``Identification``, or ``None``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from enum import Enum, StrEnum
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from maixfs.errors import DeviceError
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.finding import Step
    from maixfs.host.compressed import ImageBytes
    from maixfs.nor import NorDevice
    from maixfs.sd.device import SectorDevice

    Identifiable: TypeAlias = (
        str | PathLike[str] | bytes | bytearray | memoryview | NorDevice | SectorDevice
    )

HEAD = 136 * 512
"""Bytes from the start that every recogniser may look at: Btrfs has its magic at 0x10040."""
MOST_SEARCHED = 64 << 20
"""Bytes; only what is not larger is searched whole, because no flash of these boards is."""
SURE = 0.9
"""Confidence from which on no costly recogniser is asked."""
_SECTOR = 512


class FileKind(StrEnum):
    """What a file is."""

    BOARD = "board"
    FLASH = "flash dump"
    SPIFFS = "SPIFFS image"
    LITTLEFS = "littlefs image"
    ROMFS = "romfs image"
    FAT = "FAT volume"
    CARD = "card with MBR"
    GPT = "card with GPT"
    EXFAT = "exFAT volume"
    NTFS = "NTFS volume"
    EXT = "ext volume"
    OTHER_VOLUME = "other volume"
    """A file system that is named, but no kind of its own: ``description`` has the name."""
    FILE_SYSTEM = "file system image"
    """One of ``image.formats``: ``description`` names it."""
    FIRMWARE = "firmware"
    KBOOT = "Kboot"
    KMODEL = "kmodel"
    SMODEL = "encrypted model"
    KFPKG = "kfpkg"
    ELF = "ELF program"
    UF2 = "UF2 file"
    INTEL_HEX = "Intel HEX file"
    COMPRESSED = "compressed file"
    """What is in it cannot be read here."""
    ZIP = "zip archive"
    SEVEN_ZIP = "7z archive"
    TAR = "tar archive"
    PYTHON = "Python source"
    TOML = "TOML file"
    JSON = "JSON file"
    TEXT = "text"
    PNG = "PNG picture"
    JPEG = "JPEG picture"
    EMPTY = "empty file"
    ERASED = "erased"
    ZERO = "zeros"
    RANDOM = "random bytes"
    FOLDER = "folder"
    UNKNOWN = "unknown"


CARD_KINDS = frozenset(
    {
        FileKind.FAT,
        FileKind.CARD,
        FileKind.GPT,
        FileKind.EXFAT,
        FileKind.NTFS,
        FileKind.EXT,
        FileKind.OTHER_VOLUME,
    }
)
"""What is opened as a card, in sectors."""
FLASH_KINDS = frozenset({FileKind.FLASH, FileKind.SPIFFS, FileKind.ERASED})
"""What is opened as a flash."""
IMAGE_KINDS = CARD_KINDS | FLASH_KINDS | {FileKind.BOARD, FileKind.FILE_SYSTEM}
"""What can be opened as an image; ``ZERO`` may be the one or the other."""


class Identification(NamedTuple):
    """What something is."""

    kind: FileKind
    description: str
    """A few words for a person, such as ``kmodel v4, input 224x224x3``."""
    evidence: tuple[str, ...] = ()
    """Sentences, with addresses in the (unpacked) bytes."""
    confidence: float = 1.0
    """0 to 1; 1 where checksums or records in several places agree."""
    next: Step | None = None
    """The command to use next; a ``str`` is something to do with another program."""
    compression: tuple[str, ...] = ()
    """Compressions that were undone to look inside, the outermost first."""
    shift: int = 0
    """Bytes by which a dump lies behind (or, negative, in front of) where it should."""
    alternatives: tuple[Identification, ...] = ()
    """What it could be instead, most likely first."""

    @property
    def known(self) -> bool:
        """Whether the bytes have a format that was recognised."""
        return self.kind not in {FileKind.UNKNOWN, FileKind.RANDOM}

    @property
    def is_image(self) -> bool:
        """Whether it can be opened as an image."""
        return self.kind in IMAGE_KINDS

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values that JSON has."""
        return {
            "kind": str(self.kind),
            "description": self.description,
            "evidence": [*self.evidence],
            "confidence": self.confidence,
            "next": [*self.next] if isinstance(self.next, tuple) else self.next,
            "compression": [*self.compression],
            "shift": self.shift,
            "alternatives": [other.as_dict() for other in self.alternatives],
        }

    def __str__(self) -> str:
        return self.description


class Sample:
    """The bytes that recognisers look at: at known places, or all of a flash-sized image."""

    size: int
    """Bytes; of a compressed file that unpacks to more than 64 MiB, those that were unpacked."""
    complete = True
    """Whether ``size`` is all there is."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.head = self.read(0, HEAD)

    def read(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes, fewer where the bytes end."""
        raise NotImplementedError

    @property
    def view(self) -> memoryview:
        """All bytes; recognisers use it only up to ``MOST_SEARCHED`` bytes."""
        return memoryview(self.read(0, self.size))

    @property
    def device(self) -> SectorDevice:
        """The bytes as a card that is read-only; a last part of a sector is left out."""
        from maixfs.image.kinds.sectors import SampleSectors

        return SampleSectors(self)

    @property
    def searchable(self) -> bool:
        """Whether it has the size of a flash or less."""
        return self.size <= MOST_SEARCHED


class _ViewSample(Sample):
    def __init__(self, view: memoryview, *, complete: bool = True) -> None:
        self._view = view
        self.complete = complete
        super().__init__(len(view))

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._view[offset : offset + length])

    @property
    def view(self) -> memoryview:
        return self._view


class _CardSample(Sample):
    def __init__(self, card: SectorDevice) -> None:
        self._card = card
        super().__init__(card.sectors * _SECTOR)

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        if end <= offset:
            return b""
        first = offset // _SECTOR
        data = self._card.read(first, -(-end // _SECTOR) - first)
        return data[offset - first * _SECTOR : end - first * _SECTOR]

    @property
    def device(self) -> SectorDevice:
        return self._card


class _FlashSample(Sample):
    def __init__(self, flash: NorDevice) -> None:
        self._flash = flash
        super().__init__(flash.size)

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        return self._flash.read(offset, end - offset) if offset < end else b""


def sample_of(view: memoryview) -> Sample:
    """Return the sample of bytes in memory."""
    return _ViewSample(view)


def _device_sample(device: NorDevice | SectorDevice) -> Sample:
    if hasattr(device, "sectors"):
        return _CardSample(cast("SectorDevice", device))
    return _FlashSample(device)


class Group(Enum):
    """Which entries belong together, by what they cost."""

    CARD = "card"
    """Cards and volumes: decided by a few sectors."""
    FILE = "file"
    """Files by their first bytes and their records."""
    PART = "part"
    """Parts of flashes that are a file of their own, of at most ``MOST_SEARCHED`` bytes."""
    REST = "rest"
    """What bytes are like that have no format."""
    SEARCH = "search"
    """Flashes: all bytes are searched, at most ``MOST_SEARCHED``."""


class Entry(NamedTuple):
    """How a kind of file is recognised."""

    recogniser: str | Identification
    """``module:function`` in ``maixfs.image.kinds``, imported when a magic matches; or the answer
    itself, where the magic alone decides."""
    group: Group
    magics: tuple[tuple[int | None, bytes], ...] = ()
    """Offset and bytes, one of which must be there; ``None`` is anywhere in the first bytes.
    Without magics the recogniser is always asked."""

    def matches(self, head: bytes) -> bool:
        """Return whether one of the magics is in the first bytes."""
        return not self.magics or any(
            magic in head if offset is None else head.startswith(magic, offset)
            for offset, magic in self.magics
        )

    def answer(self, sample: Sample) -> Identification | None:
        """Return what the recogniser says."""
        if isinstance(self.recogniser, Identification):
            return self.recogniser
        module, name = self.recogniser.split(":")
        recognise = getattr(import_module(f"maixfs.image.kinds.{module}"), name)
        answer: Identification | None = recognise(sample)
        return answer


_COSTLY = frozenset({Group.PART, Group.REST, Group.SEARCH})
_SIGNATURE = (510, b"\x55\xaa")
_VOLUMES = (
    *((3, name) for name in (b"EXFAT   ", b"NTFS    ", b"-FVE-FS-")),
    *((0, name) for name in (b"LUKS\xba\xbe", b"hsqs", b"XFSB")),
    *((0x400, name) for name in (b"\x10\x20\xf5\xf2", b"H+", b"HX", b"BD")),
    (0x20, b"NXSB"),
    (0xFF6, b"SWAPSPACE2"),
    (0x8001, b"CD001"),
    (0x10040, b"_BHRfS_M"),
)
_MODEL_WORDS = (
    (0, b"\x01\0\0\0"),
    (0, b"\x03\0\0\0"),
    (0, b"\0\0\0\x03"),
    (0, b"LDMK"),
    (0, b"KMDL"),
    (0, b"\x13\x27\0\0"),
    (0, b"LDMS"),
    (0, b"LDME"),
)

_SEVEN_ZIP = Identification(
    FileKind.SEVEN_ZIP, "7z archive", ("the magic 37 7A BC AF at 0x0",), 0.99, "7z x"
)
_LZ4 = Identification(
    FileKind.COMPRESSED,
    "compressed file (lz4)",
    ("the magic 04 22 4D 18 at 0x0",),
    0.97,
    "unpack it first: unlz4",
    ("lz4",),
)

ENTRIES: tuple[Entry, ...] = (
    Entry("filesystems:littlefs", Group.FILE, ((None, b"littlefs"),)),
    Entry("filesystems:romfs", Group.FILE, ((0, b"-rom1fs-"), (0, b"\xd2\xcd\x31"))),
    Entry("disks:gpt", Group.CARD, ((512, b"EFI PART"),)),
    Entry("disks:ext", Group.CARD, ((0x438, b"\x53\xef"),)),
    Entry("disks:other_volume", Group.CARD, _VOLUMES),
    Entry("disks:fat", Group.CARD, (_SIGNATURE, (0, b"\xeb"), (0, b"\xe9"), (0, b"\xe8"))),
    Entry("disks:mbr", Group.CARD, (_SIGNATURE,)),
    Entry("files:archive", Group.FILE, ((0, b"PK\x03\x04"), (0, b"PK\x05\x06"))),
    Entry("files:elf", Group.FILE, ((0, b"\x7fELF"),)),
    Entry("files:uf2", Group.FILE, ((0, b"UF2\n"),)),
    Entry(_SEVEN_ZIP, Group.FILE, ((0, b"7z\xbc\xaf\x27\x1c"),)),
    Entry(_LZ4, Group.FILE, ((0, b"\x04\x22\x4d\x18"),)),
    Entry("files:tar", Group.FILE, ((257, b"ustar"),)),
    Entry("files:picture", Group.FILE, ((0, b"\x89PNG\r\n\x1a\n"), (0, b"\xff\xd8\xff"))),
    Entry("files:intel_hex", Group.FILE, ((0, b":"),)),
    Entry("flashes:model", Group.PART, _MODEL_WORDS),
    Entry("flashes:firmware", Group.PART),
    Entry("flashes:boot_config", Group.PART, ((0, b"\x5a\xa5\xd0"),)),
    Entry("files:text", Group.FILE),
    Entry("files:uniform", Group.REST),
    # The status of the first slot: it spares nearly all other files the import.
    Entry("disks:unsigned_mbr", Group.CARD, ((446, b"\x00"), (446, b"\x80"))),
    Entry("flashes:flash", Group.SEARCH),
    Entry("files:random", Group.REST),
)
"""Every kind that is known, in the order in which recognisers are asked: cheap ones first, then
those that search. The answer with the highest confidence counts; of equals, the first."""


def identify(thing: Identifiable, *, search: bool = True) -> Identification:
    """Say what a file, a board's folder, a drive, bytes, a flash or a card is.

    A ``str`` is a path. Compressed files are looked into. Reads the start, the end and places that
    records name; all of it only of what has the size of a flash (64 MiB) and nothing else fits.
    Without ``search`` flashes are not looked for, and are ``FileKind.UNKNOWN`` or ``RANDOM``.

    Raises ``DeviceError`` for a path that cannot be read, and what a device raises; never for what
    the bytes are: that is ``FileKind.UNKNOWN``.
    """
    if isinstance(thing, (bytes, bytearray, memoryview)):
        from maixfs.host.compressed import ImageBytes

        return _of_bytes(ImageBytes(Path("image"), memoryview(thing).cast("B")), search=search)
    if not isinstance(thing, (str, PathLike)):
        return _of_sample(_device_sample(thing), search=search)
    path = Path(thing)
    if path.is_dir():
        return _of_folder(path)
    return _of_file(path, search=search)


def identify_card(view: bytes | memoryview, size: int) -> Identification | None:
    """Return which card or volume ``view`` begins, ``None`` for anything else.

    Takes the first bytes (``HEAD`` at least, if there are as many) and the size of the whole: for
    deciding how an image is opened. A table without signature is recognised only if ``view``
    reaches to a volume.
    """
    sample = _ViewSample(memoryview(view), complete=False)
    # Partitions are compared with the size of the whole card, although only its head is read.
    sample.size = max(size, len(view))
    return next(iter(_ranked(sample, (Group.CARD,))), None)


def _of_folder(path: Path) -> Identification:
    from maixfs.finding import Command

    if (path / "board.toml").is_file():
        evidence = (f"{path / 'board.toml'} is there",)
        return Identification(
            FileKind.BOARD, "virtual board", evidence, next=Command("info", ("{image}",))
        )
    return Identification(
        FileKind.FOLDER,
        "folder that is no board",
        ("it has no board.toml",),
        next=Command("pack", ("{image}", "IMAGE")),
    )


def _of_file(path: Path, *, search: bool) -> Identification:
    from maixfs.host.compressed import map_image
    from maixfs.host.files import status_of

    # First, so that a missing file raises the error of the host.
    status_of(path, devices=True)
    return _of_bytes(map_image(path), search=search)


def _of_bytes(image: ImageBytes, *, search: bool) -> Identification:
    from maixfs.host.compressed import compression_of, unpack_layers

    outermost = compression_of(image.view)
    try:
        with unpack_layers(image, preview=True) as unpacked:
            sample = _ViewSample(unpacked.view, complete=unpacked.complete)
            found = _of_sample(sample, search=search)
            return with_compression(found, unpacked.compression, unpacked.damage)
    except DeviceError as error:
        # The bytes can be read, and what is in them cannot be unpacked.
        # Damaged or unknown compression is an answer; a file that cannot be read is an error.
        if outermost is None or error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
        return _packed(outermost, str(error), error.hint)


def _packed(name: str, why: str, hint: str | None) -> Identification:
    return Identification(
        FileKind.COMPRESSED, f"compressed file ({name})", (why,), next=hint, compression=(name,)
    )


def with_compression(
    found: Identification, compression: tuple[str, ...], damage: str | None = None
) -> Identification:
    """Return what is in a file with the compression around it."""
    if not compression:
        return found
    evidence = (f"compressed: {', then '.join(compression)}", *found.evidence)
    description = f"{found.description}, compressed ({', '.join(compression)})"
    if damage is not None:
        evidence = (*evidence, damage)
        description += ", damaged"
    return found._replace(description=description, evidence=evidence, compression=compression)


def _of_sample(sample: Sample, *, search: bool) -> Identification:
    if not sample.size:
        return Identification(FileKind.EMPTY, "empty file", ("it has no bytes",))
    groups = tuple(group for group in Group if search or group is not Group.SEARCH)
    ranked = _ranked(sample, groups)
    if not ranked:
        head = sample.head[:8].hex(" ")
        return Identification(
            FileKind.UNKNOWN, "unknown data", (f"it begins {head}; no known format fits",), 0.0
        )
    first, *others = ranked
    return first._replace(alternatives=tuple(others))


def _file_systems(sample: Sample) -> Iterator[Identification]:
    """Yield which file system of the registry the bytes are."""
    from maixfs.finding import Command
    from maixfs.image.formats import find_format

    match = find_format(sample.read, sample.size)
    if match is not None:
        (offset, magic), listing = match.format.magic, Command("ls", ("{image}",))
        evidence = (f"the magic {magic!r} at {offset:#x}",)
        yield Identification(FileKind.FILE_SYSTEM, match.description, evidence, 0.95, listing)


def _ranked(sample: Sample, groups: tuple[Group, ...]) -> list[Identification]:
    """Return what recognisers say, the most likely first."""
    found = [*_file_systems(sample)] if Group.FILE in groups else []
    for entry in ENTRIES:
        # The magic is compared first: importing a recogniser costs more than a look at its bytes.
        if entry.group not in groups or not entry.matches(sample.head):
            continue
        if entry.group in _COSTLY and any(one.confidence >= SURE for one in found):
            # Searching costs, and finds parts of flashes in the files that are on a card.
            continue
        if entry.group in {Group.PART, Group.SEARCH} and not sample.searchable:
            continue
        answer = entry.answer(sample)
        if answer is not None:
            found.append(answer)
    # The sort is stable: of answers that are equally sure the first in ENTRIES wins.
    return sorted(found, key=lambda one: -one.confidence)
