"""Stored names and the paths that show them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maixfs.errors import UsageError
from maixfs.image.names import Steps, parse, parts_of, show, steps_of

NAMES = st.binary(min_size=1, max_size=20).filter(lambda raw: b"\0" not in raw) | st.lists(
    st.sampled_from([b"/", b".", b"..", b"a", b"\\x41", b"\\", b"\xff", "é".encode(), b"\n"]),
    min_size=1,
    max_size=6,
).map(b"".join)


@given(NAMES)
def test_shown_bytes_are_parsed_back(raw: bytes) -> None:
    shown = show(raw)
    assert parse(shown) == raw
    assert shown.isprintable()


@given(NAMES)
def test_path_of_a_stored_name_leads_back_to_it(raw: bytes) -> None:
    path = "/" + "/".join(parts_of(raw))
    steps = steps_of(path)
    assert steps.parts == parts_of(raw)
    if raw.strip(b"/"):
        assert steps.stored == b"/" + raw.removeprefix(b"/")


@pytest.mark.parametrize(
    ("stored", "path"),
    [
        (b"/main.py", "main.py"),
        (b"main.py", "main.py"),
        (b"/lib/x", "lib/x"),
        (b"//x", r"\x2fx"),
        (b"/x/", r"x\x2f"),
        (b"/a//b", r"a/\x2fb"),
        (b"/../x", r"\x2e\x2e/x"),
        (b"/.", r"\x2e"),
        (b"/...", "..."),
        (b"/", r"\x2f"),
        (b"", "(no name)"),
        (b"/\xff\n", r"\xff\x0a"),
        ("/日本語.py".encode(), "日本語.py"),
        (b"/a\\b", r"a\x5cb"),
        ("/a\u202eb".encode(), r"a\xe2\x80\xaeb"),
    ],
)
def test_odd_names_are_shown_so_that_they_can_be_typed(stored: bytes, path: str) -> None:
    assert "/".join(parts_of(stored)) == path


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/flash/a", ("flash", "a")),
        ("//flash//./a/", ("flash", "a")),
        ("/flash/../a", ("a",)),
        ("/../../a", ("a",)),
        (r"/\x41", ("A",)),
        (r"/\x2E\x2e", (r"\x2e\x2e",)),
        (r"/a\b", (r"a\x5cb",)),
        ("/caf\udcc3\udca9", ("café",)),
        ("/", ()),
    ],
)
def test_path_is_split_into_steps(path: str, parts: tuple[str, ...]) -> None:
    assert steps_of(path) == Steps(parts)


def test_path_can_name_a_header_page() -> None:
    assert steps_of(r"/flash/a\p37") == Steps(("flash", "a"), 37)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(UsageError, match="UTF-8"):
        parse("\ud800")
