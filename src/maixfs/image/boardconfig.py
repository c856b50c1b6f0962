"""``board.toml``: what a board is made of. Reading it powers nothing on.

    format = 1
    profile = "maixpy"
    cpu_hz = 400000000
    unique_id = "<32 bytes in hex>"

    [flash]
    part = "W25Q128FW"
    size = 16777216
    driver = "maixpy"

    [spiffs]
    preset = "maixpy"

    [sd]
    image = "sd.img"
    read_only = false
    kind = "SDHC"
    mount_all = true
    fat_dates = "right"

    [kpu]
    kmodel_v4 = true

    [boot]
    ignore_firmware = false

``[spiffs]`` names a preset, gives the fields of a ``Geometry``, or both (the fields then change
the preset). ``[sd]`` without ``image`` is an empty slot, without ``kind`` a
card of the kind that is sold in its size. What is left out is as on a MaixPy board.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from maixfs.errors import Command, DeviceError, UsageError
from maixfs.firmware import freqconf
from maixfs.host.drafts import write_file
from maixfs.host.files import read_file
from maixfs.image.boardlock import BoardConfigError, BoardError, as_board_error
from maixfs.nor.chip import DEFAULT_SIZE, MAX_SIZE
from maixfs.nor.drivers import DRIVERS
from maixfs.nor.errors import NorError
from maixfs.nor.parts import Part, default_part, find_part, part_for, parts
from maixfs.spiffs.geometry import PRESETS, Geometry, GeometryError
from maixfs.vfs.profile import profile_of

if TYPE_CHECKING:
    from maixfs.sd.card import CardKind

FORMAT = 1
"""Version of ``board.toml`` that this program writes, and the newest that it reads."""

CONFIG_NAME = "board.toml"
DRAFT_NAME = "board.new"
FLASH_NAME = "flash.bin"
WEAR_NAME = "wear.bin"

_LARGEST = 1 << 20
"""Bytes of the largest ``board.toml`` that is read; the usual one has about 300."""

UNIQUE_ID_SIZE = 32
"""Bytes of the chip's number, ``machine.unique_id()``."""

CARD_NAME = "sd.img"
"""The card that is made together with a board, in its folder."""

FAT_DATES = ("right", "firmware")

GEOMETRY_KEYS = tuple(item.name for item in fields(Geometry) if item.compare)
"""The keys of ``[spiffs]`` besides ``preset``: what makes two geometries different."""

_T = TypeVar("_T")

_MOST_BITS = 63
"""Bits of the largest number, that of TOML. Python does not print numbers of any length."""

_LINE = 60

_KINDS: dict[type, str] = {
    int: "a whole number",
    str: "a text in quotes",
    bool: "true or false",
    dict: "a table",
}


class Table:
    """One table of the file: keys are taken by type, and none may be left over.

    Every method raises ``BoardConfigError``.
    """

    def __init__(self, name: str, values: dict[str, Any]) -> None:
        self._prefix = f"{name}." if name else ""
        self._values = dict(values)
        self._known: list[str] = []

    def take(self, key: str, kind: type[_T]) -> _T | None:
        """Return the value of ``key``, or ``None`` where it is not there."""
        self._known.append(key)
        value = self._values.pop(key, None)
        name = f"{self._prefix}{key}"
        if isinstance(value, int) and value.bit_length() > _MOST_BITS:
            raise BoardConfigError(f"{name} has more than {_MOST_BITS} bits")
        # Not ``isinstance``: to Python ``true`` is a number.
        if value is None or type(value) is kind:
            return value
        raise BoardConfigError(f"{name} is {_shown(value)}", hint=f"{name} is {_KINDS[kind]}")

    def table(self, key: str) -> Table:
        """Return the table ``key``, empty where it is not there."""
        return Table(f"{self._prefix}{key}", self.take(key, dict) or {})

    def finish(self) -> None:
        """Raise ``BoardConfigError`` for a key that nobody took."""
        # A key with a typing mistake would otherwise leave the default in force, and nobody would
        # see why.
        for key in self._values:
            raise BoardConfigError(
                f"{self._prefix}{key} is no key of a board", hint=one_of(self._known)
            )


