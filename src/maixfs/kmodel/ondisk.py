"""The records of kmodels as they lie in flash, and the names of their numbers.

All integers are little-endian; a copy for ``kpu.load_flash`` has each word reversed. Fields have
the names that nncase, which writes these files, gives them (docs/SPEC.md, section 27), except
that ``length`` is nncase's ``size``.
"""

from __future__ import annotations

import sys
from array import array

from maixfs.record import Record, field

Buffer = bytes | bytearray | memoryview

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
SEALED = {SMODEL_V3: "smodel v3", SMODEL_V4: "smodel v4", EMODEL: "emodel"}
"""Encrypted models, by their first word."""
SEALED_UNIT = 16
"""``length`` of an encrypted v3 or v4 model is a multiple of it."""
MERGED_INTO_RDATA = 1
"""Flag of a section of v5: its bytes lie in the section ``.rdata``."""


class V1Header(Record):
    """Start of a v1 model; then one ``V1Metadata`` per layer."""

    version: int = field("I", "1")
    flags: int = field("I", "bit 0: 8-bit data")
    layers_length: int = field("I", "number of layers")
    max_start_address: int = field(
        "I", "place in KPU memory, units of 64 bytes; no loader reads it"
    )
    layers_argument_start: int = field(
        "I", "offset of the layers' registers, 96 bytes each; the last thing in the file"
    )


class V1Metadata(Record):
    """Where a layer of v1 has its parameters, from the start of the model."""

    weights_offset: int = field("I", "offset of the weights")
    bn_offset: int = field("I", "offset of the batch normalisation")
    act_offset: int = field("I", "offset of the activation table")
    output_scale: float = field("f", "float; of the last layer: scale of the result")
    output_bias: float = field("f", "float; of the last layer: bias of the result")


class LayerArgument(Record):
    """The KPU's registers for one layer, by the SDK's names (``kpu_layer_argument_t``).

    Those of v1 lie at ``layers_argument_start``, those of v3 at a ``k210_conv`` layer's
    ``layer_offset``.
    """

    interrupt_enable: int = field("Q", "bit 3: depth-wise convolution")
    image_addr: int = field("Q", "places of input and output in KPU memory")
    image_channel_num: int = field("Q", "channels, each less 1: input, output from bit 32")
    image_size: int = field(
        "Q", "width (10 bits), height (9 bits), each less 1; output from bit 32"
    )
    kernel_pool_type_cfg: int = field("Q", "kernel (3 bits), pooling (from bit 4)")
    kernel_load_cfg: int = field("Q", "bytes of parameters, from bit 15")
    kernel_offset: int = field("Q")
    kernel_calc_type_cfg: int = field("Q")
    write_back_cfg: int = field("Q")
    conv_value: int = field("Q")
    conv_value2: int = field("Q")
    dma_parameter: int = field("Q")


class V3Header(Record):
    """Start of a v3 model; then ``V3Output`` rows, ``V3Layer`` rows, and the layers' bodies."""

    version: int = field("I", "3")
    flags: int = field("I", "bit 0: 8-bit data")
    arch: int = field("I", "0: K210")
    layers_length: int = field("I", "number of layers")
    max_start_address: int = field(
        "I", "place in KPU memory, units of 64 bytes; no loader reads it"
    )
    main_mem_usage: int = field("I", "bytes of main memory")
    output_count: int = field("I", "number of outputs")


class V3Output(Record):
    """Where in main memory an output lies."""

    address: int = field("I", "place in main memory")
    length: int = field("I", "bytes")


class V3Layer(Record):
    """What a layer is, and how many bytes its body has."""

    type: int = field("I", "layer type")
    body_size: int = field("I", "bytes of the layer's body")


class V3Conv(Record):
    """Body of a ``k210_conv`` layer; offsets count from the start of the model."""

    flags: int = field("I", "bit 0: output goes to main memory")
    main_mem_out_address: int = field("I", "where to")
    layer_offset: int = field("I", "offset of the KPU's registers, 96 bytes")
    weights_offset: int = field("I", "offset of the weights")
    bn_offset: int = field("I", "offset of the batch normalisation")
    act_offset: int = field("I", "offset of the activation table")


