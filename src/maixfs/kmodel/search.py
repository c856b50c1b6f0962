"""Decode the models of each version, read the one at an address, and find all in an image.

Every field of a model may be wrong. Each ``read_...`` takes a reader at the start of a model and
returns its ``Parts``, or raises ``ModelError`` if it is no model of that version. Field names and
limits are those of nncase (docs/SPEC.md, section 27).
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from math import log2, prod

from maixfs.errors import UsageError
from maixfs.kmodel import ondisk
from maixfs.kmodel.load import ENCRYPTED_NOTE, SRAM, fits_memory, load_result
from maixfs.kmodel.model import (
    MAX_FUNCTIONS,
    MAX_LAYERS,
    MAX_MODULES,
    MAX_NODES,
    MAX_POOLS,
    MAX_RANK,
    MAX_SIDE,
    MAX_TENSORS,
    CutOffError,
    KpuShape,
    Layer,
    Loadable,
    Model,
    ModelError,
    ModelReader,
    Parts,
    Tensor,
    kpu_shape,
)
from maixfs.kmodel.ondisk import Buffer
from maixfs.tuples import NamedTuple

_MAX_BYTES = 1 << 24
"""Bytes of any single part; no model is larger than the K210's memory of 6 MiB."""

# Version 1, which the first SDKs load and MaixPy does not

_MAX_START = 0x8000
"""Units of 64 bytes in the KPU's memory of 2 MiB."""


def read_v1(reader: ModelReader) -> Parts:
    """Decode a v1 model; raises ``ModelError`` if it cannot be one."""
    reader.kind = f"kmodel v1 at 0x{reader.address:06X}"
    head = reader.record(ondisk.V1Header, 0, "its header")
    reader.check(head, 0, "flags", 0, 1)
    reader.check(head, 0, "layers_length", 1, MAX_LAYERS)
    reader.check(head, 0, "max_start_address", 0, _MAX_START)
    first, count = head.size, head.layers_length
    reader.check(head, 0, "layers_argument_start", first, _MAX_BYTES)
    rows = reader.records(ondisk.V1Metadata, first, count, "its table of layers")
    start, end = first + count * ondisk.V1Metadata.size, head.layers_argument_start
    # All parameters lie between the table and the registers, which end the file.
    for index, row in enumerate(rows):
        for field in ("weights_offset", "bn_offset", "act_offset"):
            reader.check(row, first + index * row.size, field, start, end)
    shapes = _layer_shapes(reader, end, count)
    return Parts(
        "v1",
        "k210",
        end + count * ondisk.LayerArgument.size,
        inputs=(_kpu_tensor("input 0", shapes[0].into),),
        outputs=(_kpu_tensor("output 0", shapes[-1].out),),
        layers=tuple(
            Layer("k210_conv", end + i * ondisk.LayerArgument.size, ondisk.LayerArgument.size)
            for i in range(count)
        ),
        main_memory=prod(shapes[-1].out),
        weights=end - start,
        notes=("MaixPy does not load version 1; nncase up to 0.1 makes version 3",),
    )


def _layer_shapes(reader: ModelReader, offset: int, count: int) -> list[KpuShape]:
    arguments = reader.records(ondisk.LayerArgument, offset, count, "layers_argument_start")
    return [kpu_shape(row.image_channel_num, row.image_size) for row in arguments]


def _kpu_tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor(name, "uint8", shape, prod(shape), "kpu", 0)


# Version 3, of nncase 0.1: every MaixPy loads it


