"""The card of a board that is off: which image lies in its slot, as ``board.toml`` says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.errors import MaixfsError
from maixfs.host.files import is_protected
from maixfs.image.boardconfig import BoardConfig
from maixfs.image.boarderrors import BoardError
from maixfs.image.boardlock import BoardLock, CardLock
from maixfs.image.sdconfig import CARD_NAME, SdConfig, image_name
from maixfs.sd.errors import SdError, SectorError
from maixfs.sd.journal import finish
from maixfs.sd.media import FileSectors

if TYPE_CHECKING:
    from maixfs.sd.card import CardKind, SdCard
    from maixfs.sd.device import SectorDevice

PathLike = str | os.PathLike[str]

OnFailure = Callable[[SectorError], object]


class CardImage(FileSectors):
    """A card's image in a slot: the host's disk is waited for once, when it is closed.

    ``on_failure`` hears of the first error of the host (a full disk, say): the board's programs
    see a card that does not answer.
    """

    def __init__(
        self, path: PathLike, *, read_only: bool, on_failure: OnFailure | None = None
    ) -> None:
        super().__init__(path, read_only=read_only)
        self._on_failure = on_failure

    def sync(self) -> None:
        """Do nothing: what is written is the host's already, whatever becomes of this process."""

    def close(self) -> None:
        """Have the host keep what was written, and let the file go."""
        try:
            super().sync()
        finally:
            super().close()

    def peek(self, sector: int, count: int) -> bytes:
        """Return sectors."""
        try:
            return super().peek(sector, count)
        except SectorError as error:
            self._tell(error)
            raise

    def _load(self, offset: int, view: memoryview) -> None:
        try:
            super()._load(offset, view)
        except SectorError as error:
            self._tell(error)
            raise

    def _store(self, offset: int, view: memoryview) -> None:
        try:
            super()._store(offset, view)
        except SectorError as error:
            self._tell(error)
            raise

    def _tell(self, error: SectorError) -> None:
        listener, self._on_failure = self._on_failure, None
        if listener is not None:
            listener(error)


def insert_card(
    folder: PathLike, image: PathLike, *, read_only: bool = False, copy: bool = False
) -> BoardConfig:
    """Put the card image or block device ``image`` into the slot of the board in ``folder``.

    The board uses the file itself, or with ``copy`` its own ``sd.img``, which is made now.
    ``read_only`` makes it a card that refuses writing. Nothing is written to ``image``. Raises
    ``BoardError`` for an image that cannot be used that way and where a card is in the slot,
    ``BoardBusyError`` where the board or the image is in use.
    """
    place, card = Path(folder), Path(image)
    with _switched_off(place) as config:
        refuse_second(config, place)
        with opened_card(card, read_only=read_only or copy) as sectors:
            card_over(sectors, config.sd.card_kind)
            if copy:
                card = _copy(sectors, place)
        return keep_inserted(config, place, card, read_only=read_only)


def eject_card(folder: PathLike) -> Path:
    """Take the card out of the slot of the board in ``folder``; return its image, which stays.

    Raises ``BoardError`` where no card is in the slot, ``BoardBusyError`` where the board is on.
    """
    place = Path(folder)
    with _switched_off(place) as config:
        card = config.sd.path(place)
        if card is None:
            raise no_card(place)
        keep_ejected(config, place)
        return card


def slot_of_new(folder: Path, sd: int | PathLike | None) -> SdConfig:
    """Return the slot of a board that is to be made in ``folder``: see ``Board.create``."""
    if sd is None:
        return SdConfig()
    if isinstance(sd, int):
        return SdConfig(image=CARD_NAME)
    with opened_card(Path(sd), read_only=False) as sectors:
        card_over(sectors, None)
        return SdConfig(image=image_name(folder, Path(sd)))


def make_card(path: Path, size: int) -> None:
    """Make the image of a new card of ``size`` bytes; raises ``BoardError``."""
    from maixfs.cards.make import new_card

    try:
        new_card(path, size)
    except MaixfsError as reason:
        raise BoardError(str(reason), hint=reason.hint) from reason


def keep_inserted(
    config: BoardConfig, folder: Path, card: Path, *, read_only: bool
) -> BoardConfig:
    """Write into ``board.toml`` that the image ``card`` is in the slot; return what it says."""
    name = image_name(folder, card)
    changed = replace(config, sd=replace(config.sd, image=name, read_only=read_only))
    changed.save(folder)
    return changed


def keep_ejected(config: BoardConfig, folder: Path) -> BoardConfig:
    """Write into ``board.toml`` that the slot is empty; return what it says."""
    changed = replace(config, sd=replace(config.sd, image=None, read_only=False))
    changed.save(folder)
    return changed


def refuse_second(config: BoardConfig, folder: Path) -> None:
    """Raise ``BoardError`` where a card is in the slot already."""
    if config.sd.image is not None:
        raise BoardError(
            f"{config.sd.path(folder)} is in the slot of {folder} already",
            hint=f"maixfs sd eject {folder}",
        )


def no_card(folder: Path) -> BoardError:
    """Return the error for an empty slot."""
    return BoardError(f"no card is in the slot of {folder}")


@contextmanager
def opened_card(
    path: Path, *, read_only: bool, on_failure: OnFailure | None = None
) -> Iterator[CardImage]:
    """Open the image of a card, which nobody else may write meanwhile.

    What a killed writer left to be done on it is done first. Raises ``BoardError`` for one that
    is missing, write-protected or no image of a card and ``BoardBusyError`` where another board
    uses it.
    """
    if not read_only and is_protected(path):
        raise BoardError(f"{path} is write-protected", hint="insert it read-only")
    try:
        sectors = CardImage(path, read_only=read_only, on_failure=on_failure)
    except SectorError as reason:
        raise BoardError(str(reason), hint=reason.hint) from reason
    with sectors:
        lock = CardLock(path, read_only=read_only)
        try:
            _finish(path)
            yield sectors
        finally:
            lock.release()


def _finish(path: Path) -> None:
    try:
        finish(path)
    except SectorError as reason:
        raise BoardError(str(reason), hint=reason.hint) from reason


def card_over(sectors: SectorDevice, kind: CardKind | None) -> SdCard:
    """Return the card of ``kind`` that has these sectors; raises ``BoardError``."""
    from maixfs.sd.card import SdCard

    try:
        return SdCard(sectors, kind)
    except SdError as reason:
        raise BoardError(str(reason), hint=reason.hint) from reason


@contextmanager
def _switched_off(folder: Path) -> Iterator[BoardConfig]:
    """Have the folder of a board that is off; yield what it is made of."""
    BoardConfig.load(folder)  # a folder that is no board gets no lock file
    with BoardLock(folder):
        yield BoardConfig.load(folder)


def _copy(source: FileSectors, folder: Path) -> Path:
    """Copy a card into ``folder``; what is zero takes no room."""
    from maixfs.cards.extents import copy_extents, data_extents
    from maixfs.cards.newimage import new_image

    target = folder / CARD_NAME
    if target.exists():
        raise BoardError(
            f"{target} exists already",
            hint=f"remove it for another copy, or insert it: maixfs sd insert {folder} {target}",
        )
    try:
        with new_image(target, source.sectors) as copy:
            copy_extents(source, copy, data_extents(source, 0, source.sectors))
    except MaixfsError as reason:
        raise BoardError(str(reason), hint=reason.hint) from reason
    return target