class V4Header(Record):
    """Start of a v4 model.

    Then ranges and shapes of the inputs, ranges of the outputs, constants, ``V4Node`` rows and
    the nodes' bodies.
    """

    identifier: int = field("I", "`LDMK`")
    version: int = field("I", "4")
    flags: int = field("I", "0")
    target: int = field("I", "0: CPU, 1: K210")
    constants: int = field("I", "bytes of constants")
    main_mem: int = field("I", "bytes of main memory")
    nodes: int = field("I", "number of nodes")
    inputs: int = field("I", "number of inputs")
    outputs: int = field("I", "number of outputs")
    reserved0: int = field("I", "any value")


class V4Range(Record):
    """Where an input or output of v4 lies."""

    memory_type: int = field("I", "memory: 0 constants, 1 main, 2 KPU")
    datatype: int = field("I", "0: float32, 1: uint8")
    start: int = field("I", "place there")
    length: int = field("I", "bytes")


class V4Shape(Record):
    """Shape of an input of v4."""

    batch: int = field("i", "pictures at a time")
    channels: int = field("i", "of the input")
    height: int = field("i", "of the input")
    width: int = field("i", "of the input")


class V4Node(Record):
    """What a node does, and how many bytes its body has."""

    opcode: int = field("I", "opcode")
    body_size: int = field("I", "bytes of the node's body")


class V5Header(Record):
    """Start of a v5 model; then its modules, back to back."""

    identifier: int = field("I", "`LDMK`")
    version: int = field("I", "5")
    header_size: int = field("I", "32")
    flags: int = field("I", "0")
    alignment: int = field("I", "8 or 256")
    modules: int = field("I", "number of modules")
    entry_module: int = field("I", "module that starts")
    entry_function: int = field("I", "function of it that starts")


class V5Prefix(Record):
    """First words of all versions of v5: they distinguish v5 from its betas."""

    identifier: int = field("I", "`LDMK`")
    version: int = field("I", "5")
    third: int = field("I", "32 in v5, 0 in the betas")


class V5Module(Record):
    """Start of a module; then memory pools, shared pools, functions and sections."""

    type: bytes = field("16s", "`stackvm` or `k210`, padded with zeros")
    version: int = field("I", "1")
    header_size: int = field("I", "48")
    length: int = field("I", "bytes of the module, with this record")
    mempools: int = field("I", "number of memory pools")
    shared_mempools: int = field("I", "number of shared pools")
    sections: int = field("I", "number of sections")
    functions: int = field("I", "number of functions")
    reserved0: int = field("I", "0")


class V5Pool(Record):
    """Memory that a module needs while it runs."""

    location: int = field("B", "2 rdata, 3 data, 64 KPU")
    length: int = field("I", "bytes", at=4)


class V5SharedPool(Record):
    """Memory of another module that a module uses."""

    module: int = field("I", "module whose memory it is")
    length: int = field("I", "bytes")


class V5Function(Record):
    """Start of a function; then ranges and shapes of inputs, ranges and shapes of outputs."""

    header_size: int = field("I", "32")
    length: int = field("I", "bytes, with ranges and shapes")
    input_pool_size: int = field("I", "bytes of all inputs")
    output_pool_size: int = field("I", "bytes of all outputs")
    inputs: int = field("I", "number of inputs")
    outputs: int = field("I", "number of outputs")
    entrypoint: int = field("I", "offset in the section `.text`")
    text_size: int = field("I", "bytes there")


class V5Range(Record):
    """Where an input or output of v5 lies; after the ranges comes a shape for each."""

    memory_location: int = field("B", "0 input, 1 output, 2 rdata, 3 data, 4 shared, 64 KPU")
    datatype: int = field("B", "4: uint8, 9: float32, and others")
    shared_module: int = field("H", "module, for location 4")
    start: int = field("I", "place there")
    length: int = field("I", "bytes")


class V5Section(Record):
    """Start of a section; ``body_start`` bytes later its content, unless it is merged."""

    name: bytes = field("16s", "`.rdata`, `.text`, padded with zeros")
    flags: int = field("I", "bit 0: lies in `.rdata`")
    body_start: int = field("I", "bytes between this record and the content")
    body_size: int = field("I", "bytes of content")
    reserved0: int = field("I", "0")


class BetaHeader(Record):
    """Start of a model of nncase 1.0 before its first beta (January to August 2021)."""

    identifier: int = field("I", "`LDMK`")
    version: int = field("I", "5")
    flags: int = field("I", "0")
    alignment: int = field("I", "8 or 256")
    modules: int = field("I", "number of modules")
    main_module: int = field("I", "module that starts")


