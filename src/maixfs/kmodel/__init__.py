"""Neural networks for the K210 (kmodels): found, read, and whether a board would load them.

    for model in find_models(flash):
        print(hex(model.address), model.version, model.inputs[0].dimensions)

``load_result`` is what ``kpu.load`` answers to any bytes, read from the firmware's machine code;
``Model.loadable`` holds it for both builds of MaixPy. The names below are loaded when they are
first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.kmodel.load import (
        MAX_MODELS,
        SRAM,
        KpuCode,
        LoadResult,
        fits_memory,
        kpu_words,
        load_flash_result,
        load_result,
        memory_budget,
    )
    from maixfs.kmodel.model import (
        CutOffError,
        Layer,
        Loadable,
        Model,
        ModelError,
        Tensor,
        as_dict,
    )
    from maixfs.kmodel.ondisk import reverse_words
    from maixfs.kmodel.search import find_models, parse_model

__all__ = [
    "MAX_MODELS",
    "SRAM",
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
        "load": (
            "MAX_MODELS",
            "SRAM",
            "KpuCode",
            "LoadResult",
            "fits_memory",
            "kpu_words",
            "load_flash_result",
            "load_result",
            "memory_budget",
        ),
        "model": ("CutOffError", "Layer", "Loadable", "Model", "ModelError", "Tensor", "as_dict"),
        "ondisk": ("reverse_words",),
        "search": ("find_models", "parse_model"),
    },
)
