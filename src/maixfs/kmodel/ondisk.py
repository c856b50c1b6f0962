"""The records of kmodels as they lie in flash, and nothing else (docs/SPEC.md, section 27).

All integers are little-endian; a copy for ``kpu.load_flash`` has each word reversed. Field names
are those of nncase, which writes these files.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

Row = tuple[str, int, int, str]

V1_VERSION = 1
V3_VERSION = 3
IDENTIFIER = 0x4B4D444C
"""``LDMK`` in the file: versions 4 and 5."""
SMODEL_V3 = 10003
"""First word of an encrypted v3 model."""
SMODEL_V4 = 0x534D444C
"""``LDMS``: first word of an encrypted v4 model."""
EMODEL = 0x454D444C
"""``LDME``: first word of a model that is encrypted in another way."""

EIGHT_BIT = 1
"""Flag of v1 and v3: data between layers has 8 bits, otherwise 16."""
MAIN_MEM_OUT = 1
"""Flag of a ``k210_conv`` layer: its output goes to main memory."""
MERGED_INTO_RDATA = 1
"""Flag of a section of v5: its bytes lie in the section ``.rdata``."""


class V1Header(NamedTuple):
    """Start of a v1 model; then one ``V1Metadata`` per layer."""

    version: int
    flags: int
    layers_length: int
    max_start_address: int
    layers_argument_start: int


V1_HEADER = struct.Struct("<5I")


class V1Metadata(NamedTuple):
    """Where a layer of v1 has its parameters, from the start of the model."""

    weights_offset: int
    bn_offset: int
    act_offset: int
    output_scale: float
    output_bias: float


V1_METADATA = struct.Struct("<3I2f")
LAYER_ARGUMENT = struct.Struct("<12Q")
"""The KPU's registers for one layer: of v1 at ``layers_argument_start``, of v3 at a
``k210_conv`` layer's ``layer_offset``."""
CHANNEL_NUM = 2
"""Which of these registers has the numbers of channels, each less 1: in, out from bit 32."""
IMAGE_SIZE = 3
"""Which has width (10 bits) and height (9 bits), each less 1: in, out from bit 32."""


class V3Header(NamedTuple):
    """Start of a v3 model; then ``V3Output`` rows, ``V3Layer`` rows, and the layers' bodies."""

    version: int
    flags: int
    arch: int
    layers_length: int
    max_start_address: int
    main_mem_usage: int
    output_count: int


V3_HEADER = struct.Struct("<7I")


class V3Output(NamedTuple):
    """Where in main memory an output lies."""

    address: int
    size: int


V3_OUTPUT = struct.Struct("<2I")


class V3Layer(NamedTuple):
    """What a layer is, and how many bytes its body has."""

    type: int
    body_size: int


V3_LAYER = struct.Struct("<2I")


class V3Conv(NamedTuple):
    """Body of a ``k210_conv`` layer; offsets count from the start of the model."""

    flags: int
    main_mem_out_address: int
    layer_offset: int
    weights_offset: int
    bn_offset: int
    act_offset: int


V3_CONV = struct.Struct("<6I")


class V4Header(NamedTuple):
    """Start of a v4 model.

    Then ranges and shapes of the inputs, ranges of the outputs, constants, ``V4Node`` rows and
    the nodes' bodies.
    """

    identifier: int
    version: int
    flags: int
    target: int
    constants: int
    main_mem: int
    nodes: int
    inputs: int
    outputs: int
    reserved0: int


V4_HEADER = struct.Struct("<10I")


class V4Range(NamedTuple):
    """Where an input or output of v4 lies."""

    memory_type: int
    datatype: int
    start: int
    size: int


V4_RANGE = struct.Struct("<4I")
V4_SHAPE = struct.Struct("<4i")
"""Batch, channels, height, width of an input."""


class V4Node(NamedTuple):
    """What a node does, and how many bytes its body has."""

    opcode: int
    body_size: int


V4_NODE = struct.Struct("<2I")


