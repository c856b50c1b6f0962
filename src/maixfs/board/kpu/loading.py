"""Loading a model: the reads that the firmware makes, its answers, and the models in memory."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

from maixfs.board.firmware import RawFlash, SystemMemory
from maixfs.board.kpu.model import LoadedModel
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
from maixfs.tuples import NamedTuple
from maixfs.vfs import PlainOSError, Vfs

# Models in memory


class Handle:
    """The model of a task: ``model`` is ``None`` before ``load`` and after ``deinit``."""

    __slots__ = ("model",)

    def __init__(self) -> None:
        self.model: LoadedModel | None = None


class ModelStore:
    """The loaded models of a running board; they use ``memory``.

    The model of a task that a program dropped stays until the garbage collector runs.
    """

    def __init__(self, memory: SystemMemory) -> None:
        self._memory = memory
        self._owned: list[tuple[weakref.ref[object], Handle]] = []

    @property
    def free(self) -> int:
        """Bytes of memory that are not in use."""
        return self._memory.free

    @property
    def count(self) -> int:
        """Number of loaded models."""
        return sum(handle.model is not None for _, handle in self._owned)

    def own(self, task: object, handle: Handle) -> None:
        """Register ``handle``: ``collect`` frees its model once ``task`` is gone."""
        self._owned.append((weakref.ref(task), handle))

    def put(self, handle: Handle, answer: LoadResult, data: bytes) -> None:
        """Store a loaded model in a handle."""
        self._memory.take(answer.memory)
        handle.model = LoadedModel(answer, data)

    def drop(self, handle: Handle) -> None:
        """Free a handle's model, if it has one."""
        # deinit may come before the garbage collector: the memory is returned once.
        if handle.model is not None:
            self._memory.take(-handle.model.answer.memory)
            handle.model = None

    def collect(self) -> int:
        """Free the models whose tasks are gone; return the number of these tasks."""
        gone = [handle for task, handle in self._owned if task() is None]
        self._owned = [entry for entry in self._owned if entry[0]() is not None]
        for handle in gone:
            self.drop(handle)
        return len(gone)


# Reading models

_WORD = 0xFFFFFFFF
_ROW = ondisk.V3Layer.size
_V4_HEAD = ondisk.V4Header.size
_FIRST = 8
"""Bytes of a file that the firmware checks before it reads the rest."""
_FLASH_HEAD = 4096
"""Bytes that ``kpu.load_flash`` reads."""
_READ_ON = (KpuCode.NONE, KpuCode.DECRYPT)
_BAUD = (2, 65534)
"""Smallest and largest divider of the SPI clock (``spi_set_clk_rate``)."""


class Loading(NamedTuple):
    """The answer of the firmware, and the bytes of the model if it was loaded."""

    answer: LoadResult
    data: bytes = b""


class Loader:
    """Reads models from raw flash and from files.

    The reads are those of the firmware, in its order, so that they take the time that they take
    on a board; ``maixfs.kmodel`` decides the answer. ``v4_support`` is True if the firmware was
    built with it; ``cpu_hz`` is the clock from which the SPI clock is derived.
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
        """Load as ``kpu.load(address)``: read the records, then the whole model in one read."""
        address &= _WORD
        if refused := self._refusal(address):
            return Loading(refused)
        with held():  # one lock for all reads is faster than one for each
            return self._read_model(address)

    def from_file(self, path: str) -> Loading:
        """Load as ``kpu.load(path)``: read the first words, then the whole file in one read."""
        if self._store.count >= MAX_MODELS:
            return Loading(self._coded(KpuCode.MODELS_FULL))
        try:
            with self._vfs.open_native(path) as file:
                size = file.seek(0, 2)
                file.seek(0)
                head = file.read(_FIRST)
                file.seek(0)
                # These bytes and the size decide whether it reads on; zeros stand for the rest.
                answer = self._answer(head + bytes(min(size, SRAM + 1) - len(head)), file=True)
                if answer.code not in _READ_ON:
                    return Loading(answer)
                data = file.read(size)
        except PlainOSError:
            # Only an error that a program sees is an answer: errors of the chip's host file pass.
            return Loading(self._coded(KpuCode.READ_FILE))
        answer = self._answer(data, file=True)
        return Loading(answer, data if answer.loads else b"")

    def from_reversed(self, address: int, speed: int, *, dual_buffer: bool) -> Loading:
        """Load as ``kpu.load_flash``: only the first 4 KiB are copied to memory."""
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
        # The layers stay on flash; the copy is only for functions that inspect the model.
        size = min(answer.size + 3 & ~3, SRAM) if answer.loads else 0
        return Loading(answer, reverse_words(self._raw.view(address, size)))

    def _read_model(self, address: int) -> Loading:
        head = self._raw.read(address, ondisk.V3Header.size)
        flash = self._raw.view(address, SRAM)
        if bytes(flash[: len(head)]) != head[: len(flash)]:
            flash = memoryview(head)  # the chip is busy with an erase and reads as 0xFF
        answer = self._answer(flash)
        for offset, length in self._record_reads(flash):
            self._raw.read(address + offset, length)
        return Loading(answer, self._raw.read(address, answer.size) if answer.loads else b"")

    def _refusal(self, address: int) -> LoadResult | None:
        """Return the answer to a call that is refused before the flash is read."""
        if self._store.count >= MAX_MODELS:
            return self._coded(KpuCode.MODELS_FULL)
        return None if address else self._coded(KpuCode.PARAM)

    def _coded(self, code: KpuCode) -> LoadResult:
        return LoadResult(code, kpu_words(code, v4_support=self._v4_support))

    def _answer(self, data: bytes | memoryview, *, file: bool = False) -> LoadResult:
        free = self._store.free
        return load_result(data, v4_support=self._v4_support, from_file=file, free=free)

    def _record_reads(self, flash: memoryview) -> Iterator[tuple[int, int]]:
        """Yield offset and length of the reads with which the firmware finds the model's size."""
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
    """Yield one read for each row of the layer table; a layer of no bytes ends it."""
    outputs = _word(flash, ondisk.V3Header.offset_of("output_count"))
    layers = _word(flash, ondisk.V3Header.offset_of("layers_length"))
    first = ondisk.V3Header.size + ondisk.V3Output.size * outputs
    for offset in range(first, min(first + _ROW * layers, len(flash)), _ROW):
        yield offset, _ROW
        if not _word(flash, offset + ondisk.V3Layer.offset_of("body_size")):
            return


def _word(flash: memoryview, offset: int) -> int:
    return int.from_bytes(bytes(flash[offset : offset + 4]).ljust(4, b"\xff"), "little")
