"""The card slot: the image that ``board.toml`` names, the card in it, and the driver in RAM."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.errors import Command, MaixfsError
from maixfs.host.files import is_protected
from maixfs.image.boardconfig import CARD_NAME, BoardConfig, SdConfig, image_name
from maixfs.image.boardlock import BoardError, BoardLock, CardLock
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
    """The image of a card in a slot; it is synced to the host's disk only when it is closed.

    ``on_failure`` is called with the first error of the host, such as a full disk: the program
    on the board only sees a card that does not answer.
    """

    def __init__(
        self, path: PathLike, *, read_only: bool, on_failure: OnFailure | None = None
    ) -> None:
        super().__init__(path, read_only=read_only)
        self._on_failure = on_failure

    def sync(self) -> None:
        """Do nothing: written data is in the host's page cache and survives this process."""

    def close(self) -> None:
        """Sync the file to the host's disk and close it."""
        try:
            super().sync()
        finally:
            super().close()

    def peek(self, sector: int, count: int) -> bytes:
        """Return sectors."""
        try:
            return super().peek(sector, count)
        except SectorError as error:
            self._report(error)
            raise

    def _load(self, offset: int, view: memoryview) -> None:
        try:
            super()._load(offset, view)
        except SectorError as error:
            self._report(error)
            raise

    def _store(self, offset: int, view: memoryview) -> None:
        try:
            super()._store(offset, view)
        except SectorError as error:
            self._report(error)
            raise

    def _report(self, error: SectorError) -> None:
        # Once: a program that retries would repeat the message for every sector.
        listener, self._on_failure = self._on_failure, None
        if listener is not None:
            listener(error)


