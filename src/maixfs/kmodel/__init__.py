"""Neural networks for the K210 (kmodels): found, read, and whether a board would load them.

    for model in find_models(flash):
        print(hex(model.address), model.version, model.inputs[0].dimensions)

Also what ``kpu.load`` answers to any bytes. The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.kmodel.errors import CutOffError, ModelError
    from maixfs.kmodel.find import find_models
    from maixfs.kmodel.kpucode import MOST_MODELS, KpuCode, kpu_words
    from maixfs.kmodel.load import LoadResult, load_flash_result, load_result
    from maixfs.kmodel.memory import fits_memory, memory_budget
    from maixfs.kmodel.model import Layer, Loadable, Model, Tensor, as_dict
    from maixfs.kmodel.parse import parse_model
    from maixfs.kmodel.reader import reverse_words

__all__ = [
    "MOST_MODELS",
    "CutOffError",
    "KpuCode",
    "Layer",
    "LoadResult",
    "Loadable",
    "Model",
    "ModelError",
    "Tensor",
    "as_dict",
    "find_models",
    "fits_memory",
    "kpu_words",
    "load_flash_result",
    "load_result",
    "memory_budget",
    "parse_model",
    "reverse_words",
]

__getattr__ = lazy_names(
    __name__,
    {
        "errors": ("CutOffError", "ModelError"),
        "find": ("find_models",),
        "kpucode": ("MOST_MODELS", "KpuCode", "kpu_words"),
        "load": ("LoadResult", "load_flash_result", "load_result"),
        "memory": ("fits_memory", "memory_budget"),
        "model": ("Layer", "Loadable", "Model", "Tensor", "as_dict"),
        "parse": ("parse_model",),
        "reader": ("reverse_words",),
    },
)
