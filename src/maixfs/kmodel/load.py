"""What ``kpu.load`` and ``kpu.load_flash`` answer, check by check as the firmware makes them.

The library that does it has no public source: the checks, their order and the sizes of its
buffers were read from the machine code in the firmware (docs/SPEC.md, section 27.7).
It checks less than a careful reader would: it loads files whose layers are nonsense, and some
crash it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from maixfs.kmodel import ondisk
from maixfs.kmodel.ondisk import Buffer, reverse_words, words_of
from maixfs.tuples import NamedTuple

# Memory of the board

SRAM = 0x600000
"""Bytes of the K210's general memory; the firmware refuses larger models too."""
FIRMWARE = 0x200000
"""Bytes of it that a full build of MaixPy takes; an estimate."""
GC_HEAP = 0x80000
"""Bytes of MicroPython's heap, unless /freq.conf sets another size."""
COPY_SLACK = 256
"""Bytes that the firmware allocates beyond a model to align its copy."""
CONTEXT = 192
"""Bytes of the firmware's record of a loaded model."""
NODE_INTERPRETER = 288
"""Bytes of the interpreter that a v4 model needs in addition."""


def memory_budget(*, firmware: int = FIRMWARE, gc_heap: int = GC_HEAP) -> int:
    """Return the bytes that are left for models and everything else that programs load."""
    return max(0, SRAM - firmware - gc_heap)


def fits_memory(need: int, *, firmware: int = FIRMWARE, gc_heap: int = GC_HEAP) -> bool:
    """Return True if a model of ``need`` bytes can be loaded while nothing else is."""
    overhead = COPY_SLACK + CONTEXT + NODE_INTERPRETER
    return need + overhead <= memory_budget(firmware=firmware, gc_heap=gc_heap)


# Error numbers of MaixPy's kpu module

MAX_MODELS = 5
"""How many models can be loaded at the same time."""


class KpuCode(IntEnum):
    """The numbers, with the firmware's names (one of them misspelt there)."""

    NONE = 0
    PARAM = 2001
    KMODEL_VERSION = 2002
    KMODEL_FORMAT = 2003
    DECRYPT = 2004
    READ_FILE = 2005
    NO_MEM = 2006
    GET_CONV_LAYER = 2007
    RUN_MODEL = 2008
    MODELS_FULL = 2009
    PERMITION = 2010
    IDX_OUTRANGE = 2011
    SIZE_NOTMATCH = 2012
    OUTPUTS_NODONE = 2013
    NOT_IMPLEMENT = 2014
    UNKNOWN = 2015


_WORDS = {
    KpuCode.NONE: "ERR_NONE",
    KpuCode.PARAM: "ERR_PARAM: please check param, load address or kmodel file name",
    KpuCode.KMODEL_VERSION: "ERR_KMODEL_VERSION: only support kmodel V3",
    KpuCode.KMODEL_FORMAT: "ERR_KMODEL_FORMAT: layer_header.body_size <=0",
    KpuCode.DECRYPT: "ERR_DECRYPT: check smodel match with your board",
    KpuCode.READ_FILE: "ERR_READ_FILE: read file failed",
    KpuCode.NO_MEM: "ERR_NO_MEM: memory not enough",
    KpuCode.GET_CONV_LAYER: "ERR_GET_CONV_LAYER: first layer should be conv layer",
    KpuCode.RUN_MODEL: "ERR_RUN_MODEL: maybe model dirty",
    KpuCode.MODELS_FULL: "ERR_MODELS_FULL: we only support load 5 models in the same time",
    KpuCode.PERMITION: "ERR_PERMITION",
    KpuCode.IDX_OUTRANGE: "SIPEED_KPU_ERR_IDX_OUTRANGE",
    KpuCode.SIZE_NOTMATCH: "SIPEED_KPU_ERR_SIZE_NOTMATCH",
    KpuCode.OUTPUTS_NODONE: "ERR_OUTPUTS_SET: need kpu.set_outputs() to set shape",
    KpuCode.NOT_IMPLEMENT: "ERR_NOT_IMPLEMENT",
    KpuCode.UNKNOWN: "ERR_UNKNOWN",
}