def read_v3(reader: ModelReader) -> Parts:
    """Decode a v3 model; raises ``ModelError`` if it cannot be one.

    The first word, 3, is common in other data, so every other field is checked.
    """
    reader.kind = f"kmodel v3 at 0x{reader.address:06X}"
    head = reader.record(ondisk.V3Header, 0, "its header")
    reader.check(head, 0, "flags", 0, 3)
    reader.check(head, 0, "arch", 0, 0)
    reader.check(head, 0, "layers_length", 1, MAX_LAYERS)
    reader.check(head, 0, "main_mem_usage", 0, _MAX_BYTES)
    reader.check(head, 0, "output_count", 1, MAX_TENSORS)
    outputs = _v3_outputs(reader, head)
    layers, size = _v3_layers(reader, head)
    shape = _v3_input_shape(reader, layers)
    notes: tuple[str, ...] = ()
    if layers[0].name != ondisk.V3_LAYERS[ondisk.K210_CONV]:
        notes = (
            f"its first layer is {layers[0].name}, not k210_conv: kpu.load takes it, but "
            "kpu.forward with an image says 'first layer not conv layer!'",
        )
    return Parts(
        "v3",
        "k210",
        size,
        inputs=(_kpu_tensor("input 0", shape),) if shape else (),
        outputs=outputs,
        layers=layers,
        main_memory=head.main_mem_usage,
        weights=sum(layer.size for layer in layers),
        notes=notes,
    )


def _v3_outputs(reader: ModelReader, head: ondisk.V3Header) -> tuple[Tensor, ...]:
    first = head.size
    outputs = reader.records(ondisk.V3Output, first, head.output_count, "its outputs")
    for i, output in enumerate(outputs):
        at = first + i * output.size
        last = head.main_mem_usage - output.length
        reader.check(output, at, "length", 1, head.main_mem_usage, of="output")
        reader.check(output, at, "address", 0, last, of="output")
    return tuple(
        Tensor(f"output {i}", "float32", None, output.length, "main", output.address)
        for i, output in enumerate(outputs)
    )


def _v3_layers(reader: ModelReader, head: ondisk.V3Header) -> tuple[tuple[Layer, ...], int]:
    """Return the layers, and where the last one's body ends."""
    first = head.size + ondisk.V3Output.size * head.output_count
    rows = reader.records(ondisk.V3Layer, first, head.layers_length, "its layers")
    layers, place = [], first + ondisk.V3Layer.size * head.layers_length
    for i, row in enumerate(rows):
        at = first + i * row.size
        if row.type not in ondisk.V3_LAYERS:
            raise reader.wrong("layer.type", row.type, at, "no type of layer")
        # No layer of nncase has less than one word: empty bodies are other data.
        low = ondisk.V3Conv.size if row.type == ondisk.K210_CONV else 4
        reader.check(row, at, "body_size", low, _MAX_BYTES, of="layer")
        layers.append(Layer(ondisk.V3_LAYERS[row.type], place, row.body_size))
        place += row.body_size
    return tuple(layers), place


def _v3_input_shape(reader: ModelReader, layers: tuple[Layer, ...]) -> tuple[int, ...] | None:
    """Return the input shape of the first layer that the KPU computes."""
    for layer in layers:
        if layer.name == ondisk.V3_LAYERS[ondisk.K210_CONV]:
            body = reader.record(ondisk.V3Conv, layer.address, "k210_conv")
            reader.check(body, layer.address, "layer_offset", ondisk.V3Header.size, _MAX_BYTES)
            registers = reader.record(ondisk.LayerArgument, body.layer_offset, "layer_offset")
            return kpu_shape(registers.image_channel_num, registers.image_size).into
    return None


# Version 4, of nncase 0.2: MaixPy loads it if it was built for it


