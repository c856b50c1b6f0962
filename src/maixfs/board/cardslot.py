"""The card slot: the image that ``board.toml`` names, the card in it, and the driver in RAM."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.errors import MaixfsError
from maixfs.host.files import is_protected
from maixfs.image.boardconfig import BoardConfig
from maixfs.image.boarderrors import BoardError
from maixfs.image.boardlock import BoardLock, CardLock
from maixfs.image.sdconfig import CARD_NAME, SdConfig, image_name
from maixfs.sd.clock import SdClock
from maixfs.sd.errors import SdError, SectorError
from maixfs.sd.journal import finish
from maixfs.sd.media import FileSectors

if TYPE_CHECKING:
    from maixfs.sd.card import CardKind, SdCard
    from maixfs.sd.device import SectorDevice
    from maixfs.sd.slot import SdSlot, SlotDevice

# Card images

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
    from maixfs.cards.outfile import new_image

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


# The slot


class CardSlot:
    """A slot, empty at first; it closes the image of the card that leaves it.

    ``clock`` counts the time of reads and writes, nanoseconds since the board was opened.
    ``on_failure`` hears where the host's file of a card fails.
    """

    def __init__(self, on_failure: OnFailure | None = None) -> None:
        self.clock = SdClock()
        self._on_failure = on_failure
        self._slot: SdSlot | None = None  # made for the first card: many boards have none
        self._holding = ExitStack()

    @property
    def card(self) -> SdCard | None:
        """The card that is in."""
        return None if self._slot is None else self._slot.card

    @property
    def device(self) -> SlotDevice | None:
        """The card as the firmware reads and writes it; ``None`` before it was started."""
        return None if self._slot is None else self._slot.device

    def init(self) -> SlotDevice:
        """Start the card as the firmware does; an earlier ``device`` fails from now on.

        Raises ``SdError`` where no card is in or the firmware gives it up.
        """
        if self._slot is None:
            raise SdError("no card is in the slot")
        return self._slot.init()

    def insert_image(self, path: Path, config: SdConfig) -> None:
        """Put in the card that is in a file or a block device, as ``config`` has it.

        Raises ``BoardError`` for an image that cannot be used and ``BoardBusyError`` for one
        that another board uses.
        """
        with ExitStack() as holding:
            opened = opened_card(path, read_only=config.read_only, on_failure=self._on_failure)
            sectors = holding.enter_context(opened)
            self.insert_card(sectors, config.card_kind)
            self._holding = holding.pop_all()

    def insert_card(self, card: SdCard | SectorDevice, kind: CardKind | None = None) -> None:
        """Put in a card, or one of ``kind`` over sectors; raises ``BoardError``."""
        from maixfs.sd.card import SdCard
        from maixfs.sd.slot import SdSlot

        if self._slot is None:
            self._slot = SdSlot(self.clock)
        self._slot.insert(card if isinstance(card, SdCard) else card_over(card, kind))

    def eject(self) -> None:
        """Pull the card out, if there is one, and close its image."""
        if self._slot is not None:
            self._slot.remove()
        self._holding.close()

    def close(self) -> None:
        """Let go of the card's image: the board is off."""
        self.eject()


# The firmware's driver


class CardPort:
    """The driver of ``slot`` as the firmware has it in RAM.

    ``active`` says that the last start of a card went well, ``sectors`` how large it was.
    """

    def __init__(self, slot: CardSlot) -> None:
        self._slot = slot
        self.active = False
        self.sectors = 0

    def init(self) -> SlotDevice:
        """Start the card anew; raises ``SdError`` where none answers as the firmware expects.

        What an earlier start gave fails from now on.
        """
        self.active = False
        device = self._slot.init()
        self.active = True
        self.sectors = device.sectors
        return device

    def power_on(self) -> bool:
        """Start the card that is in use once more; tell whether there is one and it answered."""
        device = self._slot.device
        if not self.active or device is None:
            self.active = False
            return False
        try:
            device.driver.init()
        except SdError:
            self.active = False
        return self.active

    def power_off(self) -> None:
        """Take it that no card is there, until the next start; a mounted one goes on working."""
        self.active = False