def kpu_words(code: int, *, v4_support: bool) -> str:
    """Return the firmware's text for an error number; unknown numbers give ``ERR_UNKNOWN``."""
    known = KpuCode(code) if code in KpuCode._value2member_map_ else KpuCode.UNKNOWN
    more = "/V4 now" if known is KpuCode.KMODEL_VERSION and v4_support else ""
    return _WORDS[known] + more


# The answer

_WORD = 0xFFFFFFFF
_MAX_ROWS = 0x20000
"""Rows of layers that the board reads one by one before the answer is that it hangs."""
_ROW = ondisk.V3Layer.size
"""Bytes of a row in the table of layers, and of nodes of v4: type and size of the body."""
_SEALED_LENGTH = ondisk.SealedHeader.offset_of("length")
_FLASH_HEAD = 4096
"""Bytes of a model that ``kpu.load_flash`` reads before it answers."""
SIZE_PRINTED = "model size err\r\n"
SEALED_PRINTED = "encrypted model\r\n"
ENCRYPTED_NOTE = "it is encrypted, and loads only on the board that it was made for"


class LoadResult(NamedTuple):
    """The firmware's answer to loading a model; sizes in bytes."""

    code: KpuCode = KpuCode.NONE
    words: str = "ERR_NONE"
    """The firmware's text for the number."""
    printed: str = ""
    """What the board prints before it answers."""
    size: int = 0
    """``task.model_size()`` of a loaded model."""
    layers: int = 0
    """Layers that ``kpu.set_layers`` allows."""
    memory: int = 0
    """Bytes that the loaded model takes."""
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
    """The firmware refuses the model; ``_answer`` turns this into a ``LoadResult``."""

    def __init__(self, code: KpuCode, printed: str = "", note: str | None = None) -> None:
        super().__init__(code)
        self.code, self.printed, self.note = code, printed, note


class _CrashError(Exception):
    """The firmware crashes or hangs; the text says why."""


class _Board(NamedTuple):
    """The properties of a board that the answer depends on."""

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

    ``data`` is the flash from the model's address to the end of the chip, or the content of a
    file. ``free`` is the board's free memory in bytes, ``loaded`` the number of models that are
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
    """Return what ``kpu.load_flash`` answers for a model whose words are reversed.

    ``frequency`` is that of the SPI bus, Hz. The message of its error begins
    ``[MAIXPY]kpu: load_flash error``.
    """
    board = _Board(v4_support, memory_budget() if free is None else free)
    head = reverse_words(memoryview(data).cast("B")[:_FLASH_HEAD])
    answer = _answer(lambda: _load_head(head, board, 1 + dual_buffer), board, loaded)
    printed = f"SPI freq {frequency} Hz\r\n"
    return answer if answer.code is KpuCode.MODELS_FULL else answer._replace(printed=printed)


def _answer(load: Callable[[], LoadResult], board: _Board, loaded: int) -> LoadResult:
    try:
        if loaded >= MAX_MODELS:
            raise _RefusedError(KpuCode.MODELS_FULL)
        return load()
    except _RefusedError as refused:
        words = kpu_words(refused.code, v4_support=board.v4_support)
        return LoadResult(refused.code, words, refused.printed, note=refused.note)
    except _CrashError as crashed:
        return LoadResult(crash=str(crashed))


