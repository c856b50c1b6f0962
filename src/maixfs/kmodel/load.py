"""What ``kpu.load`` and ``kpu.load_flash`` answer, check by check as the firmware makes them.

The firmware looks at less than a careful reader would: it loads files whose layers are nonsense,
and some it does not survive (docs/SPEC.md, section 27.7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from maixfs.kmodel import ondisk
from maixfs.kmodel.kpucode import MOST_MODELS, KpuCode, kpu_words
from maixfs.kmodel.memory import (
    CONTEXT,
    COPY_SLACK,
    NODE_INTERPRETER,
    SRAM,
    memory_budget,
)
from maixfs.kmodel.reader import Buffer, reverse_words, words_of

_WORD = 0xFFFFFFFF
_PATIENCE = 0x20000
"""Rows of layers that the board reads one by one before we call it stuck."""
_FLASH_HEAD = 4096
"""So much of a model is all that ``kpu.load_flash`` reads at first."""
_SEALED = (ondisk.SMODEL_V3, ondisk.SMODEL_V4, ondisk.EMODEL)
SIZE_PRINTED = "model size err\r\n"
SEALED_PRINTED = "encrypted model\r\n"
_OTHER_BOARD = "it is encrypted, and loads only on the board that it was made for"


class LoadResult(NamedTuple):
    """An answer of the firmware."""

    code: KpuCode = KpuCode.NONE
    words: str = "ERR_NONE"
    """What the firmware says to the number."""
    printed: str = ""
    """What the board prints before it answers."""
    size: int = 0
    """``task.model_size()`` of a loaded model."""
    layers: int = 0
    """How many layers ``kpu.set_layers`` allows."""
    memory: int = 0
    """Bytes that a loaded model holds."""
    crash: str | None = None
    """Why the board stops instead of answering."""
    note: str | None = None
    """What the answer depends on."""

    @property
    def loads(self) -> bool:
        """Whether the model is loaded."""
        return self.code is KpuCode.NONE and self.crash is None

    @property
    def message(self) -> str:
        """Text of the ``ValueError`` that a program sees."""
        return f"[MAIXPY]kpu: load error:{int(self.code)}, {self.words}"


class _RefusedError(Exception):
    """Leaves this module as a ``LoadResult``, and so does the next."""

    def __init__(self, code: KpuCode, printed: str = "", note: str | None = None) -> None:
        super().__init__(code)
        self.code, self.printed, self.note = code, printed, note


class _CrashError(Exception):
    pass


class _Board(NamedTuple):
    """What the answer depends on besides the model."""

    v4_support: bool
    free: int


def load_result(
    data: Buffer,
    *,
    v4_support: bool,
    from_file: bool = False,
    free: int | None = None,
    loaded: int = 0,
) -> LoadResult:
    """Return what ``kpu.load`` answers.

    ``data`` is the flash from the model's address to its end, or the content of a file;
    ``free`` is the memory that the board has left in bytes, ``loaded`` how many models it has
    loaded already.
    """
    board = _Board(v4_support, memory_budget() if free is None else free)
    load = _load_file if from_file else _load_flash
    return _answer(lambda: load(memoryview(data).cast("B"), board), board, loaded)


def load_flash_result(
    data: Buffer,
    *,
    v4_support: bool,
    frequency: int,
    dual_buffer: bool = False,
    free: int | None = None,
    loaded: int = 0,
) -> LoadResult:
    """Return what ``kpu.load_flash`` answers for a model of which each word is reversed.

    ``frequency`` in Hz is what SPI runs at. The message of the error begins
    ``[MAIXPY]kpu: load_flash error``.
    """
    board = _Board(v4_support, memory_budget() if free is None else free)
    head = reverse_words(memoryview(data).cast("B")[:_FLASH_HEAD])
    answer = _answer(lambda: _load_head(head, board, 1 + dual_buffer), board, loaded)
    said = f"SPI freq {frequency} Hz\r\n"
    return answer if answer.code is KpuCode.MODELS_FULL else answer._replace(printed=said)


def _answer(load: Callable[[], LoadResult], board: _Board, loaded: int) -> LoadResult:
    try:
        if loaded >= MOST_MODELS:
            raise _RefusedError(KpuCode.MODELS_FULL)
        return load()
    except _RefusedError as refused:
        words = kpu_words(refused.code, v4_support=board.v4_support)
        return LoadResult(refused.code, words, refused.printed, note=refused.note)
    except _CrashError as crashed:
        return LoadResult(crash=str(crashed))


def _load_flash(flash: memoryview, board: _Board) -> LoadResult:
    """From an address: the size comes from the model."""
    word = _word(flash, 0)
    if word == ondisk.V3_VERSION:
        size = _v3_flash_size(flash)
    elif word == ondisk.IDENTIFIER and board.v4_support:
        size = _v4_flash_size(flash, board.free)
    elif word in _SEALED:
        size = _word(flash, 4)
    else:
        raise _RefusedError(KpuCode.KMODEL_VERSION)
    if not 1 <= size <= SRAM:
        raise _RefusedError(KpuCode.KMODEL_FORMAT, SIZE_PRINTED)
    return _copy(flash, size, board)


def _load_file(file: memoryview, board: _Board) -> LoadResult:
    """From a file: the size is that of the file, and no layer is looked at."""
    if len(file) < 8:
        raise _RefusedError(KpuCode.READ_FILE)
    word = _word(file, 0)
    if word not in (ondisk.V3_VERSION, ondisk.IDENTIFIER, *_SEALED):
        raise _RefusedError(KpuCode.KMODEL_VERSION)
    size = _word(file, 4) if word in _SEALED else len(file)
    if not 1 <= size <= SRAM:
        raise _RefusedError(KpuCode.KMODEL_FORMAT)
    return _copy(file, size, board)


def _copy(data: memoryview, size: int, board: _Board) -> LoadResult:
    """What happens once the size is known, wherever the model comes from."""
    word = _word(data, 0)
    if word == ondisk.EMODEL:
        raise _RefusedError(KpuCode.UNKNOWN, note=_OTHER_BOARD)
    if word in (ondisk.IDENTIFIER, ondisk.SMODEL_V4) and not board.v4_support:
        raise _RefusedError(KpuCode.KMODEL_VERSION)
    if word in _SEALED and size % ondisk.SEALED_UNIT:
        raise _RefusedError(KpuCode.KMODEL_FORMAT)
    taken = size + COPY_SLACK + CONTEXT
    if taken > board.free:
        raise _RefusedError(KpuCode.NO_MEM)
    if word in _SEALED:
        raise _RefusedError(KpuCode.DECRYPT, SEALED_PRINTED, _OTHER_BOARD)
    if word == ondisk.IDENTIFIER:
        return _start_v4(data, size, taken, board)
    return _start_v3(data, size, taken, board)


def _start_v3(data: memoryview, size: int, taken: int, board: _Board) -> LoadResult:
    head = _v3_header(data)
    if head.arch:
        raise _RefusedError(KpuCode.KMODEL_VERSION)
    if taken + head.main_mem_usage > board.free:
        raise _RefusedError(KpuCode.NO_MEM)
    _expect_table(head.layers_length)
    bodies = sum(_body_sizes(data, *_v3_table(head))) & _WORD
    if bodies > SRAM:
        raise _CrashError(f"it copies 0x{bodies:X} bytes of layers, more than there is memory")
    return LoadResult(size=size, layers=head.layers_length, memory=taken + head.main_mem_usage)


def _start_v4(data: memoryview, size: int, taken: int, board: _Board) -> LoadResult:
    head = _v4_header(data)
    taken += head.main_mem + NODE_INTERPRETER
    if head.version != 4 or head.target > 1:
        raise _CrashError(
            "the runtime for v4 refuses it, but the firmware goes on without a model"
        )
    if taken > board.free:
        raise _CrashError("there is no main memory for it, but the firmware goes on without")
    computed = _v4_size(head, data)
    if computed > SRAM:
        raise _CrashError(f"it copies 0x{computed:X} bytes, more than there is memory")
    return LoadResult(size=size, layers=head.nodes & 0xFFFF, memory=taken)


def _load_head(head: bytes, board: _Board, buffers: int) -> LoadResult:
    """``kpu.load_flash``: bodies stay in flash, buffers take the largest of them."""
    data = memoryview(head)
    taken = CONTEXT + _FLASH_HEAD + COPY_SLACK
    word = _word(data, 0)
    if word == ondisk.V3_VERSION and not (v3 := _v3_header(data)).arch:
        first, count = _v3_table(v3)
        _expect_table(count)
        sizes = _body_sizes(data, first, min(count, _FLASH_HEAD // 8))
        size, layers, main = first + 8 * count + sum(sizes), v3.layers_length, v3.main_mem_usage
    elif word == ondisk.IDENTIFIER and board.v4_support:
        v4 = _v4_header(data)
        if v4.version != 4 or v4.target > 1:
            raise _CrashError("the runtime for v4 refuses it, but the firmware goes on without")
        sizes = _body_sizes(data, _v4_table(v4), min(v4.nodes, _FLASH_HEAD // 8))
        size, layers, main = _v4_size(v4, data), v4.nodes & 0xFFFF, v4.main_mem
    else:
        raise _RefusedError(KpuCode.KMODEL_VERSION)
    taken += main + buffers * (max(sizes, default=0) + COPY_SLACK)
    if taken > board.free:
        raise _RefusedError(KpuCode.NO_MEM)
    return LoadResult(size=size & _WORD, layers=layers, memory=taken)


def _expect_table(layers: int) -> None:
    """The firmware adds up the sizes of all layers, wherever it reads them."""
    if 8 * layers > SRAM:
        raise _CrashError(f"it reads the sizes of {layers} layers, more than there is memory")


def _v3_header(data: memoryview) -> ondisk.V3Header:
    return ondisk.V3Header._make(ondisk.V3_HEADER.unpack(_bytes(data, ondisk.V3_HEADER.size)))


def _v4_header(data: memoryview) -> ondisk.V4Header:
    return ondisk.V4Header._make(ondisk.V4_HEADER.unpack(_bytes(data, ondisk.V4_HEADER.size)))


def _v3_table(head: ondisk.V3Header) -> tuple[int, int]:
    return ondisk.V3_HEADER.size + 8 * head.output_count & _WORD, head.layers_length


def _v4_table(head: ondisk.V4Header) -> int:
    ranges = 2 * head.inputs + head.outputs
    return head.constants + ondisk.V4_HEADER.size + 16 * ranges & _WORD


def _v3_flash_size(flash: memoryview) -> int:
    """The firmware reads the layers' sizes one by one, and stops at one without a body."""
    first, count = _v3_table(_v3_header(flash))
    sizes = _body_sizes(flash, first, count)
    if 0 in sizes:
        raise _RefusedError(KpuCode.KMODEL_FORMAT)
    if count > _PATIENCE:
        raise _CrashError(f"it reads the sizes of {count} layers one by one")
    return first + 8 * count + sum(sizes) & _WORD


def _v4_flash_size(flash: memoryview, free: int) -> int:
    """The firmware reads all node headers at once; v5 takes this way too."""
    head = _v4_header(flash)
    if 8 * head.nodes > free:
        raise _RefusedError(KpuCode.UNKNOWN)
    return _v4_size(head, flash)


def _v4_size(head: ondisk.V4Header, data: memoryview) -> int:
    first = _v4_table(head)
    return first + 8 * head.nodes + sum(_body_sizes(data, first, head.nodes)) & _WORD


def _body_sizes(data: memoryview, first: int, count: int) -> list[int]:
    """Return the second words of rows of a layer table, as far as they are there."""
    rows = min(count, _PATIENCE)
    return words_of(data[first : first + 8 * rows])[1::2].tolist()


def _word(data: memoryview, offset: int) -> int:
    return int.from_bytes(_bytes(data[offset:], 4), "little")


def _bytes(data: memoryview, length: int) -> bytes:
    """Return the first bytes; what is past the end counts as erased."""
    return bytes(data[:length]).ljust(length, b"\xff")
