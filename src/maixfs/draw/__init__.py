"""Charts of a flash chip, as letters, SVG or PNG.

    chart = chart_parts(Parts(dump))
    print("".join(cell.shade.letter for cell in chart.cells))
    Path("flash.svg").write_text(draw_svg(lay_out(chart, "my flash")))

A chart shows the owners of its cells, the states of SPIFFS pages, erase counts, or entropy. The
names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.draw.chart import (
        KINDS,
        PAGES,
        Cell,
        Chart,
        Rgb,
        Shade,
        chart_entropy,
        chart_pages,
        chart_parts,
        chart_wear,
        ink_on,
        page_states,
        terminal_colour,
        used_bytes,
    )
    from maixfs.draw.picture import Picture, draw_png, draw_svg, lay_out

__all__ = [
    "KINDS",
    "PAGES",
    "Cell",
    "Chart",
    "Picture",
    "Rgb",
    "Shade",
    "chart_entropy",
    "chart_pages",
    "chart_parts",
    "chart_wear",
    "draw_png",
    "draw_svg",
    "ink_on",
    "lay_out",
    "page_states",
    "terminal_colour",
    "used_bytes",
]

__getattr__ = lazy_names(
    __name__,
    {
        "chart": (
            "KINDS",
            "PAGES",
            "Cell",
            "Chart",
            "Rgb",
            "Shade",
            "chart_entropy",
            "chart_pages",
            "chart_parts",
            "chart_wear",
            "ink_on",
            "page_states",
            "terminal_colour",
            "used_bytes",
        ),
        "picture": ("Picture", "draw_png", "draw_svg", "lay_out"),
    },
)
