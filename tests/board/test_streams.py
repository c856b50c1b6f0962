"""``uio`` and ``ujson``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from board.desk import Desk
from maixfs.board.modules import formats as ujson
from maixfs.board.modules.streams import BufferedWriter, BytesIO, IOBase, StringIO, read_rest, send
from maixfs.vfs import PlainOSError

# ujson


def test_json_in_files_and_streams(desk: Desk) -> None:
    script = (
        "import ujson, json, uio\nprint(json is ujson)\n"
        "with open('j', 'w') as f: json.dump({'k': [1, None, 'ü']}, f)\n"
        "print(open('j').read(), json.load(open('j', 'rb')))\n"
        "b = uio.BytesIO()\nujson.dump((1, 2), b)\nb.seek(0)\nprint(ujson.load(b), b.getvalue())\n"
    )
    output = desk.run(script)
    assert (
        output.out == "True\n{\"k\": [1, null, \"ü\"]} {'k': [1, None, 'ü']}\n[1, 2] b'[1, 2]'\n"
    )


# What v1.11 made of each text; None where it raised ValueError.
READ: list[tuple[str, Any]] = [
    ("{", {}),
    ("[1,", [1]),
    ('{"a": 1', {"a": 1}),
    ('{"a"', {}),
    ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
    ("[1 2,,3]", [1, 2, 3]),
    ("[}", []),
    ("{]", {}),
    ("{1: 2, null: 3}", {1: 2, None: 3}),
    ("1.", 1.0),
    ("-0", 0),
    ("007", 7),
    ("1.5e-3", 0.0015),
    (r'"\n\t\b\f\r\/\q\\\u0041"', "\n\t\b\f\r/q\\A"),
    ('"a\nb"', "a\nb"),
    ("[1]\v\f", [1]),
    ("[1]\0x", [1]),
    ("::5", 5),
]
REFUSED = ["", " ", ",", "1,", "[[1", '{"a": [1', "nul", "nulll", "true x", "'a'", "]", "{[]: 1}"]
REFUSED += [
    "{{}: 1}",
    "[1]]",
    "[1] 2",
    "1 2",
    '"a',
    '"a\\',
    "\ufeff[1]",
    "0x10",
    "NaN",
    r'"\uzzzz"',
]


@pytest.mark.parametrize(("text", "value"), READ)
def test_json_is_parsed_as_on_the_board(text: str, value: Any) -> None:
    assert ujson.loads(text) == ujson.loads(text.encode()) == value


@pytest.mark.parametrize("text", REFUSED)
def test_text_without_json_is_valueerror(text: str) -> None:
    with pytest.raises(ValueError, match=r"^syntax error in JSON$"):
        ujson.loads(text)


@pytest.mark.parametrize("text", ["-", "--1", "1-2", "1e"])
def test_invalid_number_is_valueerror(text: str) -> None:
    with pytest.raises(ValueError, match=r"int|float"):
        ujson.loads(text)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_loads_is_the_inverse_of_dumps(value: Any) -> None:
    assert ujson.loads(json.dumps(value, ensure_ascii=False)) == value
    assert json.loads(ujson.dumps(value)) == value


@given(st.text() | st.text(alphabet='[]{}",:0-1e nultr\\\n'))
def test_random_text_is_parsed_or_valueerror(text: str) -> None:
    try:
        ujson.loads(text)
    except ValueError as error:
        assert str(error)


def test_dumps_of_another_type_is_its_repr() -> None:
    assert ujson.dumps({1: b"ab", None: (1,), 1.5: {2}}) == '{1: "ab", null: [1], 1.5: {2}}'
    assert ujson.dumps("\b\x01\n") == r'"\u0008\u0001\n"'


def test_deeply_nested_json_is_parsed_or_refused() -> None:
    assert ujson.dumps(ujson.loads("[" * 99 + "]" * 99)) == "[" * 99 + "]" * 99
    assert ujson.loads("[" * 5000 + "]" * 5000)


@pytest.mark.parametrize("call", [ujson.load, lambda stream: ujson.dump(1, stream)])
def test_json_load_of_another_object_is_oserror(call: Any) -> None:
    with pytest.raises(PlainOSError, match="stream operation not supported"):
        call(5)
    with pytest.raises(TypeError, match="can't convert 'int' object to str implicitly"):
        ujson.loads(5)  # type: ignore[arg-type]


# Streams in memory


@pytest.mark.parametrize("kind", [BytesIO, StringIO])
def test_memory_stream_accepts_text_and_bytes(kind: Any) -> None:
    stream = kind("ab")
    assert stream.seek(0, 2) == 2
    assert (stream.write("é"), stream.write(b"z")) == (2, 1)
    assert stream.getvalue() in ("abéz", "abéz".encode())
    assert stream.seek(2) == 2
    assert stream.read(1) in ("é", b"\xc3")
    assert stream.seek(-9, 1) == 0
    assert stream.seek(7) == 7
    stream.write("!")
    expected = "abéz\0\0!"
    assert stream.getvalue() == (expected if kind is StringIO else expected.encode())


def test_memory_stream_reads_as_a_file() -> None:
    stream = StringIO("one\nzwö\n")
    assert [stream.readline(), stream.read(2), next(stream), stream.read()] == [
        "one\n",
        "zw",
        "ö\n",
        "",
    ]
    assert BytesIO(100).getvalue() == b""
    assert BytesIO(bytearray(b"abc")).readinto(bytearray(2)) == 2


@pytest.mark.parametrize("name", ["tell", "readlines", "truncate", "getbuffer", "closed"])
def test_memory_stream_lacks_tell_and_readlines(name: str) -> None:
    for stream in (BytesIO(), StringIO()):
        with pytest.raises(AttributeError, match=f"object has no attribute '{name}'"):
            getattr(stream, name)


def test_closed_memory_stream_is_valueerror() -> None:
    with StringIO("x") as stream:
        pass
    for call in (stream.read, stream.getvalue, stream.readline, lambda: stream.write("x")):
        with pytest.raises(ValueError, match="I/O operation on closed file"):
            call()
    stream.close()


# A script's own


class Own(IOBase):
    """Accepts three bytes in each write."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = content
        self.taken: list[bytes] = []

    def write(self, data: Any) -> int:
        assert type(data) is bytearray
        self.taken.append(bytes(data[:3]))
        return min(3, len(data))

    def readinto(self, target: bytearray) -> int:
        piece, self.content = self.content[: len(target)], self.content[len(target) :]
        target[: len(piece)] = piece
        return len(piece)