class V5Header(NamedTuple):
    """Start of a v5 model; then its modules, back to back."""

    identifier: int
    version: int
    header_size: int
    flags: int
    alignment: int
    modules: int
    entry_module: int
    entry_function: int


V5_HEADER = struct.Struct("<8I")


V5_PREFIX = struct.Struct("<3I")
"""Identifier, version, and 32 in v5; before the betas the third word is 0."""


class V5Module(NamedTuple):
    """Start of a module; then memory pools, shared pools, functions and sections."""

    type: bytes
    version: int
    header_size: int
    size: int
    mempools: int
    shared_mempools: int
    sections: int
    functions: int
    reserved0: int


V5_MODULE = struct.Struct("<16s8I")


class V5Pool(NamedTuple):
    """Memory that a module needs while it runs."""

    location: int
    size: int


V5_POOL = struct.Struct("<B3xI")
V5_SHARED_POOL = struct.Struct("<2I")
"""Module whose memory is shared, and bytes."""


class V5Function(NamedTuple):
    """Start of a function; then ranges and shapes of inputs, ranges and shapes of outputs."""

    header_size: int
    size: int
    input_pool_size: int
    output_pool_size: int
    inputs: int
    outputs: int
    entrypoint: int
    text_size: int


V5_FUNCTION = struct.Struct("<8I")


class V5Range(NamedTuple):
    """Where an input or output of v5 lies; after the ranges comes a shape for each."""

    memory_location: int
    datatype: int
    shared_module: int
    start: int
    size: int


V5_RANGE = struct.Struct("<BBHII")
V5_RANK = struct.Struct("<I")
"""How many dimensions a shape has; so many words follow."""


class V5Section(NamedTuple):
    """Start of a section; ``body_start`` bytes later its content, unless it is merged."""

    name: bytes
    flags: int
    body_start: int
    body_size: int
    reserved0: int


V5_SECTION = struct.Struct("<16s4I")


class BetaHeader(NamedTuple):
    """Start of a model of nncase 1.0 before its first beta (January to August 2021)."""

    identifier: int
    version: int
    flags: int
    alignment: int
    modules: int
    main_module: int


BETA_HEADER = struct.Struct("<6I")


class BetaModule(NamedTuple):
    """Start of a module of these; pools, inputs, outputs and sections follow.

    ``size`` does not count this record.
    """

    type: bytes
    size: int
    mempools: int
    inputs: int
    outputs: int
    sections: int
    reserved0: int


BETA_MODULE = struct.Struct("<16s6I")


class SealedHeader(NamedTuple):
    """Start of an encrypted model; ``size`` bytes follow."""

    identifier: int
    size: int


SEALED_HEADER = struct.Struct("<2I")
SEALED_UNIT = 16
"""``size`` of an encrypted v3 or v4 model is a multiple of it."""


def _words(record: type[NamedTuple], *meanings: str) -> tuple[Row, ...]:
    """Return the rows of a record that consists of words only."""
    names = record._fields
    return tuple((n, 4 * i, 4, m) for i, (n, m) in enumerate(zip(names, meanings, strict=True)))


_MODULE_TYPE: Row = ("type", 0, 16, "`stackvm` or `k210`, padded with zeros")

