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

    [kpu]
    kmodel_v4 = true

    [boot]
    ignore_firmware = false

``[spiffs]`` names a preset, gives the fields of a ``Geometry``, or both (the fields then change
the preset). ``[sd]`` is told in ``sdconfig``. What is left out is as on a MaixPy board.
"""

from __future__ import annotations

import os
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maixfs.errors import DeviceError, UsageError
from maixfs.firmware import freqconf
from maixfs.host.drafts import write_file
from maixfs.host.files import read_file
from maixfs.image.boarderrors import BoardConfigError, BoardError, as_board_error
from maixfs.image.sdconfig import SdConfig
from maixfs.image.tables import GEOMETRY_KEYS, Table, one_of, read_bytes, read_geometry
from maixfs.nor.chip import DEFAULT_SIZE, MAX_SIZE
from maixfs.nor.drivers import DRIVERS
from maixfs.nor.errors import NorError
from maixfs.nor.parts import Part, default_part, find_part, part_for, parts
from maixfs.spiffs.geometry import PRESETS, Geometry
from maixfs.vfs.profile import profile_of

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
                f"{folder} is no board: it has no {CONFIG_NAME}", hint=f"maixfs new {folder}"
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
