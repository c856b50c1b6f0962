"""Models of a file or a flash, and what ``kpu.load`` and its relatives answer for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.kmodel import (
    Loadable,
    Model,
    ModelError,
    load_flash_result,
    load_result,
    parse_model,
)
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.nor import Buffer

_BUILDS = (False, True)
"""Whether a build of MaixPy supports v4."""
_SPI_FREQUENCY = 40_000_000
"""Hz; only what the board prints depends on it."""
_SMALLEST_FLASH = 0x100000


class ModelReport(NamedTuple):
    """A model, and the answers of the calls that load it; each for a v3 and a v4 build."""

    model: Model
    from_file: Loadable | None = None
    """``kpu.load`` of the file, if the model is a file of its own."""
    load_flash: Loadable | None = None
    """``kpu.load_flash``, if the words of the model are reversed."""

    @property
    def usable(self) -> bool:
        """Whether some board loads it; one with reversed words by ``kpu.load_flash``."""
        return any(answer.loads for answer in self.load_flash or self.model.loadable)


def report_model(view: Buffer, address: int = 0, *, is_file: bool = False) -> ModelReport:
    """Return the report of the model at ``address``; raises ``ModelError`` without one."""
    return _report(parse_model(view, address), memoryview(view), is_file=is_file)


def find_models(view: memoryview, *, is_dump: bool = False) -> list[ModelReport]:
    """Return the reports of all models at multiples of 4 KiB, in the order of their addresses.

    A single model at address 0 is a file of its own, unless ``is_dump``. Raises ``ModelError``
    if there is none; for a file that begins like a model the message has the reason.
    """
    from maixfs.image.parts import Parts

    models = Parts(view).models
    if not models:
        # A file that is too small for a flash was meant to be a model: its own error says what is
        # wrong with it.
        if len(view) < _SMALLEST_FLASH:
            parse_model(view)
        raise ModelError("no model at any multiple of 4 KiB")
    # kpu.load of a file takes its size from the file, of a flash from the records: only one of the
    # answers applies.
    alone = len(models) == 1 and not models[0].address and not is_dump
    return [_report(model, view, is_file=alone) for model in models]


def _report(model: Model, view: memoryview, *, is_file: bool) -> ModelReport:
    file = load_flash = None
    if is_file:
        file = Loadable(
            *(load_result(view, v4_support=build, from_file=True) for build in _BUILDS)
        )
    if model.reversed:
        flash = view[model.address :]
        load_flash = Loadable(
            *(
                load_flash_result(flash, v4_support=build, frequency=_SPI_FREQUENCY)
                for build in _BUILDS
            )
        )
    return ModelReport(model, file, load_flash)
