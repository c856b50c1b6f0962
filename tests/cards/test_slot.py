"""The doctor asks a card in a slot: does it start up in SPI mode, and stay in?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maixfs.cards import examine, examine_slot
from maixfs.sd.card import Faults, SdCard
from maixfs.sd.media import RamSectors
from maixfs.sd.slot import SdSlot

CardCopy = Callable[[str], RamSectors]


@pytest.mark.parametrize(
    "faults", [Faults(refuses_spi=True), Faults(never_ready=True)], ids=["no SPI", "never ready"]
)
def test_slot_with_a_card_that_does_not_start_is_reported(
    faults: Faults, card_copy: CardCopy
) -> None:
    slot = SdSlot()
    slot.insert(SdCard(card_copy("part1_0c"), faults=faults))
    report = examine_slot(slot.init)
    assert [found.key for found in report.findings] == ["no-spi-mode"]
    assert report.findings[0].fix
    assert (report.mountable, report.sectors) == (False, 0)


def test_empty_slot_is_reported() -> None:
    assert not examine_slot(SdSlot().init).mountable


def test_slot_with_a_card_that_starts_is_examined(card_copy: CardCopy) -> None:
    slot = SdSlot()
    card = slot.insert(card_copy("part2"))
    report = examine_slot(slot.init)
    assert report.mountable
    assert report.partitions == examine(card.medium).partitions


def test_card_that_is_pulled_out_is_reported(card_copy: CardCopy) -> None:
    slot = SdSlot()
    slot.insert(card_copy("part1_0c"))
    device = slot.init()
    slot.remove()
    report = examine(device)
    assert [found.key for found in report.findings] == ["unreadable"]