def test_stream_class_of_a_script_is_called_as_on_the_board() -> None:
    own = Own(b"[1, 2]")
    send(own, "abcdé")
    assert own.taken == [b"abc", b"d\xc3\xa9"]
    assert ujson.load(own) == [1, 2]
    assert read_rest(own) == b""
    own.write = lambda _data: None  # type: ignore[method-assign,assign,return-value]
    send(own, "nobody takes it")


def test_print_and_tracebacks_write_to_a_script_stream(desk: Desk) -> None:
    script = (
        "import uio, sys\n"
        "class S(uio.IOBase):\n"
        "  all = b''\n"
        "  def write(self, data):\n    S.all += bytes(data)\n    return len(data)\n"
        "print('é', 1, file=S())\n"
        "try:\n  1/0\nexcept ArithmeticError as e:\n  sys.print_exception(e, S())\n"
        "print(S.all.decode())\n"
        "class No:\n  def write(self, data): pass\n"
        "print('x', file=No())\n"
    )
    assert desk.run(script).out == (
        "é 1\nTraceback (most recent call last):\n"
        '  File "main.py", line 9, in <module>\nZeroDivisionError: divide by zero\n\n'
        'Traceback (most recent call last):\n  File "main.py", line 15, in <module>\n'
        "OSError: stream operation not supported\n"
    )


def test_buffered_writer_writes_whole_pieces() -> None:
    below = BytesIO()
    writer = BufferedWriter(below, 4)
    assert writer.write("abc") == 3
    assert below.getvalue() == b""
    assert writer.write(b"defghij") == 7
    assert below.getvalue() == b"abcdefgh"
    writer.flush()
    writer.flush()
    assert below.getvalue() == b"abcdefghij"


def test_uio_has_the_members_of_the_firmware(desk: Desk) -> None:
    script = (
        "import io, uio\nprint(io is uio, uio.open is open)\n"
        "print([name for name in dir(uio) if name[0] != '_'])\n"
        "f = open('f', 'wb')\nprint(isinstance(f, uio.FileIO), isinstance(f, uio.TextIOWrapper))\n"
    )
    assert desk.run(script).out == (
        "True True\n['BufferedWriter', 'BytesIO', 'FileIO', 'IOBase', 'StringIO',"
        " 'TextIOWrapper', 'open']\nTrue False\n"
    )
