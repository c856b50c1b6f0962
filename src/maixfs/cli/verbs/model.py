"""``maixfs model``: neural networks, and whether ``kpu.load`` takes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.flash.image import IMAGE, ImagePlace, opened_image
from maixfs.cli.options import bytes_option, json_option
from maixfs.cli.screen import Column, Part, Screen, Text, count_text, hex_text, range_text
from maixfs.cli.verb import group, verb

if TYPE_CHECKING:
    from maixfs.explain.models import ModelReport
    from maixfs.kmodel import LoadResult, Model


ABOUT = """\
Models (.kmodel) of every version are read: v1, v3, v4, v5, those of nncase before 1.0, encrypted
ones, and copies with reversed words. Networks are not run.
"""

model = group(
    "model",
    ABOUT,
    ("maixfs model info dump.bin", "List the models in a dump."),
    ("maixfs model info face.kmodel", "Show all details of a model."),
)


COLUMNS = [
    Column("address", right=True),
    Column("version"),
    Column("size", right=True),
    Column("inputs"),
    Column("memory", right=True),
    Column("kpu.load"),
]
_ZIP = b"PK\x03\x04"
_MOST_LAYERS = 24
"""Layers that are shown unless all are asked for."""


@verb(
    "model info",
    ("maixfs model info dump.bin", "List the models in a dump."),
    ("maixfs model info dump.bin@0x300000", "Show all details of one of them."),
)
@click.argument("place", metavar="FILE|IMG[@ADDRESS]", type=IMAGE)
@click.option("--layers", is_flag=True, help="List every layer.")
@bytes_option
@json_option
def info_verb(screen: Screen, place: ImagePlace, layers: bool) -> int:
    """FILE is a model, also one in a target (card.img:/m.kmodel). In IMG, models are found at
    every multiple of 4 KiB. Memory is the copy that kpu.load makes plus the model's main
    memory; about 3.5 of 6 MiB are free for it. "v4 build" is a MaixPy with kmodel_v4 in its name,
    "v3 build" one without. The exit code is 1 if no board loads one of the models.
    """
    reports = read_models(screen, place)
    models = [report.model for report in reports]
    if screen.json:
        screen.emit({"target": str(place), "models": [_model_json(report) for report in reports]})
    elif len(reports) == 1 and (place.address is not None or not models[0].address):
        _draw(screen, str(place), reports[0], layers)
    else:
        screen.table(COLUMNS, [_row(screen, model) for model in models])
        draw_notes(screen, models)
    return int(not all(report.usable for report in reports))


def read_models(screen: Screen, place: ImagePlace) -> list[ModelReport]:
    """Return the models of a place; raises ``ModelError`` without any."""
    from maixfs.explain.models import find_models, report_model
    from maixfs.kmodel import ModelError

    # A file in a file system is scattered over pages or clusters: it is read through the mount.
    if place.path is not None:
        return [report_model(_read_inside(screen, place), is_file=True)]
    with opened_image(screen, place.host) as raw:
        if place.address is not None:
            return [report_model(raw.flash.image, place.address)]
        # Models in a package are compressed: a search would find none, and not say why.
        if bytes(raw.flash.image[: len(_ZIP)]) == _ZIP:
            hint = f"it is a package: maixfs kfpkg list {place}"
            raise ModelError(f"{place}: no model", hint=hint)
        try:
            return find_models(raw.flash.image, is_dump=raw.config is not None)
        except ModelError as error:
            raise ModelError(f"{place}: {error}", hint=error.hint) from error


def _read_inside(screen: Screen, place: ImagePlace) -> bytes:
    from maixfs.cli.targets import opened
    from maixfs.image.address import parse_target
    from maixfs.image.entries import Where

    with opened(screen, parse_target(str(place)), Where()) as target:
        return target.read_bytes(place.path or "")


def _model_json(report: ModelReport) -> dict[str, Any]:
    from maixfs.kmodel import as_dict

    about = as_dict(report.model)
    if not isinstance(about, dict):
        raise TypeError("a model is an object in JSON")
    return {
        **about,
        "loadable_file": as_dict(report.from_file),
        "loadable_load_flash": as_dict(report.load_flash),
    }


def _row(screen: Screen, model: Model) -> list[Part]:
    inputs = ", ".join(tensor.dimensions for tensor in model.inputs) or "?"
    return [
        hex_text(model.address),
        model.version + (" reversed" if model.reversed else ""),
        screen.cell(model.size),
        inputs,
        screen.cell(model.memory_need),
        load_text(model),
    ]


def load_text(model: Model) -> Part:
    """Return in a few words which builds load a model."""
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


def _draw(screen: Screen, name: str, report: ModelReport, layers: bool) -> None:
    model = report.model
    kind = f"kmodel {model.version}" if model.version.startswith("v") else model.version
    kind += ", its words reversed" if model.reversed else ""
    screen.line(Text(name, "heading"), f"  {kind}, {count_text(model.size, 'byte')}")
    screen.line()
    screen.facts([*_facts(screen, model), *_answers(report)])
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
    fits = ": does not fit into the free memory"
    main = screen.size(model.main_memory)
    budget = f", {screen.size(memory_budget())} are free" if model.fits else fits
    summary = f"{need} ({main} of it main memory){budget}"
    yield "memory", Text(summary, "good" if model.fits else "bad")
    yield "weights", f"{weights} in {count_text(len(model.layers), 'layer')}"


def _answers(report: ModelReport) -> Iterator[tuple[str, Part]]:
    calls = (
        ("from flash", report.model.loadable),
        ("from a file", report.from_file),
        ("kpu.load_flash", report.load_flash),
    )
    for call, answers in calls:
        for build, result in zip(("v3 build", "v4 build"), answers or (), strict=False):
            text = _answer_text(result)
            if answers is report.load_flash:
                # The board prints the name of the call that failed (docs/SPEC.md, 27.7).
                text = text._replace(text=text.text.replace("load error:", "load_flash error:"))
            yield f"{call}, {build}", text


def _answer_text(result: LoadResult) -> Text:
    note = f" ({result.note})" if result.note else ""
    return Text(_answer(result) + note, "good" if result.loads else "bad")


def draw_notes(screen: Screen, models: list[Model]) -> None:
    """Print the notes of models."""
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
    rows = [[str(nr), layer.name, screen.cell(layer.size)] for nr, layer in enumerate(shown)]
    screen.table(columns, rows)
    if len(shown) < len(model.layers):
        screen.line(f"... and {len(model.layers) - len(shown)} more: --layers shows all")