FIELDS: dict[str, tuple[Row, ...]] = {
    "kmodel v1 header": _words(
        V1Header,
        "1",
        "bit 0: 8-bit data",
        "number of layers",
        "place in KPU memory, units of 64 bytes; no loader looks at it",
        "offset of the layers' registers, 96 bytes each; the last thing in the file",
    ),
    "kmodel v1 layer": _words(
        V1Metadata,
        "offset of the weights",
        "offset of the batch normalisation",
        "offset of the activation table",
        "float; of the last layer: scale of the result",
        "float; of the last layer: bias of the result",
    ),
    "kmodel v3 header": _words(
        V3Header,
        "3",
        "bit 0: 8-bit data",
        "0: K210",
        "number of layers",
        "place in KPU memory, units of 64 bytes; no loader looks at it",
        "bytes of main memory",
        "number of outputs",
    ),
    "kmodel v3 output": _words(V3Output, "place in main memory", "bytes"),
    "kmodel v3 layer": _words(V3Layer, "layer type", "bytes of the layer's body"),
    "kmodel v3 k210_conv": _words(
        V3Conv,
        "bit 0: output goes to main memory",
        "where to",
        "offset of the KPU's registers, 96 bytes",
        "offset of the weights",
        "offset of the batch normalisation",
        "offset of the activation table",
    ),
    "kmodel v4 header": _words(
        V4Header,
        "`LDMK`",
        "4",
        "0",
        "0: CPU, 1: K210",
        "bytes of constants",
        "bytes of main memory",
        "number of nodes",
        "number of inputs",
        "number of outputs",
        "any value",
    ),
    "kmodel v4 range": _words(
        V4Range,
        "memory: 0 constants, 1 main, 2 KPU",
        "0: float32, 1: uint8",
        "place there",
        "bytes",
    ),
    "kmodel v4 node": _words(V4Node, "opcode", "bytes of the node's body"),
    "kmodel v5 header": _words(
        V5Header,
        "`LDMK`",
        "5",
        "32",
        "0",
        "8 or 256",
        "number of modules",
        "module that starts",
        "function of it that starts",
    ),
    "kmodel v5 module": (
        _MODULE_TYPE,
        ("version", 16, 4, "1"),
        ("header_size", 20, 4, "48"),
        ("size", 24, 4, "bytes of the module, with this record"),
        ("mempools", 28, 4, "number of memory pools"),
        ("shared_mempools", 32, 4, "number of shared pools"),
        ("sections", 36, 4, "number of sections"),
        ("functions", 40, 4, "number of functions"),
        ("reserved0", 44, 4, "0"),
    ),
    "kmodel v5 pool": (
        ("location", 0, 1, "2 rdata, 3 data, 64 KPU"),
        ("_align", 1, 3, "not defined"),
        ("size", 4, 4, "bytes"),
    ),
    "kmodel v5 function": _words(
        V5Function,
        "32",
        "bytes, with ranges and shapes",
        "bytes of all inputs",
        "bytes of all outputs",
        "number of inputs",
        "number of outputs",
        "offset in the section `.text`",
        "bytes there",
    ),
    "kmodel v5 range": (
        ("memory_location", 0, 1, "0 input, 1 output, 2 rdata, 3 data, 4 shared, 64 KPU"),
        ("datatype", 1, 1, "4: uint8, 9: float32, and others"),
        ("shared_module", 2, 2, "module, for location 4"),
        ("start", 4, 4, "place there"),
        ("size", 8, 4, "bytes"),
    ),
    "kmodel v5 section": (
        ("name", 0, 16, "`.rdata`, `.text`, padded with zeros"),
        ("flags", 16, 4, "bit 0: lies in `.rdata`"),
        ("body_start", 20, 4, "bytes between this record and the content"),
        ("body_size", 24, 4, "bytes of content"),
        ("reserved0", 28, 4, "0"),
    ),
    "kmodel v5 beta header": _words(
        BetaHeader,
        "`LDMK`",
        "5",
        "0",
        "8 or 256",
        "number of modules",
        "module that starts",
    ),
    "kmodel v5 beta module": (
        _MODULE_TYPE,
        ("size", 16, 4, "bytes of the module, without this record"),
        ("mempools", 20, 4, "number of memory pools"),
        ("inputs", 24, 4, "number of inputs"),
        ("outputs", 28, 4, "number of outputs"),
        ("sections", 32, 4, "number of sections"),
        ("reserved0", 36, 4, "0"),
    ),
    "smodel header": _words(
        SealedHeader,
        "10003: smodel of v3, `LDMS`: smodel of v4, `LDME`: emodel",
        "bytes that follow",
    ),
}
"""Field name, offset, length, meaning; for docs and hex views."""