def read_v4(reader: ModelReader) -> Parts:
    """Decode a v4 model; raises ``ModelError`` if it cannot be one."""
    reader.kind = f"kmodel v4 at 0x{reader.address:06X}"
    head = reader.record(ondisk.V4Header, 0, "its header")
    reader.check(head, 0, "target", 0, 1)
    reader.check(head, 0, "constants", 0, _MAX_BYTES)
    reader.check(head, 0, "main_mem", 0, _MAX_BYTES)
    reader.check(head, 0, "nodes", 1, MAX_NODES)
    reader.check(head, 0, "inputs", 1, MAX_TENSORS)
    reader.check(head, 0, "outputs", 1, MAX_TENSORS)
    shapes_at = head.size + ondisk.V4Range.size * head.inputs
    outputs_at = shapes_at + ondisk.V4Shape.size * head.inputs
    shapes = _v4_shapes(reader, shapes_at, head.inputs)
    inputs = _v4_tensors(reader, head.size, "input", list(shapes))
    outputs = _v4_tensors(reader, outputs_at, "output", [None] * head.outputs)
    nodes_at = outputs_at + ondisk.V4Range.size * head.outputs + head.constants
    layers, size = _v4_nodes(reader, nodes_at, head.nodes)
    return Parts(
        "v4",
        ondisk.V4_TARGETS[head.target],
        size,
        inputs=inputs,
        outputs=outputs,
        layers=layers,
        main_memory=head.main_mem,
        weights=head.constants + sum(layer.size for layer in layers),
        notes=(
            "the shapes of its outputs are not stored: a program gives them with kpu.set_outputs",
        ),
    )


def _v4_shapes(reader: ModelReader, offset: int, count: int) -> list[tuple[int, ...]]:
    shapes = reader.records(ondisk.V4Shape, offset, count, "its input shapes")
    for i, shape in enumerate(shapes):
        for side in shape.fields:
            reader.check(shape, offset + i * shape.size, side.name, 1, MAX_SIDE, of="shape")
    return [tuple(shape) for shape in shapes]


def _v4_tensors(
    reader: ModelReader, offset: int, name: str, shapes: list[tuple[int, ...] | None]
) -> tuple[Tensor, ...]:
    tensors = []
    rows = reader.records(ondisk.V4Range, offset, len(shapes), f"its {name}s")
    for i, (row, shape) in enumerate(zip(rows, shapes, strict=True)):
        at = offset + i * row.size
        reader.check(row, at, "memory_type", 0, 2, of=name)
        reader.check(row, at, "datatype", 0, 1, of=name)
        reader.check(row, at, "length", 1, _MAX_BYTES, of=name)
        datatype = ondisk.V4_DATATYPES[row.datatype]
        memory = ondisk.V4_MEMORIES[row.memory_type]
        # In KPU memory rows are padded to 64 bytes, so only main memory can be compared.
        item = 4 if datatype == "float32" else 1
        if shape and memory == "main" and prod(shape) * item > row.length:
            place = at + row.offset_of("length")
            raise reader.wrong(f"{name}.length", row.length, place, "less than its shape")
        tensors.append(Tensor(f"{name} {i}", datatype, shape, row.length, memory, row.start))
    return tuple(tensors)


def _v4_nodes(reader: ModelReader, offset: int, count: int) -> tuple[tuple[Layer, ...], int]:
    """Return the nodes, and where the last one's body ends."""
    layers, place = [], offset + ondisk.V4Node.size * count
    for i, node in enumerate(reader.records(ondisk.V4Node, offset, count, "its nodes")):
        reader.check(node, offset + i * node.size, "body_size", 0, _MAX_BYTES, of="node")
        layers.append(Layer(ondisk.named(ondisk.V4_NODES, node.opcode), place, node.body_size))
        place += node.body_size
    return tuple(layers), place


# Version 5, of nncase 1: for the SDK and CanMV; MaixPy does not load it


class _Section(NamedTuple):
    """A section of a module."""

    layer: Layer
    is_weights: bool
    """Whether it is ``.rdata``; the others are code, or parts of it."""


def _v5_data(reader: ModelReader, offset: int, count: int) -> int:
    """Return the bytes for intermediate results that a module's memory pools ask for."""
    data = 0
    for i, pool in enumerate(reader.records(ondisk.V5Pool, offset, count, "memory pools")):
        reader.check(pool, offset + i * pool.size, "length", 0, _MAX_BYTES, of="mempool")
        data += pool.length if pool.location == ondisk.V5_DATA else 0
    return data


