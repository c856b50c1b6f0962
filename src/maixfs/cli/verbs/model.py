"""``maixfs model``: neural networks for the KPU."""

from __future__ import annotations

from maixfs.cli.catalogue import VERBS
from maixfs.cli.flash.catalogue import MODEL_VERBS
from maixfs.cli.options import json_option
from maixfs.cli.verbgroup import declare_group

ABOUT = """\
Models (.kmodel) of every version are known: v1, v3, v4, v5, those of nncase before 1.0, encrypted
ones, and copies with reversed words. A net is never run here.
"""

model = declare_group(
    "model",
    VERBS["model"].sentence,
    ABOUT,
    MODEL_VERBS,
    "maixfs.cli.flash",
    (
        ("maixfs model info dump.bin", "All models in a dump: version, size, inputs, memory."),
        ("maixfs model info face.kmodel", "All that is known of a model."),
    ),
)
json_option(model)
