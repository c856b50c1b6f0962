"""KPU: functions on a loaded model."""

from __future__ import annotations

import pytest

from board.desk import Desk
from board.models import ADDRESS, lines, put_raw
from kmodel.make_models import CONV, make_v3, make_v4
from maixfs.board.kpu.module import compare_features, encode_features
from maixfs.board.power import BoardCrashError

TASK = f"t = kpu.load({ADDRESS})\n"


def crash(desk: Desk, script: str) -> str:
    """Run a script that crashes the board and return the reason."""
    error = desk.run("import KPU as kpu\n" + script).result.error
    assert isinstance(error, BoardCrashError)
    return error.reason


def test_netinfo_lists_the_layers_of_v3(desk: Desk) -> None:
    put_raw(desk, make_v3(48, 32, 3, types=[CONV, 12, 99]))
    script = (
        "n = kpu.netinfo(t)\nfor i in n: print(i)\n"
        "i = n[0]; print(i.index(), i.type(), i.wi(), i.hi(), i.wo(), i.ho(), i.chi(), i.cho())\n"
        "print(i.dw(), i.kernel_type(), i.pool_type(), n[1].para_size(), type(i).__name__)\n"
        "print(attempt(lambda: i.size()))\n"
    )
    assert lines(desk, TASK + script) == [
        "layer[0]: KL_K210_CONV, 160 bytes",
        "layer[1]: KL_DEQUANTIZE, 160 bytes",
        "layer[2]: KL_INVALID, 160 bytes",
        '{"index":0, "type":KL_K210_CONV, "wi":48, "hi":32, "wo":48, "ho":32, "chi":3, "cho":8, '
        '"dw":0, "kernel_type":0, "pool_type":0, "para_size":0}',
        '{"index":1, "type":KL_DEQUANTIZE, "wi":0, "hi":0, "wo":0, "ho":0, "chi":0, "cho":0, '
        '"dw":0, "kernel_type":0, "pool_type":0, "para_size":160}',
        '{"index":2, "type":KL_INVALID, "wi":0, "hi":0, "wo":0, "ho":0, "chi":0, "cho":0, '
        '"dw":0, "kernel_type":0, "pool_type":0, "para_size":160}',
        "0 10240 48 32 48 32 3 8",
        "0 0 0 160 kpu_netinfo_find",
        "AttributeError(\"'kpu_netinfo_find' object has no attribute 'size'\",)",
    ]


def test_set_layers_shortens_a_v3_model(desk: Desk) -> None:
    put_raw(desk, make_v3(types=[CONV, 10241, 10243, 77, 15]))
    script = (
        "for n in 1, 2, 3, 4, 5, 6, 0, -1: print(kpu.set_layers(t, n))\n"
        "kpu.set_layers(t, 2)\nprint(len(kpu.netinfo(t)))\n"
        "print(attempt(kpu.set_layers, t, 1.5))\n"
    )
    assert lines(desk, TASK + script) == [
        "True",
        "KL_K210_ADD_PADDING not support output to mainbuf!",
        "True",
        "KL_K210_UPLOAD not support output to mainbuf!",
        "True",
        "Unknow layer type: 77!",
        "True",
        "True",
        "err: set layers_length to 6, but max 5",
        "False",
        "True",
        "True",
        "KL_K210_ADD_PADDING not support output to mainbuf!",
        "layer[0]: KL_K210_CONV, 160 bytes",
        "layer[1]: KL_K210_ADD_PADDING, 160 bytes",
        "2",
        'TypeError("can\'t convert float to int",)',
    ]


def test_set_layers_of_a_v3_model_without_outputs_prints_an_error(desk: Desk) -> None:
    put_raw(desk, make_v3(outputs=()))
    assert lines(desk, TASK + "print(kpu.set_layers(t, 1))") == ["output index too big!", "True"]


def test_netinfo_of_v4_is_oserror(desk: Desk) -> None:
    put_raw(desk, make_v4())
    script = "print(attempt(kpu.netinfo, t), kpu.set_layers(t, 2), kpu.set_layers(t, 9))\n"
    assert lines(desk, TASK + script) == [
        "err: set layers_length to 9, but max 3",
        "OSError(2014,) True False",
    ]