def _v5_tensors(
    reader: ModelReader, offset: int, name: str, count: int
) -> tuple[tuple[Tensor, ...], int]:
    """Return ``count`` inputs or outputs, and the offset behind them."""
    rows = reader.records(ondisk.V5Range, offset, count, f"{name}s")
    place = offset + count * ondisk.V5Range.size
    tensors = []
    for i, row in enumerate(rows):
        shape, place = _v5_shape(reader, place)
        datatype = ondisk.named(ondisk.V5_DATATYPES, row.datatype)
        memory = ondisk.named(ondisk.V5_LOCATIONS, row.memory_location)
        tensors.append(Tensor(f"{name} {i}", datatype, shape, row.length, memory, row.start))
    return tuple(tensors), place


def _v5_shape(reader: ModelReader, offset: int) -> tuple[tuple[int, ...], int]:
    """Return a shape and the offset behind it: a word with the rank, then a word per dimension."""
    (rank,) = reader.words(offset, 1, "a shape")
    reader.check_word("rank", rank, offset, 0, MAX_RANK)
    first = offset + 4
    sides = tuple(reader.words(first, rank, "a shape"))
    for axis, side in enumerate(sides):
        reader.check_word("shape", side, first + 4 * axis, 0, MAX_SIDE)
    return sides, first + 4 * rank


def _v5_sections(
    reader: ModelReader, offset: int, count: int, kind: str, end: int
) -> tuple[_Section, ...]:
    """Return a module's sections; ``end`` is where the module ends."""
    sections, place = [], offset
    for _ in range(count):
        head = reader.record(ondisk.V5Section, place, "a section")
        name = head.name.rstrip(b"\0").decode("ascii", "replace")
        body, merged = place + head.size, head.flags & ondisk.MERGED_INTO_RDATA
        # A merged section has no bytes of its own: its start counts in .rdata.
        if merged:
            at, following = head.body_start, body
        else:
            at, following = body + head.body_start, body + head.body_start + head.body_size
            if following > end:
                rule = f"its end 0x{following:X} is past the module's"
                at = place + head.offset_of("body_size")
                raise reader.wrong("section.body_size", head.body_size, at, rule)
        sections.append(_Section(Layer(f"{kind} {name}", at, head.body_size), name == ".rdata"))
        place = following
    return tuple(sections)


_NOT_MAIXPY = "MaixPy does not load version 5; nncase 0.1 makes version 3, 0.2 version 4"


class _Module(NamedTuple):
    kind: str
    data: int
    """Bytes for intermediate results."""
    functions: tuple[Layer, ...]
    sections: tuple[_Section, ...]
    entries: tuple[int, ...]
    """Offsets of the functions' records."""


def read_v5(reader: ModelReader) -> Parts:
    """Decode a v5 model; raises ``ModelError`` if it cannot be one."""
    reader.kind = f"kmodel v5 at 0x{reader.address:06X}"
    head = reader.record(ondisk.V5Header, 0, "its header")
    reader.check(head, 0, "modules", 1, MAX_MODULES)
    reader.check(head, 0, "entry_module", 0, head.modules - 1)
    modules, place = [], head.size
    for _ in range(head.modules):
        module, size = _v5_module(reader, place)
        modules.append(module)
        place += size
    # Only the entry function's inputs and outputs are those of the model.
    entry = modules[head.entry_module]
    reader.check(head, 0, "entry_function", 0, len(entry.entries) - 1)
    at = entry.entries[head.entry_function]
    function = reader.record(ondisk.V5Function, at, "a function")
    reader.check(function, at, "inputs", 0, MAX_TENSORS, of="function")
    reader.check(function, at, "outputs", 0, MAX_TENSORS, of="function")
    inputs, after = _v5_tensors(reader, at + function.size, "input", function.inputs)
    outputs, _ = _v5_tensors(reader, after, "output", function.outputs)
    pools = function.input_pool_size + function.output_pool_size
    return _v5_parts("v5", place, modules, inputs, outputs, pools, (_NOT_MAIXPY,))


def _v5_parts(
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
        main_memory=tensor_bytes + sum(module.data for module in modules),
        weights=sum(s.layer.size for m in modules for s in m.sections if s.is_weights),
        notes=notes,
    )


