"""``maixfs model info``: models of whatever version, and what ``kpu.load`` says of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from maixfs.cli.flash.catalogue import MODEL_VERBS
from maixfs.cli.flash.image import IMAGE, ImagePlace, opened_image, range_text
from maixfs.cli.options import bytes_option, json_option
from maixfs.cli.screen import Column, Part, Screen, Text
from maixfs.cli.verbgroup import verb_of
from maixfs.cli.wording import count_text, hex_text

if TYPE_CHECKING:
    from maixfs.kmodel import Loadable, LoadResult, Model

COLUMNS = [
    Column("address", right=True),
    Column("version"),
    Column("size", right=True),
    Column("inputs"),
    Column("memory", right=True),
    Column("kpu.load"),
]
_BUILDS = (False, True)
"""Whether a build of MaixPy supports v4."""
_SPI_FREQUENCY = 40_000_000
"""Hz; only what the board prints depends on it."""
_SMALLEST_FLASH = 0x100000
_MOST_LAYERS = 24
"""Layers that are shown unless all are asked for."""


@verb_of(
    "model",
    "info",
    MODEL_VERBS,
    ("maixfs model info dump.bin", "All models in a dump: version, size, inputs, memory."),
    ("maixfs model info dump.bin@0x300000", "All that is known of one of them."),
)
@click.argument("place", metavar="FILE|IMG[@ADDRESS]", type=IMAGE)
@click.option("--layers", is_flag=True, help="Every layer, also of long models.")
@bytes_option
@json_option
def info_verb(screen: Screen, place: ImagePlace, layers: bool) -> int:
    """FILE is a model, also one on a target (card.img:/m.kmodel); in IMG every model is found, at
    any multiple of 4 KiB. Memory is the copy of the model that kpu.load makes and its main memory;
    boards have about 3.5 of their 6 MiB left for it. A v4 build of MaixPy is one with support for
    v4 (kmodel_v4 in its name); a v3 build has none. The exit code is 1 where no board would load a
    model.
    """
    found = read_models(screen, place)
    models = [seen.model for seen in found]
    if screen.json:
        screen.emit({"target": str(place), "models": [_model_json(seen) for seen in found]})
    elif len(found) == 1 and (place.address is not None or not models[0].address):
        _draw(screen, str(place), found[0], layers)
    else:
        screen.table(COLUMNS, [_row(screen, model) for model in models])
        draw_notes(screen, models)
    return int(not all(map(is_usable, found)))


class Seen(NamedTuple):
    """A model, and what the firmware answers where ``kpu.load`` of its address is not all."""

    model: Model
    from_file: Loadable | None = None
    """Where it is a file of its own."""
    load_flash: Loadable | None = None
    """What ``kpu.load_flash`` answers, where its words are reversed."""


def read_models(screen: Screen, place: ImagePlace) -> list[Seen]:
    """Return the models of a place; raises ``ModelError`` where there is none."""
    from maixfs.image.flash import FlashImage
    from maixfs.kmodel import parse_model

    if place.path is not None:
        data = memoryview(_read_inside(screen, place))
        return [_seen(parse_model(data), data, is_file=True)]
    with opened_image(screen, place.host) as raw:
        if place.address is not None:
            return [_seen(parse_model(raw.view, place.address), raw.view)]
        found = FlashImage(raw.view).models
        if not found:
            raise _none_found(place, raw.view)
        alone = len(found) == 1 and not found[0].address and not raw.is_board
        return [_seen(model, raw.view, is_file=alone) for model in found]


def _seen(model: Model, view: memoryview, *, is_file: bool = False) -> Seen:
    from maixfs.kmodel import Loadable, load_flash_result, load_result

    file = load_flash = None
    if is_file:
        answers = (load_result(view, v4_support=v4, from_file=True) for v4 in _BUILDS)
        file = Loadable(*answers)
    if model.reversed:
        flash = view[model.address :]
        answers = (
            load_flash_result(flash, v4_support=v4, frequency=_SPI_FREQUENCY) for v4 in _BUILDS
        )
        load_flash = Loadable(*answers)
    return Seen(model, file, load_flash)


def _none_found(place: ImagePlace, view: memoryview) -> Exception:
    """Return the error for an image without models; of what begins like one it says why not."""
    from maixfs.kmodel import ModelError, parse_model

    if bytes(view[:4]) == b"PK\x03\x04":
        hint = f"it is a package: maixfs kfpkg list {place}"
        return ModelError(f"{place}: no model", hint=hint)
    try:
        parse_model(view)
    except ModelError as error:
        if len(view) < _SMALLEST_FLASH:
            return ModelError(f"{place}: {error}", hint=error.hint)
    return ModelError(f"{place}: no model at any multiple of 4 KiB")


def _read_inside(screen: Screen, place: ImagePlace) -> bytes:
    from maixfs.cli.targets import opened
    from maixfs.image.address import parse_target
    from maixfs.image.entries import Where

    with opened(screen, parse_target(str(place)), Where()) as target:
        return target.read_bytes(place.path or "")


def is_usable(seen: Seen) -> bool:
    """Tell whether some board loads a model, one with reversed words by ``kpu.load_flash``."""
    answers = seen.load_flash or seen.model.loadable
    return any(answer.loads for answer in answers)


def _model_json(seen: Seen) -> dict[str, Any]:
    from maixfs.kmodel import as_dict

    about = as_dict(seen.model)
    if not isinstance(about, dict):
        raise TypeError("a model is an object in JSON")
    return {
        **about,
        "loadable_file": as_dict(seen.from_file),
        "loadable_load_flash": as_dict(seen.load_flash),
    }


def _row(screen: Screen, model: Model) -> list[Part]:
    inputs = ", ".join(one.dimensions for one in model.inputs) or "?"
    return [
        hex_text(model.address),
        model.version + (" reversed" if model.reversed else ""),
        screen.cell(model.size),
        inputs,
        screen.cell(model.memory_need),
        load_text(model),
    ]


def load_text(model: Model) -> Part:
    """Return in a few words which boards load a model."""
    without, with_v4 = model.loadable
    if model.reversed:
        return Text("only kpu.load_flash", "warning")
    if without.loads and with_v4.loads:
        return Text("loads", "good")
    if with_v4.loads:
        return Text("loads in a v4 build", "good")
    return Text(_answer(with_v4), "bad")


def _answer(result: LoadResult) -> str:
    if result.crash:
        return f"stops the board: {result.crash}"
    if result.loads:
        return f"loads, {result.memory} bytes of memory"
    return f"ValueError: {result.message}"


def _draw(screen: Screen, name: str, seen: Seen, layers: bool) -> None:
    model = seen.model
    kind = f"kmodel {model.version}" if model.version.startswith("v") else model.version
    kind += ", its words reversed" if model.reversed else ""
    screen.line(Text(name, "heading"), f"  {kind}, {count_text(model.size, 'byte')}")
    screen.line()
    screen.facts([*_facts(screen, model), *_answers(seen)])
    draw_notes(screen, [model])
    _draw_layers(screen, model, layers)


def _facts(screen: Screen, model: Model) -> Iterator[tuple[str, Part]]:
    from maixfs.kmodel import memory_budget

    yield "place", f"{range_text(model.address, model.end)}, {screen.size(model.size)}"
    if model.target:
        yield "target", model.target
    for tensor in (*model.inputs, *model.outputs):
        shape = "" if tensor.shape is None else tensor.dimensions
        kind = " ".join(filter(None, (shape, tensor.datatype)))
        size = screen.size(tensor.size) + (f" in {tensor.memory}" if tensor.memory else "")
        yield tensor.name, ", ".join(filter(None, (kind, size)))
    need, weights = screen.size(model.memory_need), screen.size(model.weights)
    fits = ": does not fit beside the firmware"
    main = screen.size(model.main_memory)
    budget = f", {screen.size(memory_budget())} are left for it" if model.fits else fits
    text = f"{need} ({main} of it main memory){budget}"
    yield "memory", Text(text, "good" if model.fits else "bad")
    yield "weights", f"{weights} in {count_text(len(model.layers), 'layer')}"


def _answers(seen: Seen) -> Iterator[tuple[str, Part]]:
    ways = (
        ("from flash", seen.model.loadable),
        ("from a file", seen.from_file),
        ("kpu.load_flash", seen.load_flash),
    )
    for way, answers in ways:
        for build, result in zip(("v3 build", "v4 build"), answers or (), strict=False):
            told = _told(result)
            if answers is seen.load_flash:
                told = told._replace(text=told.text.replace("load error:", "load_flash error:"))
            yield f"{way}, {build}", told


def _told(result: LoadResult) -> Text:
    note = f" ({result.note})" if result.note else ""
    return Text(_answer(result) + note, "good" if result.loads else "bad")


def draw_notes(screen: Screen, models: list[Model]) -> None:
    """Write what else a user should know of models."""
    alone = len(models) == 1
    for model in models:
        for note in model.notes:
            where = "" if alone else f"{hex_text(model.address)}: "
            screen.paragraph("  ", Text("note:", "warning"), where + note)


def _draw_layers(screen: Screen, model: Model, every: bool) -> None:
    if not model.layers:
        return
    screen.line()
    shown = model.layers if every else model.layers[:_MOST_LAYERS]
    columns = [Column("layer", right=True), Column("type"), Column("size", right=True)]
    rows = [[str(nr), one.name, screen.cell(one.size)] for nr, one in enumerate(shown)]
    screen.table(columns, rows)
    if len(shown) < len(model.layers):
        screen.line(f"... and {len(model.layers) - len(shown)} more: --layers shows all")