def _load_flash(flash: memoryview, board: _Board) -> LoadResult:
    """Load from an address: the size comes from the model's records."""
    # The first word alone decides how the size is found; version 1 is not among the cases.
    word = _word(flash, 0)
    if word == ondisk.V3_VERSION:
        size = _v3_flash_size(flash)
    elif word == ondisk.IDENTIFIER and board.v4_support:
        size = _v4_flash_size(flash, board.free)
    elif word in ondisk.SEALED:
        size = _word(flash, _SEALED_LENGTH)
    else:
        raise _RefusedError(KpuCode.KMODEL_VERSION)
    if not 1 <= size <= SRAM:
        raise _RefusedError(KpuCode.KMODEL_FORMAT, SIZE_PRINTED)
    return _copy(flash, size, board)


def _load_file(file: memoryview, board: _Board) -> LoadResult:
    """Load from a file: the size is that of the file, so no layer is read."""
    # From a file no layer is read, so that damaged tables pass here and fail later or never.
    if len(file) < 8:
        raise _RefusedError(KpuCode.READ_FILE)
    word = _word(file, 0)
    if word not in (ondisk.V3_VERSION, ondisk.IDENTIFIER, *ondisk.SEALED):
        raise _RefusedError(KpuCode.KMODEL_VERSION)
    size = _word(file, _SEALED_LENGTH) if word in ondisk.SEALED else len(file)
    if not 1 <= size <= SRAM:
        raise _RefusedError(KpuCode.KMODEL_FORMAT)
    return _copy(file, size, board)


def _copy(data: memoryview, size: int, board: _Board) -> LoadResult:
    """Copy a model of known size into memory and start it."""
    # The order of these checks is visible to programs: each has its own error number.
    word = _word(data, 0)
    if word == ondisk.EMODEL:
        raise _RefusedError(KpuCode.UNKNOWN, note=ENCRYPTED_NOTE)
    if word in (ondisk.IDENTIFIER, ondisk.SMODEL_V4) and not board.v4_support:
        raise _RefusedError(KpuCode.KMODEL_VERSION)
    if word in ondisk.SEALED and size % ondisk.SEALED_UNIT:
        raise _RefusedError(KpuCode.KMODEL_FORMAT)
    taken = size + COPY_SLACK + CONTEXT
    if taken > board.free:
        raise _RefusedError(KpuCode.NO_MEM)
    # Decryption comes after the allocation: a large encrypted model fails for memory first.
    if word in ondisk.SEALED:
        raise _RefusedError(KpuCode.DECRYPT, SEALED_PRINTED, ENCRYPTED_NOTE)
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
    # The sum is 32 bits wide in the firmware: sizes that overflow it pass as small ones.
    bodies = sum(_body_sizes(data, *_v3_table(head))) & _WORD
    if bodies > SRAM:
        raise _CrashError(f"it copies 0x{bodies:X} bytes of layers, more than there is memory")
    return LoadResult(size=size, layers=head.layers_length, memory=taken + head.main_mem_usage)


def _start_v4(data: memoryview, size: int, taken: int, board: _Board) -> LoadResult:
    head = _v4_header(data)
    taken += head.main_mem + NODE_INTERPRETER
    # The firmware ignores what the runtime returns: it goes on without a model, copies about 2 GiB
    # and does not come back.
    if head.version != 4 or head.target > 1:
        raise _CrashError(
            "the runtime for v4 refuses it, but the firmware goes on without a model"
        )
    if taken > board.free:
        raise _CrashError("there is no main memory for it, but the firmware goes on without")
    computed = _v4_size(head, data)
    if computed > SRAM:
        raise _CrashError(f"it copies 0x{computed:X} bytes, more than there is memory")
    # kpu.set_layers sees the low 16 bits of the number of nodes.
    return LoadResult(size=size, layers=head.nodes & 0xFFFF, memory=taken)