def _module_kind(reader: ModelReader, name: bytes, place: int) -> str:
    """Return the kind of a module; raises ``ModelError`` if it is not text.

    This check rejects most data that begins with the four letters by chance.
    """
    kind = name.rstrip(b"\0")
    if not kind or not kind.isascii() or not kind.decode().isprintable():
        raise reader.wrong("module.type", name[0], place, "the first letter of no kind of module")
    return kind.decode()


def _v5_module(reader: ModelReader, place: int) -> tuple[_Module, int]:
    """Return the module at an offset, and its size."""
    head = reader.record(ondisk.V5Module, place, "a module")
    kind = _module_kind(reader, head.type, place)
    reader.check(head, place, "length", head.size, _MAX_BYTES, of="module")
    for field in ("mempools", "shared_mempools", "sections"):
        reader.check(head, place, field, 0, MAX_POOLS, of="module")
    reader.check(head, place, "functions", 0, MAX_FUNCTIONS, of="module")
    start = place + head.size
    data = _v5_data(reader, start, head.mempools)
    start += ondisk.V5Pool.size * head.mempools
    start += ondisk.V5SharedPool.size * head.shared_mempools
    functions, entries = [], []
    for i in range(head.functions):
        function = reader.record(ondisk.V5Function, start, "a function")
        room = place + head.length - start
        reader.check(function, start, "length", function.size, room, of="function")
        functions.append(Layer(f"{kind} function {i}", start, function.text_size))
        entries.append(start)
        start += function.length
    sections = _v5_sections(reader, start, head.sections, kind, place + head.length)
    return _Module(kind, data, tuple(functions), sections, tuple(entries)), head.length


def read_v5_beta(reader: ModelReader) -> Parts:
    """Decode a model of nncase 1.0 before its betas; it has no functions."""
    reader.kind = f"kmodel v5 beta at 0x{reader.address:06X}"
    head = reader.record(ondisk.BetaHeader, 0, "its header")
    reader.check(head, 0, "flags", 0, 0)
    reader.check(head, 0, "modules", 1, MAX_MODULES)
    reader.check(head, 0, "main_module", 0, head.modules - 1)
    modules, place = [], head.size
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    for i in range(head.modules):
        module, ins, outs, size = _beta_module(reader, place)
        modules.append(module)
        place += size
        if i == head.main_module:
            inputs, outputs = ins, outs
    pools = sum(tensor.size for tensor in inputs + outputs)
    notes = ("it is of a version of nncase 1.0 before its release", _NOT_MAIXPY)
    return _v5_parts("v5 beta", place, modules, inputs, outputs, pools, notes)


def _beta_module(
    reader: ModelReader, place: int
) -> tuple[_Module, tuple[Tensor, ...], tuple[Tensor, ...], int]:
    """Return the module at an offset, its inputs and outputs, and its size."""
    head = reader.record(ondisk.BetaModule, place, "a module")
    kind = _module_kind(reader, head.type, place)
    reader.check(head, place, "length", 0, _MAX_BYTES, of="module")
    reader.check(head, place, "mempools", 0, MAX_POOLS, of="module")
    reader.check(head, place, "inputs", 0, MAX_TENSORS, of="module")
    reader.check(head, place, "outputs", 0, MAX_TENSORS, of="module")
    reader.check(head, place, "sections", 0, MAX_POOLS, of="module")
    start = place + head.size
    end = start + head.length
    data = _v5_data(reader, start, head.mempools)
    start += ondisk.V5Pool.size * head.mempools
    inputs, start = _v5_tensors(reader, start, "input", head.inputs)
    outputs, start = _v5_tensors(reader, start, "output", head.outputs)
    sections = _v5_sections(reader, start, head.sections, kind, end)
    return _Module(kind, data, (), sections, ()), inputs, outputs, end - place


# Encrypted models: what is known without the key of their board

_SAMPLE = 4096
_MIN_FRACTION = 0.9
"""Of the entropy that a sample of that size can have: random bytes reach 0.99, code under 0.8."""


