"""Every golden SPIFFS image: what it holds, and that its script leaves the same bytes again."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from golden.corpus import SpiffsCase, spiffs_cases
from golden.replay import replay
from maixfs.nor import NorChip, make_driver
from maixfs.spiffs import OpenFlag, SpiffsCore, SpiffsError

CASES = spiffs_cases()
DRIVERS = {"and": "ideal", "literal": "literal", "k210nw": "maixpy"}


def mounted(case: SpiffsCase, image: bytes, *, read_only: bool = False) -> SpiffsCore:
    chip = NorChip.in_memory(len(image), content=image)
    device = make_driver(DRIVERS[case.manifest["nor_model"]], chip)
    config = case.manifest["config"]
    return SpiffsCore(
        device,
        case.geometry,
        read_only=read_only,
        faithful=True,
        max_files=config["fd_count"],
        cache_pages=config["cache_pages"],
    )


def read_by_name(fs: SpiffsCore, name: bytes) -> tuple[int, bytes]:
    try:
        with fs.open_descriptor(name, OpenFlag.RDONLY) as file:
            return 0, file.read()
    except SpiffsError as error:
        return int(error.code), b""


def listing(fs: SpiffsCore) -> list[dict[str, Any]]:
    rows = []
    for entry in fs.scandir():
        result, data = read_by_page(fs, entry.page)
        row = {
            "name": entry.raw_name,
            "obj_id": entry.object_id,
            "type": entry.type,
            "size": entry.size,
            "header_page": entry.page,
            "read_res": result,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        if entry.meta:
            row["meta"] = entry.meta.hex()
        rows.append(row)
    return rows


def read_by_page(fs: SpiffsCore, page: int) -> tuple[int, bytes]:
    """Read in pieces, as far as it goes: the reference kept what came before an error."""
    data = bytearray()
    try:
        with fs.open_page(page) as file:
            while piece := file.read(4096):
                data += piece
    except SpiffsError as error:
        return int(error.code), bytes(data)
    return 0, bytes(data)


@pytest.mark.parametrize("read_only", [False, True], ids=["mounted", "read-only"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads_as_manifest_says(case: SpiffsCase, read_only: bool) -> None:
    manifest, image = case.manifest, case.image
    if manifest["mount_result"]:
        with pytest.raises(SpiffsError) as caught:
            mounted(case, image, read_only=read_only)
        assert caught.value.code == manifest["mount_result"]
        return
    fs = mounted(case, image, read_only=read_only)
    assert (fs.aborted_block is not None) == manifest["mount_erased_block"]
    wanted = [
        {key: row[key] for key in row if key not in ("read_len",)} | {"name": raw_name(row)}
        for row in manifest["files"]
    ]
    assert listing(fs) == wanted
    for name, row in manifest["cat_by_name"].items():
        result, data = read_by_name(fs, raw_name({"name": name}))
        assert result == (int(row["err"].removeprefix("res ")) if row["rc"] else 0), name
        assert hashlib.sha256(data).hexdigest() == row["sha256"], name
    check_info(fs, manifest["info"], read_only=read_only)


def raw_name(row: dict[str, Any]) -> bytes:
    name: str = row["name"]
    return name.encode("utf-8", "surrogateescape")


def check_info(fs: SpiffsCore, wanted: dict[str, int], *, read_only: bool) -> None:
    info, room = fs.info(), fs.statvfs()
    assert (info.total, info.used) == (wanted["total"], wanted["used"])
    assert fs.geometry.blocks == wanted["block_count"]
    assert room.free_blocks == wanted["free_blocks"]
    assert room.allocated == wanted["pages_allocated"]
    assert room.deleted == wanted["pages_deleted"]
    if not (read_only and fs.aborted_block is not None):
        assert room.max_erase_count == wanted["max_erase_count"]


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.replayable], ids=lambda case: case.name
)
def test_script_leaves_same_bytes(case: SpiffsCase) -> None:
    device = make_driver(
        DRIVERS[case.manifest["nor_model"]],
        NorChip.in_memory(case.geometry.size),
    )
    assert replay(case, device) == case.results
    image = bytearray(device.read(0, case.geometry.size))
    case.poke(image)
    reference = case.image
    if image != reference:
        pytest.fail(first_difference(image, reference, case.geometry.page_size))


def first_difference(ours: bytes | bytearray, theirs: bytes, page_size: int) -> str:
    at = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
    count = sum(a != b for a, b in zip(ours, theirs, strict=True))
    return (
        f"{count} bytes differ, first at {at:#x} (page {at // page_size}"
        f" + {at % page_size:#x}): {ours[at]:02x}, reference {theirs[at]:02x}"
    )