def _load_head(head: bytes, board: _Board, buffers: int) -> LoadResult:
    """Load for ``kpu.load_flash``: bodies stay in flash, each buffer holds the largest one."""
    data = memoryview(head)
    taken = CONTEXT + _FLASH_HEAD + COPY_SLACK
    word = _word(data, 0)
    if word == ondisk.V3_VERSION and not (v3 := _v3_header(data)).arch:
        # Only 4 KiB are in memory; the firmware does not check that the table ends there.
        first, count = _v3_table(v3)
        _expect_table(count)
        sizes = _body_sizes(data, first, min(count, _FLASH_HEAD // _ROW))
        size, layers, main = first + _ROW * count + sum(sizes), v3.layers_length, v3.main_mem_usage
    elif word == ondisk.IDENTIFIER and board.v4_support:
        v4 = _v4_header(data)
        if v4.version != 4 or v4.target > 1:
            raise _CrashError("the runtime for v4 refuses it, but the firmware goes on without")
        sizes = _body_sizes(data, _v4_table(v4), min(v4.nodes, _FLASH_HEAD // _ROW))
        size, layers, main = _v4_size(v4, data), v4.nodes & 0xFFFF, v4.main_mem
    else:
        raise _RefusedError(KpuCode.KMODEL_VERSION)
    # Each buffer receives one layer at a time, so it has the size of the largest.
    taken += main + buffers * (max(sizes, default=0) + COPY_SLACK)
    if taken > board.free:
        raise _RefusedError(KpuCode.NO_MEM)
    return LoadResult(size=size & _WORD, layers=layers, memory=taken)


def _expect_table(layers: int) -> None:
    """Raise ``_CrashError`` if the table of layers is longer than memory.

    The firmware adds up the sizes of all layers, wherever in memory that leads it.
    """
    if _ROW * layers > SRAM:
        raise _CrashError(f"it reads the sizes of {layers} layers, more than there is memory")


def _v3_header(data: memoryview) -> ondisk.V3Header:
    return ondisk.V3Header.unpack(_bytes(data, ondisk.V3Header.size))


def _v4_header(data: memoryview) -> ondisk.V4Header:
    return ondisk.V4Header.unpack(_bytes(data, ondisk.V4Header.size))


def _v3_table(head: ondisk.V3Header) -> tuple[int, int]:
    outputs = ondisk.V3Output.size * head.output_count
    return ondisk.V3Header.size + outputs & _WORD, head.layers_length


def _v4_table(head: ondisk.V4Header) -> int:
    tensors = (ondisk.V4Range.size + ondisk.V4Shape.size) * head.inputs
    tensors += ondisk.V4Range.size * head.outputs
    return head.constants + ondisk.V4Header.size + tensors & _WORD


def _v3_flash_size(flash: memoryview) -> int:
    """Return the size that the firmware computes; it stops at the first layer without a body."""
    first, count = _v3_table(_v3_header(flash))
    sizes = _body_sizes(flash, first, count)
    if 0 in sizes:
        raise _RefusedError(KpuCode.KMODEL_FORMAT)
    if count > _MAX_ROWS:
        raise _CrashError(f"it reads the sizes of {count} layers one by one")
    return first + _ROW * count + sum(sizes) & _WORD


def _v4_flash_size(flash: memoryview, free: int) -> int:
    """Return the size that the firmware computes from all node headers; of v5 models too."""
    head = _v4_header(flash)
    if _ROW * head.nodes > free:
        raise _RefusedError(KpuCode.UNKNOWN)
    return _v4_size(head, flash)


def _v4_size(head: ondisk.V4Header, data: memoryview) -> int:
    first = _v4_table(head)
    return first + _ROW * head.nodes + sum(_body_sizes(data, first, head.nodes)) & _WORD


def _body_sizes(data: memoryview, first: int, count: int) -> list[int]:
    """Return the sizes in a table of layers or nodes, as far as ``data`` reaches."""
    rows = min(count, _MAX_ROWS)
    return words_of(data[first : first + _ROW * rows])[1::2].tolist()


def _word(data: memoryview, offset: int) -> int:
    return int.from_bytes(_bytes(data[offset:], 4), "little")


def _bytes(data: memoryview, length: int) -> bytes:
    """Return the first bytes; bytes past the end read as erased flash."""
    return bytes(data[:length]).ljust(length, b"\xff")