def read_sealed(reader: ModelReader) -> Parts:
    """Decode an encrypted model; raises ``ModelError`` if it cannot be one."""
    reader.kind = f"encrypted model at 0x{reader.address:06X}"
    # Only one board has the key, so nothing but size and randomness can be checked.
    head = reader.record(ondisk.SealedHeader, 0, "its header")
    reader.check(head, 0, "length", ondisk.SEALED_UNIT, SRAM)
    if head.identifier != ondisk.EMODEL and head.length % ondisk.SEALED_UNIT:
        place = head.offset_of("length")
        raise reader.wrong("length", head.length, place, f"no multiple of {ondisk.SEALED_UNIT}")
    sample = reader.take(head.size, min(head.length, _SAMPLE), "its content")
    if not _looks_random(sample):
        raise ModelError(f"{reader.kind}: what follows does not look encrypted")
    return Parts(
        ondisk.SEALED[head.identifier],
        "",
        head.size + head.length,
        notes=(ENCRYPTED_NOTE,),
    )


def _looks_random(sample: Buffer) -> bool:
    """Return True if the byte values are spread as evenly as those of a cipher."""
    total = len(sample)
    entropy = -sum(n / total * log2(n / total) for n in Counter(bytes(sample)).values())
    return entropy >= _MIN_FRACTION * min(8.0, log2(total)) - 0.2


_MAX_MISSING = 7
"""Bytes that real files lack at most: their last padding was not stored."""
_SECTOR = 4096
_FIRST_WORDS: dict[int, Callable[[ModelReader], Parts]] = {
    ondisk.V1_VERSION: read_v1,
    ondisk.V3_VERSION: read_v3,
    **dict.fromkeys(ondisk.SEALED, read_sealed),
}
_VERSIONS = {4: read_v4, 5: read_v5}


def parse_model(
    data: Buffer, address: int = 0, *, limit: int | None = None, whole: bool = True
) -> Model:
    """Read the model that begins at ``address`` of ``data``.

    It must end before the address ``limit``, by default the end of the data. With ``whole=False``
    a model may be cut off there behind its records; ``missing`` is then the number of bytes that
    it lacks. Raises ``ModelError`` if there is no model, ``CutOffError`` if it is cut off.
    """
    if address < 0:
        raise ModelError(f"no model at {address}: addresses begin at 0")
    reader = ModelReader(data, address, limit)
    first = reader.take(0, 4, "a model")
    word = int.from_bytes(first, "little")
    if word not in _FIRST_WORDS and word != ondisk.IDENTIFIER:
        # Flashers reverse the words of models that kpu.load_flash reads over SPI.
        word = int.from_bytes(first, "big")
        if word not in (ondisk.V3_VERSION, ondisk.IDENTIFIER):
            raise ModelError(f"no model at 0x{address:06X}: it begins {first.hex(' ')}")
        reader.is_reversed = True
    parts = _reader_for(reader, word)(reader)
    missing = max(0, parts.size - len(reader.view))
    if whole and missing > _MAX_MISSING:
        reader.need(0, parts.size, "the model")
    return _model(reader, parts, missing)


def _reader_for(reader: ModelReader, word: int) -> Callable[[ModelReader], Parts]:
    if word != ondisk.IDENTIFIER:
        return _FIRST_WORDS[word]
    prefix = reader.record(ondisk.V5Prefix, 0, "a model")
    if prefix.version not in _VERSIONS:
        place = prefix.offset_of("version")
        raise reader.wrong("version", prefix.version, place, "neither 4 nor 5")
    # nncase kept the version number when it changed the header before its first beta.
    if prefix.version == 5 and prefix.third != ondisk.V5Header.size:
        return read_v5_beta
    return _VERSIONS[prefix.version]


