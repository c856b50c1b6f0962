"""Damaged images and odd names: an error of one line at most, never a bug."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from maixfs.cli.failures import FAILED, WRONG_USAGE
from maixfs.cli.verb import maixfs


@given(data=st.data())
def test_broken_image_is_never_reported_as_a_bug(data: st.DataObject, template: Path) -> None:
    raw = bytearray((template / "esp.img").read_bytes())
    places = st.integers(0, len(raw) - 1) | st.integers(0, 0xFFF)  # look-up pages and headers
    for at in data.draw(st.lists(places, min_size=1, max_size=30)):
        raw[at] = data.draw(st.sampled_from([0x00, 0xFF, raw[at] ^ 0x10]))
    with TemporaryDirectory() as folder:
        image = Path(folder) / "x.img"
        image.write_bytes(raw)
        for line in (["info", "{}"], ["stat", "{}:**"], ["unpack", "-f", "{}", f"{folder}/out"]):
            result = CliRunner().invoke(maixfs, [word.format(image) for word in line])
            assert result.exit_code in {0, FAILED}, result.output
            assert "bug in maixfs" not in result.stderr


@pytest.mark.parametrize(
    "name", ["", "\0", "a\0b", "x" * 5000, "\udcff", "..", "/", ":", "::", "-"]
)
@pytest.mark.parametrize("line", [["ls", "--"], ["cat", "--"], ["rm", "-f", "--"]], ids=" ".join)
def test_odd_name_is_never_reported_as_a_bug(line: list[str], name: str, place: Path) -> None:
    for text in (name, f"board:{name}", f"esp.img:{name}"):
        result = CliRunner().invoke(maixfs, [*line, text])
        assert result.exit_code in {0, FAILED, WRONG_USAGE}
        assert "bug in maixfs" not in result.stderr
