"""Version 5, of nncase 1: for the SDK and CanMV; MaixPy does not load it."""

from __future__ import annotations

from typing import NamedTuple

from maixfs.kmodel import ondisk
from maixfs.kmodel.model import Layer, Tensor
from maixfs.kmodel.parts import (
    MOST_FUNCTIONS,
    MOST_MODULES,
    MOST_POOLS,
    MOST_TENSORS,
    Parts,
)
from maixfs.kmodel.reader import ModelReader
from maixfs.kmodel.v5parts import Pools, Section, read_pools, read_sections, read_tensors

_NOT_MAIXPY = "MaixPy does not load version 5; nncase 0.1 makes version 3, 0.2 version 4"
_MOST_BYTES = 1 << 24


class _Module(NamedTuple):
    kind: str
    pools: Pools
    functions: tuple[Layer, ...]
    sections: tuple[Section, ...]
    entries: tuple[int, ...]
    """Where the functions' records begin."""


def read_v5(reader: ModelReader) -> Parts:
    """Return what a v5 model says; ``ModelError`` where it cannot be one."""
    reader.kind = f"kmodel v5 at 0x{reader.address:06X}"
    head = ondisk.V5Header._make(reader.row(ondisk.V5_HEADER, 0, "its header"))
    reader.check("modules", head.modules, 20, 1, MOST_MODULES)
    reader.check("entry_module", head.entry_module, 24, 0, head.modules - 1)
    modules, place = [], ondisk.V5_HEADER.size
    for _ in range(head.modules):
        module, size = _read_module(reader, place)
        modules.append(module)
        place += size
    entry = modules[head.entry_module]
    reader.check("entry_function", head.entry_function, 28, 0, len(entry.entries) - 1)
    at = entry.entries[head.entry_function]
    function = ondisk.V5Function._make(reader.row(ondisk.V5_FUNCTION, at, "a function"))
    reader.check("function.inputs", function.inputs, at + 16, 0, MOST_TENSORS)
    reader.check("function.outputs", function.outputs, at + 20, 0, MOST_TENSORS)
    inputs, after = read_tensors(reader, at + ondisk.V5_FUNCTION.size, "input", function.inputs)
    outputs, _ = read_tensors(reader, after, "output", function.outputs)
    pools = function.input_pool_size + function.output_pool_size
    return _parts("v5", place, modules, inputs, outputs, pools, (_NOT_MAIXPY,))


def _parts(
    version: str,
    size: int,
    modules: list[_Module],
    inputs: tuple[Tensor, ...],
    outputs: tuple[Tensor, ...],
    tensor_bytes: int,
    notes: tuple[str, ...],
) -> Parts:
    layers = [layer for module in modules for layer in module.functions]
    layers += [section.layer for module in modules for section in module.sections]
    return Parts(
        version,
        "+".join(dict.fromkeys(module.kind for module in modules)),
        size,
        inputs=inputs,
        outputs=outputs,
        layers=tuple(layers),
        main_memory=tensor_bytes + sum(module.pools.data for module in modules),
        weights=sum(s.layer.size for m in modules for s in m.sections if s.is_weights),
        notes=notes,
    )


def _kind(reader: ModelReader, name: bytes, place: int) -> str:
    """Return the kind of a module; it is what tells a model from four letters by chance."""
    kind = name.rstrip(b"\0")
    if not kind or not kind.isascii() or not kind.decode().isprintable():
        raise reader.wrong("module.type", name[0], place, "the first letter of no kind of module")
    return kind.decode()


def _read_module(reader: ModelReader, place: int) -> tuple[_Module, int]:
    row = reader.take(place, ondisk.V5_MODULE.size, "a module")
    head = ondisk.V5Module._make(ondisk.V5_MODULE.unpack(row))
    kind = _kind(reader, head.type, place)
    reader.check("module.size", head.size, place + 24, ondisk.V5_MODULE.size, _MOST_BYTES)
    reader.check("module.mempools", head.mempools, place + 28, 0, MOST_POOLS)
    reader.check("module.shared_mempools", head.shared_mempools, place + 32, 0, MOST_POOLS)
    reader.check("module.sections", head.sections, place + 36, 0, MOST_POOLS)
    reader.check("module.functions", head.functions, place + 40, 0, MOST_FUNCTIONS)
    start = place + ondisk.V5_MODULE.size
    pools = read_pools(reader, start, head.mempools)
    start += 8 * (head.mempools + head.shared_mempools)
    functions, entries = [], []
    for i in range(head.functions):
        function = ondisk.V5Function._make(reader.row(ondisk.V5_FUNCTION, start, "a function"))
        most = place + head.size - start
        reader.check("function.size", function.size, start + 4, ondisk.V5_FUNCTION.size, most)
        functions.append(Layer(f"{kind} function {i}", start, function.text_size))
        entries.append(start)
        start += function.size
    sections = read_sections(reader, start, head.sections, kind, place + head.size)
    return _Module(kind, pools, tuple(functions), sections, tuple(entries)), head.size


def read_v5_beta(reader: ModelReader) -> Parts:
    """Return what a model of nncase 1.0 before its betas says; it has no functions."""
    reader.kind = f"kmodel v5 beta at 0x{reader.address:06X}"
    head = ondisk.BetaHeader._make(reader.row(ondisk.BETA_HEADER, 0, "its header"))
    reader.check("flags", head.flags, 8, 0, 0)
    reader.check("modules", head.modules, 16, 1, MOST_MODULES)
    reader.check("main_module", head.main_module, 20, 0, head.modules - 1)
    modules, place = [], ondisk.BETA_HEADER.size
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    for i in range(head.modules):
        module, ins, outs, size = _read_beta_module(reader, place)
        modules.append(module)
        place += size
        if i == head.main_module:
            inputs, outputs = ins, outs
    pools = sum(tensor.size for tensor in inputs + outputs)
    notes = ("it is of a version of nncase 1.0 before its release", _NOT_MAIXPY)
    return _parts("v5 beta", place, modules, inputs, outputs, pools, notes)


def _read_beta_module(
    reader: ModelReader, place: int
) -> tuple[_Module, tuple[Tensor, ...], tuple[Tensor, ...], int]:
    row = reader.take(place, ondisk.BETA_MODULE.size, "a module")
    head = ondisk.BetaModule._make(ondisk.BETA_MODULE.unpack(row))
    kind = _kind(reader, head.type, place)
    reader.check("module.size", head.size, place + 16, 0, _MOST_BYTES)
    reader.check("module.mempools", head.mempools, place + 20, 0, MOST_POOLS)
    reader.check("module.inputs", head.inputs, place + 24, 0, MOST_TENSORS)
    reader.check("module.outputs", head.outputs, place + 28, 0, MOST_TENSORS)
    reader.check("module.sections", head.sections, place + 32, 0, MOST_POOLS)
    start = place + ondisk.BETA_MODULE.size
    end = start + head.size
    pools = read_pools(reader, start, head.mempools)
    inputs, start = read_tensors(reader, start + 8 * head.mempools, "input", head.inputs)
    outputs, start = read_tensors(reader, start, "output", head.outputs)
    sections = read_sections(reader, start, head.sections, kind, end)
    return _Module(kind, pools, (), sections, ()), inputs, outputs, end - place
