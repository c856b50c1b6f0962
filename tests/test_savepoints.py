"""Both overlays against plain bytes: reads, changes, nested savepoints."""

from __future__ import annotations

import errno
from collections import Counter
from typing import Protocol

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from maixfs.errors import DeviceError
from maixfs.nor import OverlayFlash
from maixfs.nor.errors import NorError
from maixfs.nor.view import ImageDevice
from maixfs.savepoints import Savepoint
from maixfs.sd.media import RamSectors
from maixfs.sd.overlay import Overlay

SIZE = 6 * 4096
CONTENT = bytes(range(256)) * (SIZE // 256)


class AnyOverlay(Protocol):
    """What both overlays have."""

    def savepoint(self) -> Savepoint: ...
    def rollback(self, token: Savepoint) -> None: ...
    def release(self, token: Savepoint) -> None: ...
    def changed_since(self, token: Savepoint) -> bool: ...
    def clear(self) -> None: ...


def contents(overlay: AnyOverlay) -> bytes:
    if isinstance(overlay, OverlayFlash):
        return overlay.read(0, SIZE)
    assert isinstance(overlay, Overlay)
    return overlay.read(0, SIZE // 512)


def below(overlay: AnyOverlay) -> bytes:
    if isinstance(overlay, OverlayFlash):
        return overlay.below.read(0, SIZE)
    assert isinstance(overlay, Overlay)
    return overlay.below.read(0, SIZE // 512)


class Transactions(RuleBasedStateMachine):
    """Savepoints of any overlay; subclasses change it and ``model``."""

    overlay: AnyOverlay

    @initialize()
    def begin(self) -> None:
        self.model = bytearray(CONTENT)
        self.erases: Counter[int] = Counter()
        self.tokens: list[tuple[Savepoint, bytes, Counter[int]]] = []
        self.ended: list[Savepoint] = []

    @rule()
    def savepoint(self) -> None:
        token = self.overlay.savepoint()
        self.tokens.append((token, bytes(self.model), self.erases.copy()))

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def rollback(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.tokens) - 1))
        token, content, erases = self.tokens[at]
        self.overlay.rollback(token)
        self.model[:], self.erases = content, erases.copy()
        self._end(at)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.tokens) - 1))
        self.overlay.release(self.tokens[at][0])
        self._end(at)

    @rule()
    def clear(self) -> None:
        self.overlay.clear()
        self.model[:] = CONTENT
        self.erases.clear()
        self._end(0)

    def _end(self, at: int) -> None:
        self.ended += [token for token, _, _ in self.tokens[at:]]
        del self.tokens[at:]

    @invariant()
    def equals_the_model(self) -> None:
        if not hasattr(self, "model"):
            return
        assert contents(self.overlay) == self.model
        assert below(self.overlay) == CONTENT
        for token, content, _ in self.tokens:
            assert self.overlay.changed_since(token) == (content != self.model)

    @invariant()
    def refuses_ended_tokens(self) -> None:
        for token in getattr(self, "ended", [])[-2:]:
            for method in (self.overlay.rollback, self.overlay.release):
                with pytest.raises(ValueError, match="savepoint"):
                    method(token)


class FlashTransactions(Transactions):
    def __init__(self) -> None:
        super().__init__()
        self.overlay: OverlayFlash = OverlayFlash(ImageDevice(CONTENT))

    @rule(address=st.integers(0, SIZE), data=st.binary(max_size=9000))
    def program(self, address: int, data: bytes) -> None:
        data = data[: SIZE - address]
        self.overlay.program(address, data)
        for offset, byte in enumerate(data, address):
            self.model[offset] &= byte

    @rule(address=st.integers(0, SIZE), data=st.binary(max_size=9000))
    def poke(self, address: int, data: bytes) -> None:
        data = data[: SIZE - address]
        self.overlay.poke(address, memoryview(data))
        self.model[address : address + len(data)] = data

    @rule(sector=st.integers(0, 5), count=st.integers(0, 3))
    def erase(self, sector: int, count: int) -> None:
        count = min(count, 6 - sector)
        self.overlay.erase(sector * 4096, count * 4096)
        self.model[sector * 4096 : (sector + count) * 4096] = b"\xff" * 4096 * count
        self.erases.update(range(sector, sector + count))

    @rule(address=st.integers(0, SIZE), length=st.integers(0, 9000))
    def read(self, address: int, length: int) -> None:
        length = min(length, SIZE - address)
        assert self.overlay.read(address, length) == self.model[address : address + length]

    @invariant()
    def counts_erases_and_changes(self) -> None:
        if not hasattr(self, "model"):
            return
        assert self.overlay.erases == self.erases
        changed = [
            at
            for at in range(0, SIZE, 4096)
            if self.model[at : at + 4096] != CONTENT[at : at + 4096]
        ]
        assert [*self.overlay.changed_sectors()] == changed


