"""Geometries for tests: those of real boards, those of SPIFFS' own tests, and unusual ones."""

from __future__ import annotations

from dataclasses import replace

from maixfs.spiffs.geometry import PRESETS, Geometry

MAIXPY = PRESETS["maixpy"]
IDF = PRESETS["esp-idf"].with_size(0x40000)
GEOMETRIES = {
    "maixpy": MAIXPY,
    "maixpy-512k": MAIXPY.with_size(0x80000),
    "spiffs-64k-blocks": Geometry(0x80000, 0x10000, 256, erase_size=0x10000),
    "spiffs-128k-blocks": Geometry(0x80000, 0x20000, 256, erase_size=0x10000),
    "esp-64k": Geometry(0x10000, 0x1000, 256),
    **{name: preset.with_size(0x40000) for name, preset in PRESETS.items() if name != "maixpy"},
    "8k-blocks": Geometry(0x20000, 0x2000, 256, aligned_tables=True),
    "512-byte-pages": Geometry(0x100000, 0x10000, 512, name_length=64),
    "smallest": Geometry(0x4000, 0x1000, 256),
    "meta": Geometry(0x20000, 0x2000, 256, meta_length=5, aligned_tables=True),
    "no-magic": Geometry(0x20000, 0x2000, 256, use_magic=False, use_magic_length=False),
    "end-of-chip": replace(IDF, size=0x20000, base=0xFE0000),
    "tiny-pages": Geometry(0x10000, 0x1000, 128, name_length=32),
    "big-name": Geometry(0x40000, 0x1000, 256, name_length=128, aligned_tables=True),
}
