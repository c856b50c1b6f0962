"""``maixfs model info``: a file, one model in a flash, all of them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from kmodel.make_models import make_v3, make_v4
from maixfs.firmware import wrap
from maixfs.kmodel import reverse_words

from .conftest import Run

DATA = Path(__file__).parent.parent / "data" / "kmodel"
REAL = Path(os.environ.get("MAIXFS_GOLDEN", "")) / "kmodel" / "real"
V3, V4 = make_v3(), make_v4()


@pytest.fixture
def flash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A flash of 2 MiB with three models."""
    monkeypatch.chdir(tmp_path)
    image = bytearray(b"\xff" * 0x200000)
    for address, data in ((0x100000, V3), (0x140000, V4), (0x180000, reverse_words(V3))):
        image[address : address + len(data)] = data
    place = Path("flash.bin")
    place.write_bytes(image)
    return place


def info(run: Run, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    document = json.loads(run("model", "info", *arguments, "--json", code=code).stdout)
    assert document["verb"] == "model info"
    models: list[dict[str, Any]] = document["models"]
    return models


@pytest.mark.parametrize("name", ["tiny_28x28x1_q", "cam_64x64x3_q", "float_16x16x3"])
def test_model_file_shows_its_details(name: str, run: Run) -> None:
    place = DATA / f"{name}.kmodel"
    (model,) = info(run, str(place), code=1)  # MaixPy loads no v5
    assert (model["version"], model["size"]) == ("v5", place.stat().st_size)
    assert model["loadable_file"]["without_v4"]["code"] == 2002
    text = run("model", "info", str(place), code=1).stdout
    assert f"kmodel v5, {place.stat().st_size} bytes" in text
    assert model["inputs"][0]["dimensions"] in text
    assert "load error:2002" in text


@pytest.mark.skipif(not REAL.is_dir(), reason="MAIXFS_GOLDEN names no folder with real models")
@pytest.mark.parametrize(
    ("name", "version", "code"),
    [("mnist", "v3", 0), ("v3_iris", "v3", 0), ("v4_iris", "v4", 0), ("v5_cpu_mnist", "v5", 1)],
)
def test_real_models_are_read(name: str, version: str, code: int, run: Run) -> None:
    (model,) = info(run, str(REAL / f"{name}.kmodel"), code=code)
    assert model["version"] == version


def test_models_inside_firmware_are_not_listed(run: Run, tmp_path: Path) -> None:
    program = b"\x21\xa8\xef\xbe\xad\xde\x01\x00" + bytes(4096 - 13) + V3
    image = tmp_path / "flash.bin"
    image.write_bytes(wrap(program).ljust(0x10000, b"\xff") + V4.ljust(0xF0000, b"\xff"))
    assert [model["address"] for model in info(run, str(image))] == [0x10000]


def test_model_info_lists_all_models_of_a_flash(run: Run, flash: Path) -> None:
    models = info(run, str(flash))
    assert [model["address"] for model in models] == [0x100000, 0x140000, 0x180000]
    assert [model["version"] for model in models] == ["v3", "v4", "v3"]
    lines = run("model", "info", str(flash)).stdout.splitlines()
    assert lines[1].split()[:4] == ["0x100000", "v3", f"{len(V3)}", "B"]
    assert lines[1].endswith("loads")
    assert lines[2].endswith("loads in a v4 build")
    assert "only kpu.load_flash" in lines[3]


def test_model_info_shows_one_model_of_a_flash(run: Run, flash: Path) -> None:
    for text in ("0x100000", "1M", "1048576"):
        (model,) = info(run, f"{flash}@{text}")
        assert model["address"] == 0x100000
        assert model["size"] == len(V3)
    shown = run("model", "info", f"{flash}@0x100000").stdout
    assert shown.startswith("flash.bin@0x100000  kmodel v3")
    assert "28x28x1 uint8" in shown
    assert "k210_conv" in shown


def test_reversed_model_names_load_flash(run: Run, flash: Path) -> None:
    (model,) = info(run, f"{flash}@0x180000")
    assert model["loadable"]["with_v4"]["code"] == 2002
    assert model["loadable_load_flash"]["without_v4"]["loads"]
    text = run("model", "info", f"{flash}@0x180000").stdout
    assert "its words reversed" in text
    assert "kpu.load_flash, v3 build" in text


def test_long_models_show_all_layers_when_asked(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "long.kmodel"
    place.write_bytes(make_v3(types=[10240] + [12] * 40))
    short = run("model", "info", str(place)).stdout
    assert "and 17 more" in short
    assert len(run("model", "info", "--layers", str(place)).stdout.splitlines()) > 41


def test_model_in_a_target_is_read(run: Run, place: Path) -> None:
    Path("net.kmodel").write_bytes(V4)
    run("cp", "net.kmodel", "board:/flash/net.kmodel")
    (model,) = info(run, "board:/flash/net.kmodel")
    assert model["version"] == "v4"
    assert model["loadable_file"]["with_v4"]["code"] == 0


def test_place_without_model_is_an_error(run: Run, flash: Path) -> None:
    result = run("model", "info", f"{flash}@0x2000", code=1)
    assert result.stderr == "error: no model at 0x002000: it begins ff ff ff ff\n"
    Path("blank.bin").write_bytes(b"\xff" * 0x200000)
    assert "no model" in run("model", "info", "blank.bin", code=1).stderr
    Path("short").write_bytes(b"\x03")
    assert run("model", "info", "short", code=1).stderr.startswith("error: short: ")
    Path("pack.kfpkg").write_bytes(b"PK\x03\x04" + bytes(5000))
    assert "maixfs kfpkg list" in run("model", "info", "pack.kfpkg", code=1).stderr
    assert "missing.bin does not exist" in run("model", "info", "missing.bin", code=1).stderr


def test_card_is_refused(run: Run, tmp_path: Path) -> None:
    sector = bytearray(512)
    sector[0x1BE + 4], sector[510:] = 0x0C, b"\x55\xaa"
    card = tmp_path / "card.img"
    card.write_bytes(sector + bytes(8192))
    assert "is a card" in run("model", "info", str(card), code=2).stderr
