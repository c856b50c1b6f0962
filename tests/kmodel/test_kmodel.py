"""Models are read: version, size, tensors, layers, memory; and damaged ones are refused."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmodel.make_models import (
    PLAIN,
    SMODEL_V3,
    V3_TENSORS,
    make_beta,
    make_sealed,
    make_v1,
    make_v3,
    make_v4,
    make_v5,
    words,
)
from maixfs.errors import ImageError
from maixfs.kmodel import (
    CutOffError,
    ModelError,
    as_dict,
    load_flash_result,
    load_result,
    parse_model,
    reverse_words,
)
from maixfs.kmodel.ondisk import V3_LAYERS, V4_NODES

OWN = Path(__file__).parent.parent / "data" / "kmodel"
REAL = Path(os.environ.get("MAIXFS_GOLDEN", "")) / "kmodel" / "real"
MAKERS = pytest.mark.parametrize(("version", "make"), PLAIN.items(), ids=PLAIN)
META = [json.loads(path.read_text())[0] for path in sorted(OWN.glob("meta_*.json"))]


@MAKERS
def test_parsed_model_has_version_tensors_and_layers(
    version: str, make: Callable[[], bytes]
) -> None:
    data = make()
    model = parse_model(data)
    assert (model.version, model.size, model.missing) == (version, len(data), 0)
    assert (model.address, model.end, model.reversed) == (0, len(data), False)
    assert model.inputs
    assert model.outputs
    assert model.fits
    assert model.memory_need == model.size + model.main_memory


@MAKERS
def test_model_does_not_depend_on_its_address(version: str, make: Callable[[], bytes]) -> None:
    data = make()
    image = b"\x11" * 0x3000 + data + b"\xff" * 8192
    there, here = parse_model(image, 0x3000), parse_model(data)
    assert there._replace(address=0, loadable=here.loadable) == here
    assert parse_model(memoryview(image), 0x3000) == there


@pytest.mark.parametrize("version", ["v3", "v4", "v5", "v5 beta"])
def test_reversed_model_is_parsed_in_place(version: str) -> None:
    data = PLAIN[version]()
    data += bytes(-len(data) % 4)
    plain, turned = parse_model(data), parse_model(reverse_words(data))
    assert turned.reversed
    assert turned[2:11] == plain[2:11]
    assert "kpu.load_flash" in " ".join(turned.notes)
    assert int(turned.loadable.with_v4.code) == int(turned.loadable.without_v4.code) == 2002


def test_v1_has_the_shapes_of_its_layers() -> None:
    model = parse_model(make_v1(64, 48, 3, layers=2))
    assert [t.dimensions for t in model.inputs] == ["64x48x3"]
    assert [t.shape for t in model.outputs] == [(1, 7, 24, 32)]
    assert [layer.name for layer in model.layers] == ["k210_conv"] * 2
    assert model.main_memory == 7 * 24 * 32
    assert model.weights == 2 * 192


def test_v3_takes_its_input_from_the_first_layer_of_the_kpu() -> None:
    model = parse_model(make_v3(320, 240, 3, outputs=[(0, 40), (64, 12)]))
    assert model.inputs[0].shape == (1, 3, 240, 320)
    assert model.inputs[0].dimensions == "320x240x3"
    assert [(t.address, t.size, t.memory) for t in model.outputs] == [
        (0, 40, "main"),
        (64, 12, "main"),
    ]
    assert [layer.name for layer in model.layers] == ["k210_conv", "dequantize", "softmax"]
    assert (model.main_memory, model.weights) == (4096, 3 * 160)


def test_v3_without_kpu_layer_first_has_a_note() -> None:
    model = parse_model(make_v3(types=[18, 18]))
    assert model.inputs == ()
    assert "first layer is fully_connected" in model.notes[0]
    assert model.loadable.without_v4.loads
    assert parse_model(make_v3(types=[10243, 10240])).inputs[0].dimensions == "28x28x1"


def test_v4_has_shapes_of_inputs_only() -> None:
    model = parse_model(make_v4((1, 3, 24, 32), outputs=[40, 80]))
    (tensor,) = model.inputs
    assert (tensor.shape, tensor.datatype, tensor.elements) == ((1, 3, 24, 32), "float32", 2304)
    assert [(t.shape, t.size, t.dimensions) for t in model.outputs] == [
        (None, 40, "40 bytes"),
        (None, 80, "80 bytes"),
    ]
    assert [layer.name for layer in model.layers] == ["kpu_upload", "kpu_conv2d", "dequantize"]
    assert model.target == "k210"
    assert parse_model(make_v4(target=0)).target == "cpu"
    assert parse_model(make_v4(opcodes=[0x3333])).layers[0].name == "0x3333"


def test_v5_has_the_tensors_of_its_entry_function() -> None:
    model = parse_model(make_v5(((1, 3, 20, 30), (2, 7)), ((1, 10), ())))
    assert [t.dimensions for t in model.inputs] == ["30x20x3", "2x7"]
    assert [(t.shape, t.size, t.address) for t in model.outputs] == [((1, 10), 40, 0), ((), 4, 40)]
    assert [t.memory for t in model.inputs + model.outputs] == ["input"] * 2 + ["output"] * 2
    assert model.target == "stackvm+k210"
    assert model.main_memory == 7200 + 40 + 2 * 1000
    assert model.weights == 2 * 200
    names = [layer.name for layer in model.layers]
    assert names[:4] == [f"{k} function {i}" for k in ("stackvm", "k210") for i in (0, 1)]
    assert names[4:7] == ["stackvm .rdata", "stackvm .tables", "stackvm .text"]
    section = model.layers[4]
    data = make_v5(((1, 3, 20, 30), (2, 7)), ((1, 10), ()))
    assert data[section.address : section.address + section.size] == b"\x55" * 200


def test_v5_beta_is_distinguished_from_v5() -> None:
    model = parse_model(make_beta(kinds=("k210", "stackvm"), main=1))
    assert model.version == "v5 beta"
    assert [t.dimensions for t in model.inputs] == ["30x20x3"]
    assert [t.shape for t in model.outputs] == [(1, 10), (4,)]
    assert model.main_memory == 7200 + 40 + 16 + 2 * 1000


@pytest.mark.parametrize("meta", META, ids=[meta["name"] for meta in META])
def test_models_of_nncase_are_parsed(meta: dict[str, object]) -> None:
    model = parse_model((OWN / f"{meta['name']}.kmodel").read_bytes())
    assert (model.version, model.size, model.missing) == ("v5", meta["size"], 0)
    for tensors, known in ((model.inputs, meta["inputs"]), (model.outputs, meta["outputs"])):
        assert [
            {
                "start": t.address,
                "size": t.size,
                "dtype": t.datatype,
                "shape": list(t.shape or ()),
            }
            for t in tensors
        ] == known


@pytest.mark.skipif(not REAL.is_dir(), reason="MAIXFS_GOLDEN names no folder with real models")
@pytest.mark.parametrize(
    ("name", "version", "size", "main", "layers", "first", "output"),
    [
        ("mnist", "v3", 208072, 14112, 11, "28x28x1", (14032, 40)),
        ("v3_iris", "v3", 440, 56, 2, None, (0, 12)),
        ("v4_iris", "v4", 720, 216, 4, "4x1x1", (40, 12)),
        ("v4_slim-320", "v4", 307928, 236480, 73, "320x240x3", (12056, 35360)),
        ("v5_cpu_mnist", "v5", 1384, 54184, 3, "28x28x1", (0, 40)),
    ],
)
def test_published_models_are_parsed(
    name: str,
    version: str,
    size: int,
    main: int,
    layers: int,
    first: str | None,
    output: tuple[int, int],
) -> None:
    data = (REAL / f"{name}.kmodel").read_bytes()
    model = parse_model(data)
    assert (model.version, model.size, model.missing) == (version, size, size - len(data))
    assert (model.main_memory, len(model.layers)) == (main, layers)
    assert [t.dimensions for t in model.inputs] == ([first] if first else [])
    assert (model.outputs[0].address, model.outputs[0].size) == output
    assert parse_model(reverse_words(data)).layers == model.layers


def test_up_to_seven_missing_bytes_are_accepted() -> None:
    data = make_v3()
    model = parse_model(data[:-7])
    assert (model.size, model.missing) == (len(data), 7)
    assert "last 7 bytes" in model.notes[-1]
    with pytest.raises(CutOffError, match=r"the model at 0x000000 needs 0x\w+ bytes, 0x"):
        parse_model(data[:-8])
    cut = parse_model(data[:-100], whole=False)
    assert (cut.missing, cut.notes[-1]) == (
        100,
        f"it is cut off: 100 of {len(data)} bytes are missing",
    )


def test_model_must_end_before_the_limit() -> None:
    data = make_v4()
    image = data + data
    assert parse_model(image, len(data), limit=2 * len(data)).size == len(data)
    with pytest.raises(CutOffError):
        parse_model(image, 0, limit=len(data) - 50)


def test_data_behind_a_model_gives_a_note() -> None:
    data = make_v3()
    for filler in (b"\xff", b"\0"):
        assert parse_model(data + filler * 9000).notes == ()
    assert parse_model(data + b"\0" * 9000 + b"x").notes == ()
    (note,) = parse_model(data + b"x" * 10).notes
    assert note.startswith(f"data follows it at 0x{len(data):06X}")


def test_model_larger_than_memory_does_not_fit() -> None:
    model = parse_model(make_v3(main_memory=3_800_000))
    assert not model.fits
    assert "more than boards have left" in model.notes[-1]
    assert int(model.loadable.without_v4.code) == 2006


@pytest.mark.parametrize(
    ("first", "version"), [(b"LDMS", "smodel v4"), (b"LDME", "emodel"), (SMODEL_V3, "smodel v3")]
)
def test_encrypted_model_has_version_and_size_only(first: bytes, version: str) -> None:
    for size in (64, 4096, 70000 - 70000 % 16):
        model = parse_model(make_sealed(first, size))
        assert (model.version, model.size, model.inputs, model.layers) == (
            version,
            8 + size,
            (),
            (),
        )
        assert "encrypted" in model.notes[0]
    with pytest.raises(ModelError, match="does not look encrypted"):
        parse_model(first + words(4096) + b"code" * 1024)
    with pytest.raises(ModelError, match="length at 0x000004"):
        parse_model(make_sealed(first, 8))
    if version != "emodel":
        with pytest.raises(ModelError, match="no multiple of 16"):
            parse_model(make_sealed(first, 4100))


def poke(data: bytes, *changes: tuple[int, int]) -> bytes:
    changed = bytearray(data)
    for offset, value in changes:
        struct.pack_into("<I", changed, offset, value)
    return bytes(changed)


LAYERS = V3_TENSORS + 8
BAD = [
    ("v1", 4, 2, "flags at 0x000004 is 0x2"),
    ("v1", 8, 0, "layers_length at 0x000008"),
    ("v1", 8, 0xFFFFFFFF, "layers_length at 0x000008 is 0xFFFFFFFF, not between 1 and 512"),
    ("v1", 16, 3, "layers_argument_start at 0x000010"),
    ("v1", 20, 0xFFFFFF, "weights_offset at 0x000014"),
    ("v3", 4, 4, "flags at 0x000004"),
    ("v3", 8, 1, "arch at 0x000008"),
    ("v3", 12, 513, "layers_length at 0x00000C"),
    ("v3", 20, 0x80000000, "main_mem_usage at 0x000014"),
    ("v3", 24, 0, "output_count at 0x000018"),
    ("v3", V3_TENSORS, 4095, "output.address at 0x00001C"),
    ("v3", V3_TENSORS + 4, 5000, "output.length at 0x000020"),
    ("v3", LAYERS, 26, "layer.type at 0x000024 is 0x1A, no type of layer"),
    ("v3", LAYERS + 4, 20, "layer.body_size at 0x000028"),
    ("v3", LAYERS + 4, 0xFFFFFFF0, "layer.body_size at 0x000028"),
    ("v4", 4, 6, "version at 0x000004 is 0x6, neither 4 nor 5"),
    ("v4", 12, 2, "target at 0x00000C"),
    ("v4", 16, 0xFFFFFFFF, "constants at 0x000010"),
    ("v4", 24, 0x10000000, "nodes at 0x000018"),
    ("v4", 28, 0x10000000, "inputs at 0x00001C"),
    ("v4", 32, 33, "outputs at 0x000020"),
    ("v4", 40, 3, "input.memory_type at 0x000028"),
    ("v4", 44, 2, "input.datatype at 0x00002C"),
    ("v4", 52, 100, "input.length at 0x000034 is 0x64, less than its shape"),
    ("v4", 56, 0xFFFFFFFF, "shape.batch at 0x000038"),
    ("v5", 20, 9, "modules at 0x000014"),
    ("v5", 24, 2, "entry_module at 0x000018"),
    ("v5", 28, 2, "entry_function at 0x00001C"),
    ("v5", 32, 0xFF, "module.type at 0x000020"),
    ("v5", 56, 0, "module.length at 0x000038"),
    ("v5", 60, 17, "module.mempools at 0x00003C"),
    ("v5", 72, 0xFFFFFF, "module.functions at 0x000048"),
    ("v5", 84, 0xFFFFFFFF, "mempool.length at 0x000054"),
    ("v5", 108, 8, "function.length at 0x00006C"),
    ("v5", 208, 0xFFFFFFFF, "function.inputs at 0x0000D0"),  # of the second function, the entry
    ("v5 beta", 8, 1, "flags at 0x000008"),
    ("v5 beta", 16, 0, "modules at 0x000010"),
    ("v5 beta", 20, 2, "main_module at 0x000014"),
    ("v5 beta", 40, 0xFFFFFFFF, "module.length at 0x000028"),
    ("v5 beta", 48, 0xFFFFFFFF, "module.inputs at 0x000030"),
]


@pytest.mark.parametrize(("version", "offset", "value", "message"), BAD)
def test_impossible_field_is_named_in_the_error(
    version: str, offset: int, value: int, message: str
) -> None:
    data = poke(PLAIN[version](), (offset, value))
    with pytest.raises(ModelError) as caught:
        parse_model(data)
    assert message in str(caught.value)
    assert isinstance(caught.value, ImageError)


def test_data_without_model_raises_model_error() -> None:
    for data in (b"", b"LDM", b"\xff" * 64, bytes(64), b"KMDX" * 9):
        with pytest.raises(ModelError):
            parse_model(data)
    with pytest.raises(ModelError, match="no model at 0x001000: it begins ff ff ff ff"):
        parse_model(b"\xff" * 8192, 4096)
    with pytest.raises(ModelError, match="addresses begin at 0"):
        parse_model(make_v3(), -4)


def test_layer_names_are_unique() -> None:
    assert len(set(V3_LAYERS.values())) == len(V3_LAYERS) == 30
    assert len(set(V4_NODES.values())) == len(V4_NODES) == 28


@MAKERS
def test_as_dict_of_a_model_is_json(version: str, make: Callable[[], bytes]) -> None:
    told = as_dict(parse_model(make()))
    assert isinstance(told, dict)
    again = json.loads(json.dumps(told))
    assert again == told
    assert again["version"] == version
    assert again["memory_need"] == again["size"] + again["main_memory"]
    assert again["inputs"][0]["dimensions"]
    assert set(again["loadable"]) == {"without_v4", "with_v4"}
    assert again["loadable"]["with_v4"]["message"].startswith("[MAIXPY]kpu: load error:")


MUTANTS = [
    *(make() for make in PLAIN.values()),
    make_sealed(),
    (OWN / "tiny_28x28x1_q.kmodel").read_bytes(),
]
VALUES = st.sampled_from([0, 1, 2, 3, 7, 0x7F, 0xFF, 0x1000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])


@given(st.data())
def test_damaged_models_raise_only_model_error(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(MUTANTS))
    places = st.integers(0, min(len(model), 400) // 4 - 1).map(lambda word: 4 * word)
    changes = data.draw(
        st.lists(st.tuples(places, VALUES | st.integers(0, 0xFFFFFFFF)), max_size=4)
    )
    look_at(poke(model, *changes)[: data.draw(st.sampled_from([None, -1, 30, 200]))])


@given(
    st.sampled_from([b"", b"LDMK\5\0\0\0", b"LDMK\4\0\0\0", words(3), words(1), b"KMDL\0\0\0\5"]),
    st.binary(max_size=300),
)
def test_random_bytes_raise_only_model_error(start: bytes, rest: bytes) -> None:
    look_at(start + rest)


def look_at(data: bytes) -> None:
    """Read a model in every way; nothing but a ``ModelError`` may come of it."""
    for turned in (data, reverse_words(data)):
        for whole in (True, False):
            try:
                as_dict(parse_model(turned, whole=whole))
            except ModelError as error:
                assert "\n" not in str(error)
        for v4_support in (True, False):
            load_flash_result(turned, v4_support=v4_support, frequency=1)
            for from_file in (True, False):
                load_result(turned, v4_support=v4_support, from_file=from_file)
