"""Models of every version, made from a few parameters, without the project's own records."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random

CONV = 10240
V3_TENSORS = 28
NAMES = {"stackvm": b"stackvm".ljust(16, b"\0"), "k210": b"k210".ljust(16, b"\0")}


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def kpu_arguments(width: int, height: int, channels: int, out: tuple[int, int, int]) -> bytes:
    """The KPU's twelve registers of a layer; ``out`` is width, height, channels."""
    registers = [0] * 12
    registers[2] = channels - 1 | (out[2] - 1) << 32
    registers[3] = width - 1 | height - 1 << 10 | (out[0] - 1) << 32 | (out[1] - 1) << 42
    return struct.pack("<12Q", *registers)


def make_v1(width: int = 64, height: int = 48, channels: int = 3, layers: int = 3) -> bytes:
    """Weights, normalisation and activation of 64 bytes each for each layer."""
    first = 20 + 20 * layers
    arguments = first + 192 * layers
    head = words(1, 1, layers, 0x4000, arguments)
    for i in range(layers):
        place = first + 192 * i
        head += struct.pack("<3I2f", place, place + 64, place + 128, 0.5, -1.0)
    out = (width // 2, height // 2, 7)
    rows = kpu_arguments(width, height, channels, out) * layers
    return head + b"\x5a" * (192 * layers) + rows


def make_v3(
    width: int = 28,
    height: int = 28,
    channels: int = 1,
    *,
    types: Sequence[int] = (CONV, 12, 15),
    outputs: Sequence[tuple[int, int]] = ((0, 40),),
    main_memory: int = 4096,
    body: int = 160,
) -> bytes:
    """Every layer has a body of so many bytes; a KPU layer's registers lie in it."""
    tables = 28 + 8 * len(outputs) + 8 * len(types)
    data = words(3, 1, 0, len(types), 0x7F00, main_memory, len(outputs))
    data += b"".join(words(*output) for output in outputs)
    data += b"".join(words(kind, body) for kind in types)
    for i, kind in enumerate(types):
        if kind == CONV:
            place = tables + i * body
            content = words(0, 0, place + 24, place + 120, place + 128, place + 136)
            content += kpu_arguments(width, height, channels, (width, height, 8))
        else:
            content = words(0, 0, 10)
        data += content.ljust(body, b"\x33")
    return data


def make_v4(
    shape: tuple[int, int, int, int] = (1, 3, 24, 32),
    *,
    opcodes: Sequence[int] = (0x2001, 0x2002, 0x03),
    outputs: Sequence[int] = (40, 80),
    main_memory: int = 8192,
    constants: int = 100,
    target: int = 1,
    version: int = 4,
    body: int = 48,
) -> bytes:
    """One input of floats in main memory; outputs of so many bytes."""
    size = 4 * shape[0] * shape[1] * shape[2] * shape[3]
    head = words(version, 0, target, constants, main_memory, len(opcodes), 1, len(outputs), 7)
    data = b"LDMK" + head + words(1, 0, 64, size) + struct.pack("<4i", *shape)
    data += b"".join(words(1, 0, 128 * i, size) for i, size in enumerate(outputs))
    data += bytes(range(constants))
    data += b"".join(words(opcode, body) for opcode in opcodes)
    return data + b"\x44" * (body * len(opcodes))


def _tensors(location: int, tensors: Sequence[tuple[int, ...]]) -> bytes:
    """Ranges, then shapes, of tensors of floats."""
    data, place = b"", 0
    for shape in tensors:
        size = 4
        for side in shape:
            size *= side
        data += struct.pack("<BBHII", location, 9, 0, place, size)
        place += size
    return data + b"".join(words(len(shape), *shape) for shape in tensors)


def _pools(data_pool: int) -> bytes:
    return words(2, 200) + words(3, data_pool)


def _section(name: bytes, body: bytes, *, padding: int = 0, flags: int = 0) -> bytes:
    head = name.ljust(16, b"\0") + words(flags, padding, len(body), 0)
    return head if flags else head + bytes(padding) + body


def make_v5(
    inputs: Sequence[tuple[int, ...]] = ((1, 3, 20, 30),),
    outputs: Sequence[tuple[int, ...]] = ((1, 10),),
    *,
    kinds: Sequence[str] = ("stackvm", "k210"),
    functions: int = 2,
    entry: tuple[int, int] = (0, 1),
    data_pool: int = 1000,
) -> bytes:
    """Every module has the same functions; each takes all the inputs and gives the outputs."""
    tensors = _tensors(0, inputs) + _tensors(1, outputs)
    tensors += bytes(-len(tensors) % 8)
    function = words(32, 32 + len(tensors), 7200, 40, len(inputs), len(outputs), 0, 300) + tensors
    data = b"LDMK" + words(5, 32, 0, 8, len(kinds), *entry)
    for kind in kinds:
        content = _pools(data_pool) + words(0, 64) + function * functions
        content += _section(b".rdata", b"\x55" * 200, padding=4)
        content += _section(b".tables", b"\x66" * 20, flags=1, padding=16)
        content += _section(b".text", b"\x77" * 300)
        content += bytes(-len(content) % 8)
        data += NAMES[kind] + words(1, 48, 48 + len(content), 2, 1, 3, functions, 0) + content
    return data


def make_beta(
    inputs: Sequence[tuple[int, ...]] = ((1, 3, 20, 30),),
    outputs: Sequence[tuple[int, ...]] = ((1, 10), (4,)),
    *,
    kinds: Sequence[str] = ("k210", "stackvm"),
    main: int = 1,
    data_pool: int = 1000,
) -> bytes:
    """Version 5 as nncase wrote it before 1.0.0-beta1."""
    data = b"LDMK" + words(5, 0, 8, len(kinds), main)
    for i, kind in enumerate(kinds):
        ins, outs = (inputs, outputs) if i == main else ((), ())
        content = _pools(data_pool) + _tensors(0, ins) + _tensors(1, outs)
        content += _section(b".rdata", b"\x55" * 200, padding=4) + _section(b".text", b"\x77" * 30)
        content += bytes(-len(content) % 8)
        data += NAMES[kind] + words(len(content), 2, len(ins), len(outs), 2, 0) + content
    return data


def make_sealed(first: bytes = b"LDMS", size: int = 4096, seed: int = 1) -> bytes:
    """What an encrypted model looks like."""
    return first + words(size) + Random(seed).randbytes(size)


SMODEL_V3 = words(10003)
PLAIN = {
    "v1": make_v1,
    "v3": make_v3,
    "v4": make_v4,
    "v5": make_v5,
    "v5 beta": make_beta,
}
"""A maker for each version."""