def test_set_outputs_checks_the_shape_of_v4(desk: Desk) -> None:
    put_raw(desk, make_v4(outputs=(40, 80)))
    script = (
        "print(kpu.set_outputs(t, 0, 10, 1, 1), kpu.set_outputs(t, 1, 5, 2, 2))\n"
        "print(kpu.set_outputs(t, 1 << 16, 1 << 16 | 1, 1, 10))\n"
        "print(kpu.set_outputs(t, 2, 1, 1, 1))\nprint(kpu.set_outputs(t, 1, 1, 1, 1))\n"
    )
    assert lines(desk, TASK + script) == [
        "True True",
        "True",
        "[MAIXPY]kpu: set_outputs arg value error:kmodel output idx 2 out of range",
        "False",
        "w*h*ch!=80",
        "[MAIXPY]kpu: set_outputs arg value error: w,c,ch size not match output size",
        "False",
    ]


def test_set_outputs_of_v3_prints_an_error(desk: Desk) -> None:
    put_raw(desk, make_v3())
    assert lines(desk, TASK + "print(kpu.set_outputs(t, 0, 1, 1, 10))") == [
        "[MAIXPY]kpu: set_outputs ctx error, maybe init err:2002",
        "False",
    ]


FORMAT = (
    "ValueError('[MAIXPY]kpu: set_outputs arg format error: "
    "set_outputs(task, int idx, int w, int h, int ch)',)"
)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("kpu.set_outputs, 5, 0, 1, 1, 1", FORMAT),
        ("kpu.set_outputs, t, 0, 1, 1", FORMAT),
        ("kpu.set_outputs, t, 0, 1, 1, 1.0", FORMAT),
        ("kpu.set_outputs, t", "TypeError('function missing 3 required positional arguments',)"),
        (
            "kpu.get_output, t, None",
            "ValueError('[MAIXPY]kpu: get_output arg format error: get_output(task, int idx)',)",
        ),
        ("kpu.deinit, None", "TypeError('[MAIXPY]kpu: kpu_net type error',)"),
        ("kpu.run_yolo2, None, None", "TypeError('[MAIXPY]kpu: kpu_net type error',)"),
        ("kpu.forward, None", "None"),
        ("kpu.fmap_free, None", "None"),
        ("lambda: t.nothing", "AttributeError(\"'kpu_net' object has no attribute 'nothing'\",)"),
    ],
)
def test_wrong_task_argument_raises_the_error_of_the_board(
    desk: Desk, call: str, error: str
) -> None:
    put_raw(desk, make_v3())
    assert lines(desk, TASK + f"print(attempt({call}))") == [error]


@pytest.mark.parametrize(
    "call",
    [
        "forward, t, None",
        "run_yolo2, t, None",
        "get_output, t, 0",
        "fmap, None, 0",
        "classifier, t, 3, 15",
        "classifier.load, t, 'a'",
    ],
)
def test_running_a_model_is_notimplementederror(desk: Desk, call: str) -> None:
    put_raw(desk, make_v3())
    name = call.partition(",")[0]
    assert lines(desk, TASK + f"print(attempt(kpu.{call}))") == [
        f"NotImplementedError('the virtual board runs no neural networks: use kpu.{name} on a"
        " real one',)"
    ]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("kpu.set_layers(5, 1)", "kpu.set_layers does not check that its argument is a task"),
        ("kpu.netinfo(None)", "kpu.netinfo does not check that its argument is a task"),
        ("kpu.set_layers(t, 1)", "kpu.set_layers does not check whether its task"),
        ("kpu.set_outputs(t, 0, 1, 1, 1)", "kpu.set_outputs does not check whether its task"),
        ("kpu.get_output(t, 0)", "kpu.get_output does not check whether its task"),
    ],
)
def test_unchecked_argument_crashes_the_board(desk: Desk, script: str, reason: str) -> None:
    put_raw(desk, make_v3())
    assert crash(desk, f"{TASK}kpu.deinit(t)\n{script}\n").startswith(reason)


