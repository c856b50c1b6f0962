from __future__ import annotations

from pathlib import Path

import pytest

from maixfs.image.layout import LAYOUTS, Layout, LayoutError, find_layout, load_layout, make_layout
from maixfs.spiffs import PRESETS

REGION = {"name": "a", "kind": "data", "start": 0x1000, "size": 0x1000}


def layout_of(*regions: dict[str, object], size: int = 0x10000) -> Layout:
    return make_layout({"size": size, "region": list(regions)}, "mine")


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_presets_fit_their_chip(name: str) -> None:
    layout = LAYOUTS[name]
    assert layout.name == name and layout.size == 0x1000000 and layout.regions
    for region in layout.regions:
        assert layout.region_at(region.start) is region
        assert layout.region_at(region.end - 1) is region
        assert layout.region(region.name) is region


def test_presets_have_the_numbers_of_their_firmware() -> None:
    assert next(iter(LAYOUTS)) == "maixpy-16m"
    maixpy = find_layout("maixpy-16m")
    assert maixpy.region("flash").spiffs_geometry() == PRESETS["maixpy"]
    assert maixpy.region("models").start == 0x300000
    assert maixpy.region("models").spiffs_geometry() is None
    slots = [region.start for region in find_layout("krux-16m").of_kind("firmware")]
    assert slots == [0x80000, 0x390000]
    old = [region.start for region in find_layout("krux-16m-old").of_kind("firmware")]
    assert old == [0x80000, 0x280000]
    assert find_layout("lobo-16m").region("flash").end == 0xF00000


def test_owners_of_a_range_are_parts_and_regions() -> None:
    maixpy = find_layout("maixpy-16m")
    assert [one.name for one in maixpy.owner_of(0x2FFFFF, 2)] == ["firmware", "models"]
    assert [one.name for one in maixpy.owner_of(0xD00000, 0x1000)] == ["flash"]
    assert maixpy.owner_of(0x1000000, 1) == ()
    assert find_layout("krux-16m").region_at(0xA00000) is None


def test_unknown_layout_raises_with_the_known_names() -> None:
    with pytest.raises(LayoutError, match="no layout called 'nope'") as caught:
        find_layout("nope")
    assert "maixpy-16m" in (caught.value.hint or "")
    with pytest.raises(LayoutError, match="no region 'x'"):
        find_layout("mf1").region("x")
    with pytest.raises(KeyError):
        LAYOUTS["nope"]


def test_layout_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        "size = 0x800000\n"
        "[[region]]\nname = 'app'\nkind = 'firmware'\nstart = 0\nsize = 0x200000\n"
        "[[region]]\nname = 'fs'\nkind = 'spiffs'\nstart = 0x700000\nsize = 0x100000\n"
        "geometry = 'esp-idf'\nowner = 'files'\n"
    )
    layout = load_layout(file)
    assert (layout.name, layout.title, layout.size) == ("mine", "mine", 0x800000)
    geometry = layout.region("fs").spiffs_geometry()
    assert geometry is not None and (geometry.base, geometry.size) == (0x700000, 0x100000)
    assert layout.region("app").owner == "app" and layout.region("app").limit == 0x200000


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"start": 0x1234}, r"region\[0\].start = 0x1234 is no multiple of a sector"),
        ({"size": 0}, r"region\[0\].size = 0x0 is not from 0x1000"),
        ({"size": 0x20000}, "ends behind the chip"),
        ({"start": -4096}, r"region\[0\].start = -0x1000"),
        ({"start": 1 << 70}, r"region\[0\].start"),
        ({"start": "0x1000"}, "no whole number"),
        ({"start": True}, "no whole number"),
        ({"kind": "models "}, "not known"),
        ({"name": ""}, r"region\[0\].name is no line of text"),
        ({"owner": "two\nlines"}, "no line of text"),
        ({"limit": 0x2000}, "is more than the region has"),
        ({"alignment": 0x10000}, "no multiple of 0x10000"),
        ({"alignment": 0}, "alignment = 0x0"),
        ({"begin": 0}, r"region\[0\].begin is no key"),
        ({"geometry": "fat"}, "geometry = 'fat' is not known"),
        ({"geometry": "maixpy"}, "does not suit maixpy"),
    ],
)
def test_invalid_values_of_a_layout_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(LayoutError, match=said):
        layout_of(REGION | changes)


@pytest.mark.parametrize("key", ["name", "kind", "start", "size"])
def test_missing_keys_of_a_layout_are_refused(key: str) -> None:
    region = {name: value for name, value in REGION.items() if name != key}
    with pytest.raises(LayoutError, match=rf"region\[0\].{key} is missing"):
        layout_of(region)


def test_overlapping_regions_are_refused() -> None:
    with pytest.raises(LayoutError, match=r"a \(0x1000-0x2000\) and b \(0x1000-0x3000\) overlap"):
        layout_of(REGION, REGION | {"name": "b", "size": 0x2000})
    with pytest.raises(LayoutError, match="two regions are called 'a'"):
        layout_of(REGION, REGION | {"start": 0x4000})


def test_layout_that_is_not_a_table_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    for text, said in [
        ("size = ", "no TOML"),
        ("size = 0x1000", "region is missing"),
        ("size = 0x1000\nregion = [1]", r"region\[0\] is no table"),
        ("size = 0x1000\nregion = 'x'", "region is missing"),
        ("size = 0x1001\nregion = [{}]", "size = 0x1001 is no multiple"),
        ("a = " + "[" * 100_000, "no TOML"),
    ]:
        file.write_text(text)
        with pytest.raises(LayoutError, match=said):
            load_layout(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(LayoutError, match="no TOML"):
        load_layout(file)
    with pytest.raises(LayoutError, match="is a folder"):
        load_layout(tmp_path)
    with pytest.raises(LayoutError, match="257 tables"):
        make_layout({"size": 0x1000, "region": [REGION] * 257}, "many")