def read_geometry(table: Table) -> Geometry | None:
    """Return the geometry that ``[spiffs]`` gives, ``None`` where it gives nothing."""
    name = table.take("preset", str)
    if name is not None and name not in PRESETS:
        raise BoardConfigError(f"spiffs.preset is {name!r}", hint=one_of(PRESETS))
    kinds = {item.name: bool if item.type == "bool" else int for item in fields(Geometry)}
    given = {key: table.take(key, kinds[key]) for key in GEOMETRY_KEYS}
    values: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    table.finish()
    if name is None and not values:
        return None
    try:
        return replace(PRESETS[name or "maixpy"], **values)
    except GeometryError as reason:
        raise BoardConfigError(f"spiffs: {reason}") from reason


def read_bytes(text: str | None) -> bytes | None:
    """Return the bytes of the key ``unique_id``, ``None`` where it is not there."""
    if text is None:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError as reason:
        raise BoardConfigError(f"unique_id is {text!r}", hint="32 bytes in hex") from reason


def _shown(value: object) -> str:
    """Return a value for a message, cut to a line; a nested one may hold numbers of any length."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__}"
    return text if len(text) <= _LINE else f"{text[:_LINE]}..."


def one_of(names: Iterable[str]) -> str:
    """Return a hint that lists what can be said."""
    return f"one of {', '.join(names)}"


@dataclass(frozen=True)
class SdConfig:
    """The card and what the firmware does with it.

    ``image`` is a card image or a block device, relative to the board's folder or absolute;
    ``None`` leaves the slot empty. ``read_only`` makes it a card that refuses writing; ``kind``
    is the value of a ``CardKind``. ``mount_all`` mounts the second and further good partitions
    on /sd2 to /sd4; the firmware means to, and stops after the first. ``fat_dates`` is
    ``right``, or ``firmware`` for its dates, which are 60 years late.
    """

    image: str | None = None
    read_only: bool = False
    kind: str | None = None
    mount_all: bool = True
    fat_dates: str = "right"

    def __post_init__(self) -> None:
        if self.fat_dates not in FAT_DATES:
            raise BoardConfigError(f"sd.fat_dates is {self.fat_dates!r}", hint=one_of(FAT_DATES))
        if self.kind is not None and self.kind not in _kinds():
            raise BoardConfigError(f"sd.kind is {self.kind!r}", hint=one_of(_kinds()))
        if self.image is not None and (not self.image or "\0" in self.image):
            raise BoardConfigError(
                f"sd.image is {self.image!r}", hint="the path of a card image; none: no card"
            )

    @property
    def firmware_dates(self) -> bool:
        """Whether files get the firmware's dates."""
        return self.fat_dates == "firmware"

    @property
    def card_kind(self) -> CardKind | None:
        """The card's kind, ``None`` for the usual one of its size."""
        return None if self.kind is None else _kinds()[self.kind]

    def path(self, folder: str | os.PathLike[str]) -> Path | None:
        """Return where the card of the board in ``folder`` lies, ``None`` for an empty slot."""
        return None if self.image is None else Path(folder) / self.image

    @classmethod
    def read(cls, table: Table) -> SdConfig:
        """Take the keys of ``[sd]``; raises ``BoardConfigError`` for one that is wrong."""
        given = {
            "image": table.take("image", str),
            "read_only": table.take("read_only", bool),
            "kind": table.take("kind", str),
            "mount_all": table.take("mount_all", bool),
            "fat_dates": table.take("fat_dates", str),
        }
        table.finish()
        values: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        return cls(**values)

    def dump(self) -> dict[str, Any]:
        """Return the table: what differs from a board without a card."""
        values = asdict(self)
        return {
            item.name: values[item.name]
            for item in fields(self)
            if values[item.name] != item.default
        }