def test_deinitialised_task_has_no_model(desk: Desk) -> None:
    put_raw(desk, make_v3())
    script = "kpu.deinit(t)\nprint(attempt(kpu.netinfo, t), t.model_size())\n"
    assert lines(desk, TASK + script) == [f"ValueError('get layer num error!',) {len(make_v3())}"]


def test_netinfo_of_256_layers_crashes_the_board(desk: Desk) -> None:
    put_raw(desk, make_v3(types=[15] * 256, body=16))
    assert "never reaches 256" in crash(desk, TASK + "kpu.netinfo(t)")


def test_init_yolo2_stores_its_arguments(desk: Desk) -> None:
    put_raw(desk, make_v3())
    script = (
        "print(kpu.init_yolo2(t, 0.5, 0.25, 2, (1.5, 2, 3.25, 4)))\na = t.net_arg()\n"
        "print(a, a.threshold(), a.nms_value(), a.anchor_number(), a.anchor())\n"
        "print(t)\nkpu.deinit(t)\nprint(t.net_arg(), type(a).__name__)\n"
    )
    text = (
        '{"threshold":0.500000, "nms_value":0.250000, "anchor_number":2, '
        '"anchor":"(1.500000, 2.000000, 3.250000, 4.000000)"}'
    )
    size = len(make_v3())
    assert lines(desk, TASK + script) == [
        "True",
        f"{text} 0.5 0.25 2 (1.5, 2.0, 3.25, 4.0)",
        f'{{"model_addr": {ADDRESS}, "model_size": {size}, "model_path": "(null)", '
        f'"net_args": {text}}}',
        "None kpu_yolo2",
    ]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("5, 1, 1, 1, (1, 2)", "TypeError('[MAIXPY]kpu: kpu_net type error',)"),
        ("t, 2, 1, 1, (1, 2)", "ValueError('[MAIXPY]kpu: threshold only support 0 to 1',)"),
        ("t, 1, -1, 1, (1, 2)", "ValueError('[MAIXPY]kpu: nms_value only support 0 to 1',)"),
        ("t, 1, 1, 0, (1, 2)", "ValueError('[MAIXPY]kpu: anchor_number should > 0',)"),
        ("t, 1, 1, 1, (1,)", "ValueError('requested length 2 but object has length 1',)"),
        ("t, 1, 1, 1, 5", "TypeError(\"object 'int' isn't a tuple or list\",)"),
        ("t, 'a', 1, 1, 5", 'TypeError("can\'t convert str to float",)'),
    ],
)
def test_wrong_yolo_argument_raises_the_error_of_the_board(
    desk: Desk, arguments: str, error: str
) -> None:
    put_raw(desk, make_v3())
    assert lines(desk, TASK + f"print(attempt(kpu.init_yolo2, {arguments}))") == [error]


def test_too_many_anchors_crash_the_board(desk: Desk) -> None:
    put_raw(desk, make_v3())
    assert "in a byte" in crash(desk, TASK + "kpu.init_yolo2(t, 1, 1, 128, [1] * 256)")


def test_memtest_and_face_functions_print_and_return_values(desk: Desk) -> None:
    script = (
        "kpu.memtest()\nf = kpu.face_encode([0.1, -0.1, 1, 0])\nprint(f)\n"
        "print(kpu.face_compare(f, f), attempt(kpu.face_compare, f, b'1'))\n"
        "print(attempt(kpu.face_encode, [0] * 513))\n"
    )
    assert lines(desk, script) == [
        "###free gc heap memory : 512 KB",
        "###free sys heap memory: 3584 KB",
        "bytearray(b'3\\xcd\\x80\\x00')",
        "100.0 ValueError('compare feature must in same dim!\\r\\n',)",
        "ValueError('feature dim <=200\\r\\n',)",
    ]


def test_features_are_compared_by_their_angle() -> None:
    one, other = encode_features([0.2, 0.0]), encode_features([0.0, 0.2])
    assert compare_features(one, other) == 50
    assert compare_features(one, encode_features([-0.2, 0.0])) == 0
    assert str(compare_features(bytes(2), bytes(2))) == "nan"
    assert encode_features([float("nan"), -9.0]) == b"\x80\x80"
