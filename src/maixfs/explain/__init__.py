"""What each byte of an image means.

    fields = FlashFields(Parts(dump))
    print(fields.explain(0xD00005).sentence)
    for line in view_lines(fields, 0xD00000, 256): ...

``FlashFields`` and ``CardFields`` return the field at any address, of damaged images too.
``parse_address`` reads places such as ``page:37`` or ``file:/main.py@100``. The names below are
loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.explain.card import CardFields
    from maixfs.explain.fields import (
        Address,
        AddressError,
        Explanation,
        Field,
        FieldSource,
        Line,
        Piece,
        fields_between,
        hex_address,
        parse_address,
        view_lines,
    )
    from maixfs.explain.flash import FlashFields

__all__ = [
    "Address",
    "AddressError",
    "CardFields",
    "Explanation",
    "Field",
    "FieldSource",
    "FlashFields",
    "Line",
    "Piece",
    "fields_between",
    "hex_address",
    "parse_address",
    "view_lines",
]

__getattr__ = lazy_names(
    __name__,
    {
        "card": ("CardFields",),
        "fields": (
            "Address",
            "AddressError",
            "Explanation",
            "Field",
            "FieldSource",
            "Line",
            "Piece",
            "fields_between",
            "hex_address",
            "parse_address",
            "view_lines",
        ),
        "flash": ("FlashFields",),
    },
)