def _model(reader: ModelReader, parts: Parts, missing: int) -> Model:
    notes = [*parts.notes, *_notes(reader, parts, missing)]
    need = parts.size + parts.main_memory
    fits = fits_memory(need)
    if not fits:
        notes.append(f"it needs {need} bytes of memory, more than boards have left")
    flash = reader.view
    return Model(
        parts.version,
        reader.is_reversed,
        reader.address,
        parts.size,
        missing,
        parts.target,
        parts.inputs,
        parts.outputs,
        parts.layers,
        parts.main_memory,
        parts.weights,
        fits,
        Loadable(load_result(flash, v4_support=False), load_result(flash, v4_support=True)),
        tuple(notes),
    )


def _notes(reader: ModelReader, parts: Parts, missing: int) -> list[str]:
    notes = []
    if reader.is_reversed:
        notes.append("its words are reversed: it is for kpu.load_flash, kpu.load refuses it")
    if missing > _MAX_MISSING:
        notes.append(f"it is cut off: {missing} of {parts.size} bytes are missing")
    elif missing:
        notes.append(f"its last {missing} bytes, which are padding, are missing")
    # Some files have parameters behind the last body that no record counts.
    rest = bytes(reader.view[parts.size : parts.size + -(reader.address + parts.size) % _SECTOR])
    if rest.strip(b"\xff") and rest.strip(b"\0"):
        notes.append(
            f"data follows it at 0x{reader.address + parts.size:06X}: it may belong to the model"
        )
    return notes


# Search

_IDENTIFIER_REVERSED = 0x4C444D4B
_V3_REVERSED = 0x03000000
_BY_NAME = frozenset({ondisk.IDENTIFIER, _IDENTIFIER_REVERSED})
"""First words that do not occur by chance: such a model is reported even if it is cut off."""
_SEARCHED = _BY_NAME | {ondisk.V1_VERSION, ondisk.V3_VERSION, _V3_REVERSED, *ondisk.SEALED}


def find_models(
    image: Buffer, *, step: int = _SECTOR, start: int = 0, end: int | None = None
) -> list[Model]:
    """Return the models that begin at ``start`` and every ``step`` bytes (4 or more) after it.

    Only bytes before ``end`` are read. A model that is cut off there is returned if it is of v4
    or v5 and at least half of it is there (``missing`` is not 0). A model that begins inside
    another has a note that says so. Raises ``UsageError`` for a range or step that is negative.
    """
    if step < 4 or start < 0 or (end is not None and end < 0):
        raise UsageError(f"cannot search from {start} to {end} by {step} bytes")
    view = memoryview(image).cast("B")[:end].toreadonly()
    models = (_model_at(view, address) for address in _candidates(view, start, step))
    return _with_overlaps([model for model in models if model is not None])


def _candidates(view: memoryview, start: int, step: int) -> Iterator[int]:
    """Yield the addresses of words that begin a model."""
    # One struct call per image instead of one per address: 16 MiB have 4,096 sectors.
    rows = max(0, len(view) - start) // step
    last = start + rows * step
    if rows:
        words = struct.iter_unpack(f"<I{step - 4}x", view[start:last])
        yield from (start + i * step for i, (word,) in enumerate(words) if word in _SEARCHED)
    if int.from_bytes(view[last : last + 4], "little") in _SEARCHED:
        yield last


def _model_at(view: memoryview, address: int) -> Model | None:
    try:
        return parse_model(view, address)
    except CutOffError:
        if int.from_bytes(view[address : address + 4], "little") not in _BY_NAME:
            return None
    except ModelError:
        return None
    try:
        part = parse_model(view, address, whole=False)
    except ModelError:
        return None
    return part if part.size <= SRAM and 2 * part.missing <= part.size else None


def _with_overlaps(models: list[Model]) -> list[Model]:
    """Return the models, with a note on each that begins inside another."""
    noted = []
    longest: Model | None = None
    for model in models:
        inside = longest and model.address < longest.end
        noted.append(_inside(model, longest) if longest and inside else model)
        if longest is None or model.end > longest.end:
            longest = model
    return noted


def _inside(model: Model, other: Model) -> Model:
    where = f"it begins inside the model at 0x{other.address:06X}"
    return model._replace(notes=(*model.notes, f"{where}: one has overwritten the other"))