def insert_card(
    folder: PathLike, image: PathLike, *, read_only: bool = False, copy: bool = False
) -> BoardConfig:
    """Insert the card image or block device ``image`` into the board in ``folder``.

    The board uses the file itself; with ``copy`` it uses a copy, which is written to its
    ``sd.img`` now. With ``read_only`` the card refuses writes. ``image`` is not changed. Raises
    ``BoardError`` for an unusable image or an occupied slot, ``BoardBusyError`` if the board or
    the image is in use.
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
    """Remove the card from the board in ``folder``; return the path of its image, which stays.

    Raises ``BoardError`` if the slot is empty, ``BoardBusyError`` if the board is powered on.
    """
    place = Path(folder)
    with _switched_off(place) as config:
        card = config.sd.path(place)
        if card is None:
            raise no_card(place)
        keep_ejected(config, place)
        return card


def slot_of_new(folder: Path, sd: int | PathLike | None) -> SdConfig:
    """Return the slot of a new board in ``folder``; ``sd`` is the argument of ``Board.create``."""
    if sd is None:
        return SdConfig()
    if isinstance(sd, int):
        return SdConfig(image=CARD_NAME)
    with opened_card(Path(sd), read_only=False) as sectors:
        card_over(sectors, None)
        return SdConfig(image=image_name(folder, Path(sd)))


def make_card(path: Path, size: int) -> None:
    """Create the image of a card of ``size`` bytes; raises ``BoardError``."""
    from maixfs.cards.make import new_card

    try:
        new_card(path, size)
    except MaixfsError as reason:
        raise BoardError(str(reason), hint=reason.hint) from reason


def keep_inserted(
    config: BoardConfig, folder: Path, card: Path, *, read_only: bool
) -> BoardConfig:
    """Write to ``board.toml`` that ``card`` is in the slot; return the new configuration."""
    name = image_name(folder, card)
    changed = replace(config, sd=replace(config.sd, image=name, read_only=read_only))
    changed.save(folder)
    return changed


def keep_ejected(config: BoardConfig, folder: Path) -> BoardConfig:
    """Write to ``board.toml`` that the slot is empty; return the new configuration."""
    changed = replace(config, sd=replace(config.sd, image=None, read_only=False))
    changed.save(folder)
    return changed


def refuse_second(config: BoardConfig, folder: Path) -> None:
    """Raise ``BoardError`` if the slot is occupied."""
    if config.sd.image is not None:
        raise BoardError(
            f"{config.sd.path(folder)} is in the slot of {folder} already",
            fix=(Command("sd eject", (str(folder),)),),
        )


def no_card(folder: Path) -> BoardError:
    """Return the error for an empty slot."""
    return BoardError(f"no card is in the slot of {folder}")


@contextmanager
def opened_card(
    path: Path, *, read_only: bool, on_failure: OnFailure | None = None
) -> Iterator[CardImage]:
    """Open and lock the image of a card.

    A journal that a killed writer left is completed first. Raises ``BoardError`` for an image
    that is missing, write-protected or not a card, ``BoardBusyError`` if another board uses it.
    """
    # Root may write it all the same, but the mode says that it must not change.
    if not read_only and is_protected(path):
        raise BoardError(f"{path} is write-protected", hint="insert it read-only")
    try:
        sectors = CardImage(path, read_only=read_only, on_failure=on_failure)
    except SectorError as reason:
        raise BoardError(str(reason), hint=reason.hint) from reason
    with sectors:
        lock = CardLock(path, read_only=read_only)
        try:
            # Under the lock: two processes must not complete one journal.
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
    """Return a card of ``kind`` with these sectors; raises ``BoardError``."""
    from maixfs.sd.card import SdCard

    try:
        return SdCard(sectors, kind)
    except SdError as reason:
        raise BoardError(str(reason), hint=reason.hint) from reason


@contextmanager
def _switched_off(folder: Path) -> Iterator[BoardConfig]:
    """Lock the folder of a board, which must be powered off; yield its configuration."""
    BoardConfig.load(folder)  # do not create a lock file in a folder that is not a board
    with BoardLock(folder):
        yield BoardConfig.load(folder)


def _copy(source: FileSectors, folder: Path) -> Path:
    """Copy a card to ``sd.img`` in ``folder``; ranges of zeros become holes."""
    from maixfs.cards.extents import copy_extents, data_extents
    from maixfs.cards.newimage import new_image

    target = folder / CARD_NAME
    if target.exists():
        raise BoardError(
            f"{target} exists already",
            hint="remove it for another copy, or insert it as it is",
            fix=(Command("sd insert", (str(folder), str(target))),),
        )
    try:
        with new_image(target, source.sectors) as copy:
            copy_extents(source, copy, data_extents(source, 0, source.sectors))
    except MaixfsError as reason:
        raise BoardError(str(reason), hint=reason.hint) from reason
    return target


# The slot


class CardSlot:
    """The slot of a powered board; it closes the image of a card that is removed.

    ``clock`` counts the time of reads and writes, in nanoseconds since the board was opened.
    ``on_failure`` is called with the first error of a card's image on the host.
    """

    def __init__(self, on_failure: OnFailure | None = None) -> None:
        self.clock = SdClock()
        self._on_failure = on_failure
        self._slot: SdSlot | None = None  # created for the first card: many boards have none
        self._holding = ExitStack()

    @property
    def card(self) -> SdCard | None:
        """The inserted card."""
        return None if self._slot is None else self._slot.card

    @property
    def device(self) -> SlotDevice | None:
        """The card as the firmware reads and writes it; ``None`` before its initialisation."""
        return None if self._slot is None else self._slot.device

    def init(self) -> SlotDevice:
        """Initialise the card as the firmware does; an earlier ``device`` fails from now on.

        Raises ``SdError`` if the slot is empty or the initialisation fails.
        """
        if self._slot is None:
            raise SdError("no card is in the slot")
        return self._slot.init()

    def insert_image(self, path: Path, config: SdConfig) -> None:
        """Insert the card in an image file or block device, with the settings of ``config``.

        Raises ``BoardError`` for an unusable image, ``BoardBusyError`` if another board uses it.
        """
        # If the card is refused, the stack closes the file and releases its lock.
        with ExitStack() as holding:
            opened = opened_card(path, read_only=config.read_only, on_failure=self._on_failure)
            sectors = holding.enter_context(opened)
            self.insert_card(sectors, config.card_kind)
            self._holding = holding.pop_all()

    def insert_card(self, card: SdCard | SectorDevice, kind: CardKind | None = None) -> None:
        """Insert a card, or a card of ``kind`` with these sectors; raises ``BoardError``."""
        from maixfs.sd.card import SdCard
        from maixfs.sd.slot import SdSlot

        if self._slot is None:
            self._slot = SdSlot(self.clock)
        self._slot.insert(card if isinstance(card, SdCard) else card_over(card, kind))

    def eject(self) -> None:
        """Remove the card, if there is one, and close its image."""
        if self._slot is not None:
            self._slot.remove()
        self._holding.close()

    def close(self) -> None:
        """Remove the card: the board is powered off."""
        self.eject()


# The firmware's driver


class CardPort:
    """The state of the firmware's card driver, kept from one initialisation to the next.

    ``active`` is True if the last initialisation succeeded, ``sectors`` the size that it found.
    """

    def __init__(self, slot: CardSlot) -> None:
        self._slot = slot
        self.active = False
        self.sectors = 0

    def init(self) -> SlotDevice:
        """Initialise the card; raises ``SdError`` if no card answers as the firmware expects.

        Devices of earlier initialisations fail from now on.
        """
        self.active = False
        device = self._slot.init()
        self.active = True
        self.sectors = device.sectors
        return device

    def power_on(self) -> bool:
        """Initialise the card in use again; return True if there is one and it answers."""
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
        """Forget the card until the next initialisation; a mounted volume goes on working."""
        self.active = False