class CardTransactions(Transactions):
    def __init__(self) -> None:
        super().__init__()
        self.overlay: Overlay = Overlay(RamSectors(SIZE // 512, CONTENT))

    @rule(
        sector=st.integers(0, 47), byte=st.binary(min_size=1, max_size=1), count=st.integers(0, 30)
    )
    def write(self, sector: int, byte: bytes, count: int) -> None:
        data = byte * min(count * 512, SIZE - sector * 512)
        self.overlay.write(sector, data)
        self.model[sector * 512 : sector * 512 + len(data)] = data

    @rule(sector=st.integers(0, 47), count=st.integers(0, 30))
    def zero(self, sector: int, count: int) -> None:
        count = min(count, 48 - sector)
        self.overlay.zero(sector, count)
        self.model[sector * 512 : (sector + count) * 512] = bytes(count * 512)


@pytest.mark.parametrize("machine", [FlashTransactions, CardTransactions])
def test_overlay_equals_plain_bytes(machine: type[Transactions]) -> None:
    run_state_machine_as_test(machine)


@pytest.fixture(params=["flash", "card"])
def overlay(request: pytest.FixtureRequest) -> AnyOverlay:
    if request.param == "flash":
        return OverlayFlash(ImageDevice(CONTENT))
    return Overlay(RamSectors(SIZE // 512, CONTENT))


def put(overlay: AnyOverlay, byte: bytes) -> None:
    """Change the first sector of 512 bytes."""
    if isinstance(overlay, OverlayFlash):
        overlay.poke(0, byte * 512)
    else:
        assert isinstance(overlay, Overlay)
        overlay.write(0, byte * 512)


def test_rollback_of_an_outer_savepoint_undoes_released_inner_changes(
    overlay: AnyOverlay,
) -> None:
    outer = overlay.savepoint()
    inner = overlay.savepoint()
    put(overlay, b"1")
    overlay.release(inner)
    put(overlay, b"2")
    overlay.rollback(outer)
    assert contents(overlay) == CONTENT


def test_a_token_of_another_device_is_refused(overlay: AnyOverlay) -> None:
    foreign = OverlayFlash(ImageDevice(CONTENT)).savepoint()
    own = overlay.savepoint()
    put(overlay, b"1")
    for method in (overlay.rollback, overlay.release, overlay.changed_since):
        with pytest.raises(ValueError, match="another device"):
            method(foreign)  # type: ignore[operator]
    overlay.rollback(own)
    assert contents(overlay) == CONTENT


def test_rollback_can_be_repeated_after_an_interrupt(
    overlay: AnyOverlay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    token = overlay.savepoint()
    put(overlay, b"1")
    with monkeypatch.context() as patch:
        patch.setattr(overlay._undo, "_restore", interrupt)  # type: ignore[attr-defined]
        with pytest.raises(KeyboardInterrupt):
            overlay.rollback(token)
    overlay.rollback(token)
    assert contents(overlay) == CONTENT


def test_a_file_of_an_odd_length_is_padded_with_erased_bytes() -> None:
    flash = OverlayFlash(ImageDevice(CONTENT[:5000]))
    assert flash.size == 8192
    assert flash.read(4096, 4096) == CONTENT[4096:5000] + b"\xff" * 3192
    flash.program(6000, b"\x0f")
    assert flash.read(6000, 2) == b"\x0f\xff"
    assert flash.image() == CONTENT[:5000]
    flash.erase(4096, 4096)
    assert flash.image() == CONTENT[:4096] + b"\xff" * 904


def test_flash_arguments_out_of_range_raise_einval_and_change_nothing() -> None:
    flash = OverlayFlash(ImageDevice(CONTENT))
    for work in (
        lambda: flash.read(SIZE, 1),
        lambda: flash.read(-1, 1),
        lambda: flash.read(0, -1),
        lambda: flash.program(SIZE - 1, b"12"),
        lambda: flash.program(-1, b"1"),
        lambda: flash.poke(SIZE - 1, b"12"),
        lambda: flash.erase(1, 4096),
        lambda: flash.erase(0, 100),
        lambda: flash.erase(SIZE, 4096),
    ):
        with pytest.raises(NorError) as caught:
            work()
        assert isinstance(caught.value, DeviceError)
        assert caught.value.errno == errno.EINVAL
    for data in ("text", 5, [1, 2]):
        with pytest.raises(TypeError):
            flash.program(0, data)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            flash.poke(0, data)  # type: ignore[arg-type]
    assert flash.read(0, SIZE) == CONTENT
    assert not flash.erases
