"""``[sd]`` of ``board.toml``: the card in the slot, and how the firmware treats it.

    [sd]
    image = "sd.img"
    read_only = false
    kind = "SDHC"
    mount_all = true
    fat_dates = "right"

Without ``image`` the slot is empty, without ``kind`` the card is of the kind that is sold in its
size. What else is left out is as above.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maixfs.image.boarderrors import BoardConfigError
from maixfs.image.tables import Table, one_of

if TYPE_CHECKING:
    from maixfs.sd.card import CardKind

CARD_NAME = "sd.img"
"""The card that is made together with a board, in its folder."""

FAT_DATES = ("right", "firmware")


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