class BetaModule(Record):
    """Start of a module of these; pools, inputs, outputs and sections follow.

    ``size`` does not count this record.
    """

    type: bytes = field("16s", "`stackvm` or `k210`, padded with zeros")
    length: int = field("I", "bytes of the module, without this record")
    mempools: int = field("I", "number of memory pools")
    inputs: int = field("I", "number of inputs")
    outputs: int = field("I", "number of outputs")
    sections: int = field("I", "number of sections")
    reserved0: int = field("I", "0")


class SealedHeader(Record):
    """Start of an encrypted model; ``size`` bytes follow."""

    identifier: int = field("I", "10003: smodel of v3, `LDMS`: smodel of v4, `LDME`: emodel")
    length: int = field("I", "bytes that follow")


# What the numbers stand for

K210_CONV = 10240
"""The layer of v3 that the KPU computes; ``kpu.forward`` takes images if it is the first."""

V3_LAYERS = {
    0: "invalid",
    1: "add",
    2: "quantized_add",
    3: "global_max_pool2d",
    4: "quantized_global_max_pool2d",
    5: "global_average_pool2d",
    6: "quantized_global_average_pool2d",
    7: "max_pool2d",
    8: "quantized_max_pool2d",
    9: "average_pool2d",
    10: "quantized_average_pool2d",
    11: "quantize",
    12: "dequantize",
    13: "requantize",
    14: "l2_normalization",
    15: "softmax",
    16: "concat",
    17: "quantized_concat",
    18: "fully_connected",
    19: "quantized_fully_connected",
    20: "tensorflow_flatten",
    21: "quantized_tensorflow_flatten",
    22: "resize_nearest_neighbor",
    23: "quantized_resize_nearest_neighbor",
    24: "channelwise_dequantize",
    25: "logistic",
    K210_CONV: "k210_conv",
    10241: "k210_add_padding",
    10242: "k210_remove_padding",
    10243: "k210_upload",
}
"""Layer types of v3. ``kpu.netinfo`` prints them in capitals, with ``KL_`` in front."""

V4_NODES = {
    0x00: "binary",
    0x01: "concat",
    0x02: "conv2d",
    0x03: "dequantize",
    0x04: "matmul",
    0x05: "pad",
    0x06: "quantize",
    0x07: "reduce",
    0x08: "reduce_window2d",
    0x09: "memory_copy",
    0x0A: "resize_image",
    0x0B: "softmax",
    0x0C: "transpose",
    0x0D: "strided_slice",
    0x0E: "unary",
    0x0F: "quantized_conv2d",
    0x10: "quantized_matmul",
    0x11: "quantized_binary",
    0x12: "table_lookup1d",
    0x13: "conv2d_transpose",
    0x14: "nnil_unary_method",
    0x1001: "cpu_conv2d",
    0x1002: "cpu_depthwise_conv2d",
    0x1003: "cpu_reduce_window2d",
    0x1004: "cpu_quantized_conv2d",
    0x1005: "cpu_quantized_depthwise_conv2d",
    0x2001: "kpu_upload",
    0x2002: "kpu_conv2d",
}
"""Opcodes of v4."""
V4_TARGETS = {0: "cpu", 1: "k210"}
V4_MEMORIES = {0: "constants", 1: "main", 2: "kpu"}
V4_DATATYPES = {0: "float32", 1: "uint8"}

V5_DATATYPES = {
    0: "int8",
    1: "int16",
    2: "int32",
    3: "int64",
    4: "uint8",
    5: "uint16",
    6: "uint32",
    7: "uint64",
    8: "float16",
    9: "float32",
    10: "float64",
    11: "bfloat16",
}
V5_DATA = 3
"""Location of the memory that a module needs for its intermediate results."""
V5_LOCATIONS = {0: "input", 1: "output", 2: "rdata", V5_DATA: "data", 4: "shared", 64: "kpu"}


def named(names: dict[int, str], number: int) -> str:
    """Return a number's name, or the number itself in hexadecimal."""
    return names.get(number) or f"0x{number:X}"


# Byte order


def reverse_words(data: Buffer) -> bytes:
    """Return the data with the bytes of each 4-byte word reversed, padded with zeros to words.

    Flashers do this to files marked ``reverse4Bytes``.
    """
    words = array("I", bytes(data) + bytes(-len(data) % 4))
    words.byteswap()
    return words.tobytes()


def words_of(data: Buffer) -> array[int]:
    """Return the little-endian words of the data; up to 3 bytes behind them are dropped."""
    words = array("I", bytes(data[: len(data) & ~3]))
    if sys.byteorder == "big":
        words.byteswap()
    return words
