"""The golden data is whole, and its scripts' sources give the bytes that the C wrote."""

from __future__ import annotations

import hashlib

import pytest

from golden.corpus import SpiffsCase, source_bytes, spiffs_cases, stored_name


@pytest.mark.parametrize("case", spiffs_cases(), ids=lambda case: case.name)
def test_spiffs_image_is_the_one_of_its_manifest(case: SpiffsCase) -> None:
    image = case.image
    assert len(image) == case.manifest["image_size"] == case.geometry.size
    assert hashlib.sha256(image).hexdigest() == case.manifest["image_sha256"]


@pytest.mark.parametrize("case", spiffs_cases(), ids=lambda case: case.name)
def test_spiffs_script_has_a_result_for_each_line(case: SpiffsCase) -> None:
    missing = {operation.line for operation in case.operations} - case.results.keys()
    words = {operation.word for operation in case.operations if operation.line in missing}
    assert words <= {"abort"} or "power_cut" in case.manifest


@pytest.mark.parametrize("case", spiffs_cases(), ids=lambda case: case.name)
def test_a_file_put_once_has_the_bytes_of_its_source(case: SpiffsCase) -> None:
    """Ties the source notation to the hashes that the C's own reading gave."""
    sources: dict[bytes, list[str]] = {}
    for operation in case.operations:
        for name in operation.arguments[:1]:
            sources.setdefault(stored_name(name), []).append(" ".join(operation.arguments[1:2]))
    for row in case.manifest["files"] or []:
        written = sources.get(row["name"].encode(), [])
        if len(written) == 1 and ":" in written[0] and row["read_res"] == row["size"]:
            data = source_bytes(written[0])
            assert hashlib.sha256(data[: row["size"]]).hexdigest() == row["sha256"], row["name"]


def test_sources() -> None:
    assert source_bytes("gen:0x1000001:20") == b"000001:00000000\n0000"
    assert source_bytes("fill:0xa5:3") == b"\xa5\xa5\xa5"
    assert source_bytes("str:a%20b") == b"a b"
    assert source_bytes("hex:00ff") == b"\x00\xff"
    assert source_bytes("rnd:1:8").hex() == "ca165eed7f362d6e"
