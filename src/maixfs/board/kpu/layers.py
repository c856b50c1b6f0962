"""Layers and outputs of a loaded model, as the firmware counts and checks them."""

from __future__ import annotations

from collections.abc import Callable

from maixfs.board.kpu.model import LoadedModel, Shape
from maixfs.board.kpu.netinfo import LayerInfo, layer_info, layer_name
from maixfs.kmodel import KpuCode
from maixfs.kmodel.ondisk import K210_CONV
from maixfs.vfs import PlainOSError

Say = Callable[[str], object]

_PADDING, _UNPADDING, _UPLOAD = K210_CONV + 1, K210_CONV + 2, K210_CONV + 3
_LAST_LAYERS = {1, 2, 5, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 20, K210_CONV, _UNPADDING}
"""Types of layers whose result the firmware knows how to give out."""
_SIGN = 1 << 31


def layers_of(model: LoadedModel, say: Say) -> list[LayerInfo]:
    """Print the layers of a v3 model and return what is known of them.

    Raises ``OSError`` for a v4 model: the firmware knows nothing of its nodes.
    """
    if not model.is_v3:
        raise PlainOSError(int(KpuCode.NOT_IMPLEMENT))
    rows = model.rows(model.layers)
    for index, row in enumerate(rows):
        size = (row.size ^ _SIGN) - _SIGN
        say(f"layer[{index}]: {layer_name(row.type)}, {size} bytes\r\n")
    return [layer_info(model, index, row) for index, row in enumerate(rows)]


def take_layers(model: LoadedModel, count: int, say: Say) -> None:
    """Let a v3 model end after ``count`` layers, and print why that one gives no output.

    With a v4 model nothing happens.
    """
    if not model.is_v3:
        return
    if not model.outputs:
        say("output index too big!\r\n")
        return
    model.layers = count
    kind = model.rows(count)[-1].type if count else 0
    if kind in (_PADDING, _UPLOAD):
        say(f"{layer_name(kind)} not support output to mainbuf!\r\n")
    elif kind not in _LAST_LAYERS:
        say(f"Unknow layer type: {kind}!\r\n")


def set_output(model: LoadedModel, index: int, shape: Shape, say: Say) -> bool:
    """Take the shape of an output of a v4 model; print why not, and tell whether it was taken."""
    size = model.output_size(index)
    floats = 4 * shape[0] * shape[1] * shape[2] & 0xFFFFFFFF
    if model.is_v3:
        say(
            f"[MAIXPY]kpu: set_outputs ctx error, maybe init err:{int(KpuCode.KMODEL_VERSION)}\r\n"
        )
    elif size < 0:
        say(f"[MAIXPY]kpu: set_outputs arg value error:kmodel output idx {index} out of range\r\n")
    elif floats != size:
        say(
            f"w*h*ch!={size}\r\n"
            "[MAIXPY]kpu: set_outputs arg value error: w,c,ch size not match output size\r\n"
        )
    else:
        model.shapes[index] = shape
        return True
    return False
