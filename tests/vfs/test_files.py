"""File objects over a driver's open file."""

from __future__ import annotations

import array
import gc
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maixfs.vfs import Errno, FileIO, TextIOWrapper, VfsError
from vfs.memory import MemoryFile


def text_of(data: str | bytes, **options: Any) -> TextIOWrapper:
    return TextIOWrapper(MemoryFile(data.encode() if isinstance(data, str) else data, **options))


def bytes_of(data: bytes, **options: Any) -> FileIO:
    return FileIO(MemoryFile(data, **options))


# Against a model


@given(st.text(), st.lists(st.integers(0, 9)), st.integers(1, 7))
def test_text_read_in_pieces_equals_stringio(text: str, pieces: list[int], most: int) -> None:
    file = text_of(text, most=most)
    model = io.StringIO(text, newline="")
    for count in pieces:
        assert file.read(count) == model.read(count)
    assert file.read() == model.read()
    assert file.read(1) == ""


@given(st.binary(), st.lists(st.integers(0, 9)), st.integers(1, 7))
def test_bytes_read_in_pieces_equal_bytesio(data: bytes, pieces: list[int], most: int) -> None:
    file, model = bytes_of(data, most=most), io.BytesIO(data)
    for count in pieces:
        assert file.read(count) == model.read(count)
        assert file.tell() == model.tell()
    assert file.read() == model.read()


LINES = st.lists(st.sampled_from(["", "a", "long line of text", "é", "\n", "\r\n", "\n\n"]))


@given(LINES.map("".join), st.integers(1, 9), st.lists(st.integers(-1, 6)))
def test_readline_equals_bytesio(text: str, lookahead: int, limits: list[int]) -> None:
    data = text.encode()
    file, model = bytes_of(data, lookahead=lookahead), io.BytesIO(data)
    for limit in limits:
        assert file.readline(limit) == model.readline(limit)
        assert file.tell() == model.tell()
    assert file.readlines() == model.readlines()
    assert list(text_of(text)) == list(io.StringIO(text, newline="\n"))


@given(st.lists(st.text() | st.binary()), st.integers(1, 5))
def test_written_pieces_are_concatenated(pieces: list[str | bytes], most: int) -> None:
    raw = MemoryFile(most=most)
    file = TextIOWrapper(raw)
    whole = b""
    for piece in pieces:
        data = piece.encode() if isinstance(piece, str) else piece
        whole += data
        assert file.write(piece) == len(data)
    assert raw.data == whole


@given(st.binary(), st.lists(st.integers(0, 9)))
def test_invalid_utf8_survives_a_round_trip(data: bytes, pieces: list[int]) -> None:
    file = text_of(data)
    text = [file.read(count) for count in pieces] + [file.read()]
    copy = MemoryFile()
    TextIOWrapper(copy).write("".join(text))
    again = MemoryFile()
    for piece in text:
        TextIOWrapper(again).write(piece)
    assert again.data == data
    # Joining the parts of a character that two reads returned does not restore it.
    assert len(copy.data) >= len(data)


# Reading


def test_text_read_counts_characters() -> None:
    file = text_of("aé日😀z")
    assert [file.read(2), file.tell(), file.read(2), file.read(2)] == ["aé", 3, "日😀", "z"]


def test_text_read_stops_after_the_last_character() -> None:
    raw = MemoryFile("日本語".encode())
    assert TextIOWrapper(raw).read(2) == "日本"
    assert raw.stream.tell() == 6


def test_invalid_first_byte_counts_for_five() -> None:
    file = text_of(b"\x80abcdefg")
    assert file.read(1) == "\udc80abcd"
    assert file.read(1) == "e"


def test_character_cut_by_the_end_is_returned() -> None:
    assert text_of("日".encode()[:2]).read(3) == "\udce6\udc97"


def test_newlines_are_not_translated() -> None:
    assert text_of("a\r\nb\rc\n").readlines() == ["a\r\n", "b\rc\n"]


@pytest.mark.parametrize("size", ["x", None, 1.5, b"1"])
def test_size_of_another_type_is_typeerror(size: Any) -> None:
    file = bytes_of(b"data")
    for call in (file.read, file.readline, file.seek):
        with pytest.raises(TypeError):
            call(size)
    with pytest.raises(TypeError):
        file.seek(0, size)
    assert file.tell() == 0


def test_negative_size_is_memoryerror() -> None:
    binary, text = bytes_of(b"data"), text_of("data")
    for call in (binary.readline, text.read, text.readline):
        with pytest.raises(MemoryError, match="allocating 4294967294 bytes"):
            call(-2)
    with pytest.raises(MemoryError, match="allocating 4294967295 bytes"):
        binary.read(-2)


