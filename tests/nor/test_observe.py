"""Observers: they are called before and after each operation, and can stop it."""

from __future__ import annotations

import pytest

from maixfs.nor import DeviceClock, NorChip, NorEvent, Observer, make_driver


class Trace(Observer):
    """Keeps every event, and the bytes of its range before and after it."""

    def __init__(self) -> None:
        self.events: list[NorEvent] = []
        self.announced: list[NorEvent] = []
        self.old: list[bytes] = []
        self.new: list[bytes] = []

    def before(self, chip: NorChip, event: NorEvent) -> None:
        self.announced.append(event)
        self.old.append(chip.peek(event.address, event.length))

    def after(self, chip: NorChip, event: NorEvent) -> None:
        self.events.append(event)
        self.new.append(chip.peek(event.address, event.length))


class PowerLostError(Exception):
    pass


class PowerCut(Observer):
    """Cuts the power at the nth program or erase, after writing ``torn``."""

    def __init__(self, at: int, torn: bytes = b"") -> None:
        self.left = at
        self.torn = torn

    def before(self, chip: NorChip, event: NorEvent) -> None:
        if event.kind == "read":
            return
        if self.left == 0:
            chip.poke(event.address, self.torn)
            raise PowerLostError
        self.left -= 1


@pytest.fixture
def chip() -> NorChip:
    return NorChip.in_memory(content=bytes(0x30000))


def test_events_have_kind_address_cause_and_data(chip):
    trace = Trace()
    chip.attach(trace)
    with chip.cause("format"):
        chip.erase(0x8000, 0x18000)
        with chip.cause("magic"):
            chip.program(0x80FE, b"abcd")
        chip.read(0x80FE, 4)
    chip.erase_sector(0)
    assert trace.events == [
        NorEvent("erase", 0x8000, 0x8000, "format"),
        NorEvent("erase", 0x10000, 0x10000, "format"),
        NorEvent("program", 0x80FE, 2, "magic", b"ab"),
        NorEvent("program", 0x8100, 2, "magic", b"cd"),
        NorEvent("read", 0x80FE, 4, "format"),
        NorEvent("erase", 0, 0x1000),
    ]
    assert trace.announced == trace.events
    assert trace.new == [e.outcome(old) for e, old in zip(trace.events, trace.old, strict=True)]
    assert trace.new[2] == b"ab"


def test_cause_ends_with_its_block_after_an_error_too(chip):
    with pytest.raises(PowerLostError), chip.cause("gc"):
        assert chip.current_cause == "gc"
        raise PowerLostError
    assert chip.current_cause is None


def test_observer_that_raises_stops_the_operation(chip):
    chip.attach(PowerCut(0))
    with pytest.raises(PowerLostError):
        chip.erase_sector(0)
    with pytest.raises(PowerLostError):
        chip.page_program(0x10000, b"x")
    assert chip.peek(0, 0x30000) == bytes(0x30000)
    assert chip.wear.total() == 0


def test_cut_between_pages_keeps_the_pages_before_it(chip):
    chip.erase(0, 0x1000)
    chip.attach(PowerCut(2, torn=b"to"))
    with pytest.raises(PowerLostError):
        chip.program(0x80, b"p" * 0x300)
    assert chip.peek(0x80, 0x300) == b"p" * 0x180 + b"to" + b"\xff" * 0x17E


@pytest.mark.parametrize("at", range(18))
def test_cut_in_a_literal_write_loses_the_sector_from_there_on(at):
    chip = NorChip.in_memory(content=b"\x11" * 0x2000)
    flash = make_driver("literal", chip)
    cut = PowerCut(at)
    chip.attach(cut)
    if at == 17:
        flash.program(0x800, b"\x7e")
    else:
        with pytest.raises(PowerLostError):
            flash.program(0x800, b"\x7e")
    whole = b"\x11" * 0x800 + b"\x7e" + b"\x11" * 0x7FF
    pages = max(at - 1, 0)
    if at == 0:
        assert chip.peek(0, 0x1000) == b"\x11" * 0x1000
    else:
        left = whole[: pages * 256]
        assert chip.peek(0, 0x1000) == left + b"\xff" * (0x1000 - len(left))
    assert chip.peek(0x1000, 0x1000) == b"\x11" * 0x1000


def test_observers_are_called_in_order_until_they_are_detached(chip):
    first, second = Trace(), Trace()
    chip.attach(first)
    chip.attach(second)
    assert chip.observers == (first, second)
    chip.read(0, 1)
    chip.detach(first)
    chip.detach(first)
    chip.read(0, 1)
    assert (len(first.events), len(second.events)) == (1, 2)


def test_commands_to_a_busy_chip_are_events_with_dropped_set(chip):
    trace = Trace()
    chip.clock = DeviceClock()
    chip.attach(trace)
    chip.erase_sector(0)
    chip.erase_sector(0x1000)
    chip.page_program(0, b"x")
    chip.read(0, 2)
    assert [(e.kind, e.dropped) for e in trace.events] == [
        ("erase", False),
        ("erase", True),
        ("program", True),
        ("read", True),
    ]
    assert trace.events[1].outcome(b"old") == b"old"
    assert chip.clock.counts["dropped"] == 3


def test_drivers_pass_causes_to_the_chip(chip):
    trace = Trace()
    flash = make_driver("maixpy", chip)
    chip.attach(trace)
    with flash.cause("gc"):
        flash.erase(0, 0x2000)
    assert [(e.cause, e.dropped) for e in trace.events] == [("gc", False), ("gc", True)]
