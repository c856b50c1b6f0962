"""JSON as flash lists have it: hex numbers, commas too many, comments, and bounded work.

Flash lists are written by hand and by tools that do not agree; no reader of JSON takes the
numbers, and one of JSON5 does not say what it forgave.
"""

from __future__ import annotations

import json
import re
from typing import TypeAlias

from maixfs.kfpkg.errors import KfpkgError

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"

MOST_TEXT = 1 << 20
"""Bytes of a list; the longest real ones have 700."""
_DEEPEST = 16
_LONGEST_NUMBER = 32
_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+)
    | (?P<comment>//[^\n]*|\#[^\n]*|/\*.*?\*/)
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<quoted>'[^'\\\n]*')
    | (?P<mark>[{}\[\]:,])
    | (?P<word>[\w.+-]+)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "none": None}
_INTEGER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0+|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)


def parse_lenient(text: str) -> tuple[Value, tuple[str, ...]]:
    """Return the value that a text means, and a sentence on each kind of thing it forgave.

    Raises ``KfpkgError`` with the line of what cannot be understood.
    """
    parser = _Parser(text)
    value = parser.value(0)
    parser.end()
    return value, tuple(parser.notes)


class _Parser:
    """Reads one value after the other; ``notes`` has what is no JSON, each once."""

    def __init__(self, text: str) -> None:
        if len(text) > MOST_TEXT:
            raise KfpkgError(f"the flash list has more than {MOST_TEXT:#x} characters")
        self.notes: dict[str, None] = {}
        self._text = text
        self._at = 0
        self._kind = ""
        self._token = ""
        self._advance()

    def value(self, depth: int) -> Value:
        """Read a value."""
        if depth > _DEEPEST:
            raise self._wrong(f"is nested deeper than {_DEEPEST} levels")
        kind, token = self._kind, self._token
        if token == "{" and kind == "mark":
            return self._object(depth)
        if token == "[" and kind == "mark":
            return self._array(depth)
        if kind not in {"string", "quoted", "word"}:
            raise self._wrong(f"has {token or 'nothing'!r} where a value is needed")
        value = self._word(token) if kind == "word" else self._string()
        self._advance()
        return value

    def end(self) -> None:
        """Raise unless all was read."""
        if self._kind:
            raise self._wrong(f"goes on with {self._token[:20]!r} behind its end")

    def _object(self, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        self._advance()
        while not self._closes("}"):
            if self._kind not in {"string", "quoted", "word"}:
                raise self._wrong(f"has {self._token or 'nothing'!r} where a key is needed")
            key = self._token if self._kind == "word" else self._string()
            self._note(self._kind == "word", "keys without quotes")
            self._advance()
            self._take(":")
            self._note(key in found, f"the key {key!r} twice, of which the last one counts")
            found[key] = self.value(depth + 1)
            self._comma("}")
        self._advance()
        return found

    def _array(self, depth: int) -> list[Value]:
        found: list[Value] = []
        self._advance()
        while not self._closes("]"):
            found.append(self.value(depth + 1))
            self._comma("]")
        self._advance()
        return found

    def _comma(self, closing: str) -> None:
        """Take the comma behind an entry; the last one may have one, too."""
        if self._closes(closing):
            return
        self._take(",")
        self._note(self._closes(closing), "a comma behind the last entry")

    def _closes(self, mark: str) -> bool:
        return self._kind == "mark" and self._token == mark

    def _take(self, mark: str) -> None:
        if not self._closes(mark):
            raise self._wrong(f"has {self._token[:20] or 'nothing'!r} where {mark!r} is needed")
        self._advance()

    def _string(self) -> str:
        self._note(self._kind == "quoted", "texts in single quotes")
        if self._kind == "quoted":
            return self._token[1:-1]
        try:
            text: str = json.loads(self._token, strict=False)
        except ValueError:
            self._note(True, "backslashes that stand for themselves")
            return self._token[1:-1]
        return text

    def _word(self, word: str) -> Value:
        if word.lower() in _WORDS:
            self._note(word not in _WORDS, "words such as True")
            return _WORDS[word.lower()]
        if _INTEGER.fullmatch(word) and len(word) <= _LONGEST_NUMBER:
            plain = word.lstrip("-").isdecimal() and (word == "0" or word.lstrip("-")[0] != "0")
            self._note(not plain, "numbers in hex")
            return int(word, 0)
        if _FLOAT.fullmatch(word) and set(word) & set(".eE") and len(word) <= _LONGEST_NUMBER:
            return float(word)
        raise self._wrong(f"has {word[:40]!r}, which is no number; write 4096 or 0x1000")

    def _note(self, applies: bool, what: str) -> None:
        if applies:
            self.notes.setdefault(f"the flash list has {what}")

    def _advance(self) -> None:
        """Go to the next token."""
        while True:
            if self._at >= len(self._text):
                self._kind, self._token = "", ""
                return
            found = _TOKEN.match(self._text, self._at)
            if found is None:
                self._token = self._text[self._at : self._at + 20]
                raise self._wrong(f"has {self._token!r}, which is nothing that a list has")
            self._at = found.end()
            self._kind, self._token = str(found.lastgroup), found.group()
            if self._kind not in {"blank", "comment"}:
                return
            self._note(self._kind == "comment", "comments")

    def _wrong(self, what: str) -> KfpkgError:
        line = self._text.count("\n", 0, self._at) + 1
        return KfpkgError(f"the flash list, line {line}, {what}")
