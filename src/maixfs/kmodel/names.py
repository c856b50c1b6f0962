"""What the numbers in models stand for, by the names that nncase and MaixPy give them."""

from __future__ import annotations

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