def _kinds() -> dict[str, CardKind]:
    from maixfs.sd.card import CardKind

    return {kind.value: kind for kind in CardKind}


def image_name(folder: Path, image: Path) -> str:
    """Return how ``board.toml`` names ``image``: relative where it lies in the board's folder."""
    place = folder.resolve()
    real = image.parent.resolve() / image.name
    return real.relative_to(place).as_posix() if real.is_relative_to(place) else str(real)


@dataclass(frozen=True)
class BoardConfig:
    """What a board is made of.

    ``flash_size`` is in bytes, ``cpu_hz`` is the clock that the firmware was built for.
    ``preset`` names the geometry where it is one of ``PRESETS``. ``kmodel_v4`` is whether the
    firmware was built to load models of version 4, as the full one is; with ``ignore_firmware``
    the board starts whatever lies where its firmware should be. Raises ``BoardConfigError`` where
    two values contradict each other.
    """

    part: str = field(default_factory=lambda: default_part().name)
    flash_size: int = DEFAULT_SIZE
    driver: str = "maixpy"
    profile: str = "maixpy"
    geometry: Geometry = PRESETS["maixpy"]
    cpu_hz: int = freqconf.CPU_DEFAULT
    unique_id: bytes = bytes(UNIQUE_ID_SIZE)
    sd: SdConfig = field(default_factory=SdConfig)
    kmodel_v4: bool = True
    ignore_firmware: bool = False

    def __post_init__(self) -> None:
        self._known("flash.part", find_part, self.part)
        self._known("profile", profile_of, self.profile)
        _demand(self.driver in DRIVERS, "flash.driver", f"is {self.driver!r}", one_of(DRIVERS))
        _demand(self.cpu_hz > 0, "cpu_hz", f"is {self.cpu_hz}", "a clock is over 0 Hz")
        size, unit = self.flash_size, self.geometry.erase_size
        _demand(
            0 < size <= MAX_SIZE and size % unit == 0,
            "flash.size",
            f"is {size}",
            f"bytes, a multiple of {unit} and at most {MAX_SIZE}",
        )
        end = self.geometry.base + self.geometry.size
        _demand(
            self.geometry.size > 0 and end <= size,
            "spiffs",
            f"reaches to {end:#x}, past the end of the flash at {size:#x}",
            "give spiffs.base and spiffs.size that fit",
        )
        length = len(self.unique_id)
        _demand(length == UNIQUE_ID_SIZE, "unique_id", f"has {length} bytes", "it takes 32 bytes")

    @property
    def chip_part(self) -> Part:
        """The flash chip's type, with this board's size."""
        return find_part(self.part).resized(self.flash_size)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> BoardConfig:
        """Read the configuration in a board's folder; nothing is written.

        Raises ``BoardError`` for a folder that is no board and ``BoardConfigError`` for a file
        that is wrong.
        """
        path = Path(folder) / CONFIG_NAME
        try:
            text = read_file(path, _LARGEST).decode()
        except FileNotFoundError:
            raise BoardError(
                f"{folder} is not a board: it has no {CONFIG_NAME}",
                fix=(Command("new", (str(folder),)),),
            ) from None
        except UnicodeDecodeError as reason:
            raise BoardConfigError(f"{path} is no text: {reason.reason}") from reason
        except DeviceError as error:
            raise BoardError(str(error), hint=error.hint) from error
        try:
            return cls.parse(text)
        except BoardConfigError as error:
            raise BoardConfigError(f"{path}: {error}", hint=error.hint) from error

    @classmethod
    def parse(cls, text: str) -> BoardConfig:
        """Read the text of a ``board.toml``; raises ``BoardConfigError`` naming the key."""
        try:
            document = tomllib.loads(text)
        except (ValueError, RecursionError) as reason:
            # Python's limits too: the digits of a number, the depth of nested tables.
            raise BoardConfigError(f"not TOML: {reason}") from reason
        top = Table("", document)
        # Before all other keys: a newer format may have some that would be refused here with a
        # wrong hint.
        version = top.take("format", int)
        _demand(version is not None, "format", "is missing", f"format = {FORMAT}")
        if version is not None and not 1 <= version <= FORMAT:
            hint = "it comes from a newer maixfs" if version > FORMAT else None
            raise BoardConfigError(
                f"format is {version}, this program reads up to {FORMAT}", hint=hint
            )
        flash = top.table("flash")
        values: dict[str, Any] = {
            "part": flash.take("part", str),
            "flash_size": flash.take("size", int),
            "driver": flash.take("driver", str),
            "profile": top.take("profile", str),
            "geometry": read_geometry(top.table("spiffs")),
            "cpu_hz": top.take("cpu_hz", int),
            "unique_id": read_bytes(top.take("unique_id", str)),
            "sd": SdConfig.read(top.table("sd")),
            "kmodel_v4": _one_flag(top.table("kpu"), "kmodel_v4"),
            "ignore_firmware": _one_flag(top.table("boot"), "ignore_firmware"),
        }
        flash.finish()
        top.finish()
        return cls(**{name: value for name, value in values.items() if value is not None})

    def dump(self) -> str:
        """Return the text of a ``board.toml``."""
        import tomli_w

        document: dict[str, Any] = {
            "format": FORMAT,
            "profile": self.profile,
            "cpu_hz": self.cpu_hz,
            "unique_id": self.unique_id.hex(),
            "flash": {"part": self.part, "size": self.flash_size, "driver": self.driver},
            "spiffs": self._spiffs(),
        }
        if card := self.sd.dump():
            document["sd"] = card
        if not self.kmodel_v4:
            document["kpu"] = {"kmodel_v4": False}
        if self.ignore_firmware:
            document["boot"] = {"ignore_firmware": True}
        return f"# A virtual MaixPy board; {FLASH_NAME} is its flash.\n{tomli_w.dumps(document)}"

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write ``board.toml`` into ``folder``: the new file replaces the old one whole.

        Raises ``BoardError`` where the host refuses.
        """
        with as_board_error():
            write_file(Path(folder) / CONFIG_NAME, (self.dump().encode(),))
        # After board.toml: a kill in between leaves one of the two, and so still a board folder.
        with suppress(OSError):
            (Path(folder) / DRAFT_NAME).unlink(missing_ok=True)

    def save_draft(self, folder: str | os.PathLike[str]) -> None:
        """Write what ``save`` writes into a file beside ``board.toml``: the board is half made.

        ``save`` removes it. Raises ``BoardError``.
        """
        with as_board_error():
            write_file(Path(folder) / DRAFT_NAME, (self.dump().encode(),), durable=False)

    def _spiffs(self) -> dict[str, Any]:
        """Return the shortest table that says the geometry."""
        for name, preset in PRESETS.items():
            if preset == self.geometry:
                return {"preset": name}
        return {key: getattr(self.geometry, key) for key in GEOMETRY_KEYS}

    def _known(self, key: str, find: Any, name: str) -> None:
        try:
            find(name)
        except (NorError, UsageError) as reason:
            raise BoardConfigError(f"{key}: {reason}", hint=reason.hint) from reason


def usual_part(size: int) -> str:
    """Return the name of the part that a chip of ``size`` bytes is taken for."""
    part = part_for(size)
    return part.name if part in parts() else default_part().name


def _one_flag(table: Table, key: str) -> bool | None:
    """Return the only key of a table."""
    value = table.take(key, bool)
    table.finish()
    return value


def _demand(holds: bool, key: str, what: str, hint: str) -> None:
    if not holds:
        raise BoardConfigError(f"{key} {what}", hint=hint)