def test_wrong_number_of_arguments_is_typeerror() -> None:
    file = bytes_of(b"data")
    with pytest.raises(TypeError):
        file.readlines(2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        file.seek()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        file.read(1, 2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        file.write(b"x", 1, 2, 3)
    with pytest.raises(TypeError):
        file.read(size=1)  # type: ignore[call-arg]


def test_readinto_fills_any_writable_buffer() -> None:
    file = bytes_of(b"0123456789", most=3)
    buffer = bytearray(4)
    assert file.readinto(buffer) == 4
    assert file.readinto(buffer, 2) == 2
    assert buffer == b"4523"
    assert file.readinto(memoryview(buffer)[1:], -5) == 3
    assert buffer == b"4678"
    words = array.array("H", [0xFFFF, 0xFFFF])
    assert file.readinto(words, 99) == 1
    assert words.tobytes() == b"9\xff\xff\xff"
    assert file.readinto(buffer) == file.readinto(bytearray()) == 0


@pytest.mark.parametrize("target", [b"1234", 5, "1234", None])
def test_readinto_of_a_read_only_object_is_typeerror(target: Any) -> None:
    with pytest.raises(TypeError):
        bytes_of(b"data").readinto(target)


def test_readline_seeks_back_to_the_end_of_the_line() -> None:
    raw = MemoryFile(b"one\ntwo\nthree", lookahead=8)
    file = FileIO(raw)
    assert next(file) == b"one\n"
    assert raw.stream.tell() == 4
    assert file.readline(2) == b"tw"
    assert raw.reads == [8, 2]


def test_readline_returns_the_line_before_a_bad_sector() -> None:
    raw = MemoryFile(b"one\ntwo\nthree", lookahead=8, bad=5)
    file = FileIO(raw)
    assert file.readline() == b"one\n"
    assert file.tell() == 4
    with pytest.raises(VfsError):
        file.readline()
    assert file.tell() == 5


def test_iteration_ends_with_the_file() -> None:
    file = text_of("a\n")
    assert iter(file) is file
    assert [next(file), next(file, "end")] == ["a\n", "end"]


# Writing


@pytest.mark.parametrize("kind", [FileIO, TextIOWrapper])
def test_write_accepts_text_and_buffers(kind: type[FileIO] | type[TextIOWrapper]) -> None:
    raw = MemoryFile()
    file = kind(raw)
    assert file.write("é") == 2
    assert file.write(bytearray(b"b")) == 1
    assert file.write(memoryview(b"xyz")[1:]) == 2
    assert file.write(array.array("H", [0x4241])) == 2
    assert file.write("") == file.write(b"") == 0
    assert raw.data == "é".encode() + b"byzAB"


@pytest.mark.parametrize("data", [5, None, [1], {"a"}])
def test_write_of_another_type_is_typeerror(data: Any) -> None:
    with pytest.raises(TypeError):
        bytes_of(b"").write(data)


def test_write_with_limits_writes_a_part() -> None:
    raw = MemoryFile()
    file = FileIO(raw)
    assert file.write("0123456789", 3) == 3
    assert file.write("0123456789", 4, 2) == 2
    assert file.write("0123456789", 8, 99) == 2
    assert file.write("01", -1) == 2
    assert file.write("01", 5, 1) == file.write("01", -1, 1) == 0
    assert raw.data == b"012458901"


def test_write_stops_when_nothing_is_accepted() -> None:
    assert bytes_of(b"", most=0).write(b"data") == 0


# Positions, closing, attributes


def test_seek_before_the_start_is_einval() -> None:
    with pytest.raises(VfsError) as caught:
        bytes_of(b"data").seek(-1)
    assert caught.value.errno == Errno.EINVAL


def test_flush_and_close_reach_the_driver() -> None:
    raw = MemoryFile()
    with FileIO(raw) as file:
        file.flush()
    assert raw.flushes == 1
    assert raw.stream.closed


def test_with_block_closes_after_an_error() -> None:
    raw = MemoryFile()
    with pytest.raises(KeyError), FileIO(raw):
        raise KeyError
    assert raw.stream.closed


def test_dropped_file_is_not_closed() -> None:
    raw = MemoryFile()
    file = FileIO(raw)
    file.write(b"data")
    del file
    gc.collect()
    assert not raw.stream.closed
    assert raw.flushes == 0


def test_finaliser_can_be_called() -> None:
    raw = MemoryFile()
    FileIO(raw).__del__()
    assert raw.stream.closed


@pytest.mark.parametrize(
    "name", ["name", "mode", "closed", "fileno", "truncate", "writelines", "read1", "__dict__"]
)
def test_missing_attribute_is_attributeerror(name: str) -> None:
    assert not hasattr(text_of(""), name)


def test_repr_is_micropython_s() -> None:
    binary, text = bytes_of(b""), text_of("")
    assert repr(binary) == f"<io.FileIO {id(binary):x}>"
    assert repr(text) == f"<io.TextIOWrapper {id(text):x}>"
    with pytest.raises(AttributeError, match="'TextIOWrapper' object has no attribute 'name'"):
        text.name
