"""How the firmware gets at a model: which reads it makes, and what it answers.

``maixfs.kmodel`` knows the answers to bytes; here these are read as the firmware reads
them, so that they cost what they cost on a board.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from maixfs.board.kpu.store import ModelStore
from maixfs.board.rawflash import RawFlash
from maixfs.host.interrupts import held
from maixfs.kmodel import (
    MAX_MODELS,
    SRAM,
    KpuCode,
    LoadResult,
    kpu_words,
    load_flash_result,
    load_result,
    ondisk,
    reverse_words,
)
from maixfs.vfs import PlainOSError, Vfs

_WORD = 0xFFFFFFFF
_ROW = ondisk.V3Layer.size
_V4_HEAD = ondisk.V4Header.size
_FIRST = 8
"""Bytes of a file that the firmware looks at before it reads the rest."""
_FLASH_HEAD = 4096
"""Bytes that ``kpu.load_flash`` reads."""
_READ_ON = (KpuCode.NONE, KpuCode.DECRYPT)
_BAUD = (2, 65534)
"""Least and greatest divider of the SPI clock (``spi_set_clk_rate``)."""


class Loading(NamedTuple):
    """The firmware's answer, and the model where it was loaded."""

    answer: LoadResult
    data: bytes = b""


class Loader:
    """Reads models from raw flash and from files.

    ``v4_support`` is whether the firmware was built with it; ``cpu_hz`` is the clock that SPI
    clocks are made from.
    """

    def __init__(
        self, raw: RawFlash, vfs: Vfs, store: ModelStore, *, v4_support: bool, cpu_hz: int
    ) -> None:
        self._raw = raw
        self._vfs = vfs
        self._store = store
        self._v4_support = v4_support
        self._cpu_hz = cpu_hz

    def from_flash(self, address: int) -> Loading:
        """``kpu.load(address)``: the records first, then all of the model in one read."""
        address &= _WORD
        if refused := self._refusal(address):
            return Loading(refused)
        with held():  # once for all reads
            return self._read_model(address)

    def from_file(self, path: str) -> Loading:
        """``kpu.load(path)``: the first words, then the whole file in one read."""
        if self._store.count >= MAX_MODELS:
            return Loading(self._coded(KpuCode.MODELS_FULL))
        try:
            with self._vfs.open_native(path) as file:
                size = file.seek(0, 2)
                file.seek(0)
                head = file.read(_FIRST)
                file.seek(0)
                # What the firmware says before it knows the rest does not depend on that.
                answer = self._answer(head + bytes(min(size, SRAM + 1) - len(head)), file=True)
                if answer.code not in _READ_ON:
                    return Loading(answer)
                data = file.read(size)
        except PlainOSError:
            # The file cannot be read. Errors of the chip itself are OSErrors too, and pass.
            return Loading(self._coded(KpuCode.READ_FILE))
        answer = self._answer(data, file=True)
        return Loading(answer, data if answer.loads else b"")

    def from_reversed(self, address: int, speed: int, *, dual_buffer: bool) -> Loading:
        """``kpu.load_flash``: only the first 4 KiB come into memory."""
        address &= _WORD
        if refused := self._refusal(address):
            return Loading(refused)
        answer = load_flash_result(
            self._raw.read(address, _FLASH_HEAD),
            v4_support=self._v4_support,
            frequency=self._spi_hz(speed & _WORD),
            dual_buffer=dual_buffer,
            free=self._store.free,
        )
        size = min(answer.size + 3 & ~3, SRAM) if answer.loads else 0
        return Loading(answer, reverse_words(self._raw.view(address, size)))

    def _read_model(self, address: int) -> Loading:
        head = self._raw.read(address, ondisk.V3Header.size)
        flash = self._raw.view(address, SRAM)
        if bytes(flash[: len(head)]) != head[: len(flash)]:
            flash = memoryview(head)  # a chip that is busy with an erase reads as erased
        answer = self._answer(flash)
        for offset, length in self._record_reads(flash):
            self._raw.read(address + offset, length)
        return Loading(answer, self._raw.read(address, answer.size) if answer.loads else b"")

    def _refusal(self, address: int) -> LoadResult | None:
        """What is looked at before the flash."""
        if self._store.count >= MAX_MODELS:
            return self._coded(KpuCode.MODELS_FULL)
        return None if address else self._coded(KpuCode.PARAM)

    def _coded(self, code: KpuCode) -> LoadResult:
        return LoadResult(code, kpu_words(code, v4_support=self._v4_support))

    def _answer(self, data: bytes | memoryview, *, file: bool = False) -> LoadResult:
        free = self._store.free
        return load_result(data, v4_support=self._v4_support, from_file=file, free=free)

    def _record_reads(self, flash: memoryview) -> Iterator[tuple[int, int]]:
        """Yield offset and length of what is read to find the model's size."""
        word = _word(flash, 0)
        if word == ondisk.V3_VERSION:
            yield from _v3_rows(flash)
        elif word == ondisk.IDENTIFIER and self._v4_support:
            yield 0, _V4_HEAD
            head = ondisk.V4Header.unpack(bytes(flash[:_V4_HEAD]).ljust(_V4_HEAD, b"\xff"))
            table = ondisk.V4Node.size * head.nodes
            if table <= self._store.free:
                inputs = head.inputs * (ondisk.V4Range.size + ondisk.V4Shape.size)
                outputs = head.outputs * ondisk.V4Range.size
                yield _V4_HEAD + head.constants + inputs + outputs & _WORD, table

    def _spi_hz(self, speed: int) -> int:
        least, most = _BAUD
        divider = self._cpu_hz // speed if speed else most
        return self._cpu_hz // min(max(divider, least), most)


def _v3_rows(flash: memoryview) -> Iterator[tuple[int, int]]:
    """Each row of the table of layers is a read of its own; a layer without a body ends it."""
    outputs = _word(flash, ondisk.V3Header.offset_of("output_count"))
    layers = _word(flash, ondisk.V3Header.offset_of("layers_length"))
    first = ondisk.V3Header.size + ondisk.V3Output.size * outputs
    for offset in range(first, min(first + _ROW * layers, len(flash)), _ROW):
        yield offset, _ROW
        if not _word(flash, offset + ondisk.V3Layer.offset_of("body_size")):
            return


def _word(flash: memoryview, offset: int) -> int:
    return int.from_bytes(bytes(flash[offset : offset + 4]).ljust(4, b"\xff"), "little")
