"""The list in a package: which file goes where in the flash.

Lists are written by hand and by tools that disagree: hex numbers, comments, commas behind the
last entry. No reader of JSON takes the numbers, and one of JSON5 does not report what it
accepted, so there is a small parser of its own, which notes each deviation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TypeAlias

from maixfs.kfpkg.archive import KfpkgError
from maixfs.tuples import NamedTuple

MAX_PARTS = 1024
"""Files of a list; real ones have up to five."""
ADDRESS_END = 1 << 32
"""One past the highest address: every flasher's protocol has 32 bits."""
_VERSIONS = ("0.1.0", "0.1.1")
_KNOWN = ("address", "bin", "sha256Prefix", "reverse4Bytes", "swap")
# kflash puts quotes around this part of a list before it calls ``json``: see ``kflash_trouble``.
_ADDRESS = re.compile(r'"address": (.*),')


class ListEntry(NamedTuple):
    """A file of the list."""

    address: int
    bin: str
    sha256_prefix: bool | None
    """``None`` if the list has no such key."""
    reverse4: bool
    swap: bool
    extra: tuple[tuple[str, str], ...]


class FlashList(NamedTuple):
    """A list, and what is unusual about it."""

    version: str
    entries: tuple[ListEntry, ...]
    notes: tuple[str, ...]


def read_list(raw: bytes) -> FlashList:
    """Read a list; raises ``KfpkgError`` if it cannot be understood."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise KfpkgError(f"the flash list is not UTF-8 (byte {error.start:#x})") from None
    value, deviations = parse_lenient(text)
    if not isinstance(value, dict):
        raise KfpkgError("the flash list is not an object with the key files")
    files = value.get("files")
    if not isinstance(files, list) or not files:
        raise KfpkgError("the flash list has no files", hint='it needs "files": [...]')
    if len(files) > MAX_PARTS:
        raise KfpkgError(f"the flash list has {len(files)} files, more than {MAX_PARTS}")
    entries = tuple(_entry(value, number) for number, value in enumerate(files, 1))
    version, version_notes = _version(value)
    notes = [*deviations, *version_notes, *_prefix_notes(entries)]
    trouble = kflash_trouble(text)
    if trouble:
        notes.append(f"kflash does not read this list: {trouble}")
    return FlashList(version, entries, tuple(notes))


def _version(value: dict[str, Value]) -> tuple[str, list[str]]:
    # kflash_gui writes the version under an empty key.
    version = value.get("version")
    if version is None and "" in value:
        return str(value[""]), ["the key of the version is empty, as kflash_gui writes it"]
    if version is None:
        return "", ["the flash list has no version"]
    known = version in _VERSIONS
    return str(version), [] if known else [
        f"the version {version!r} is not {' or '.join(_VERSIONS)}"
    ]


def _prefix_notes(entries: Iterable[ListEntry]) -> list[str]:
    names = [entry.bin for entry in entries if entry.sha256_prefix is None]
    return [
        f"{name}: sha256Prefix is missing; it was guessed from the file's first bytes"
        for name in names
    ]


def _entry(value: Value, number: int) -> ListEntry:
    if not isinstance(value, dict):
        raise KfpkgError(f"the flash list: file {number} is not an object")
    name = value.get("bin")
    if not isinstance(name, str) or not name:
        raise KfpkgError(
            f"the flash list: file {number} has no name", hint='it needs "bin": "NAME"'
        )
    flags = {key: _flag(value, key, name) for key in _KNOWN[2:]}
    extra = tuple((key, json.dumps(item)) for key, item in value.items() if key not in _KNOWN)
    return ListEntry(
        _address(value.get("address"), name),
        name,
        flags["sha256Prefix"],
        bool(flags["reverse4Bytes"]),
        bool(flags["swap"]),
        extra,
    )


def _address(value: Value, name: str) -> int:
    if isinstance(value, str):
        # kflash passes addresses to int(text, 0), so strings with a prefix are valid there.
        try:
            value = int(value.replace("_", ""), 0) if len(value) < 32 else None
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int):
        raise KfpkgError("its address is missing or not a number", member=name)
    if not 0 <= value < ADDRESS_END:
        sign = "-" if value < 0 else ""
        shown = f"{sign}{abs(value):#x}"
        raise KfpkgError(f"its address {shown} is not from 0 to {ADDRESS_END - 1:#x}", member=name)
    return value


def _flag(value: dict[str, Value], key: str, name: str) -> bool | None:
    flag = value.get(key)
    if isinstance(flag, str) and flag.lower() in ("true", "false"):
        return flag.lower() == "true"
    if flag is None or flag in (True, False):  # 0 and 1, too
        return None if flag is None else bool(flag)
    raise KfpkgError(f"{key} is neither true nor false", member=name)


def kflash_trouble(text: str) -> str:
    """Return why kflash 1.1 cannot read a list, or an empty string.

    It puts quotes around what follows ``"address":`` up to the last comma of the line, so that
    hex numbers pass, and parses the result as JSON; all three keys must be present.
    """
    try:
        content = json.loads(_ADDRESS.sub(r'"address": "\1",', text))
        for entry in content["files"]:
            if not isinstance(entry["address"], str):
                return 'behind "address" another key must follow, each on a line of its own'
            int(entry["address"], 0)
            _ = entry["bin"], entry["sha256Prefix"]
    except KeyError as error:
        return f"the key {error} is missing"
    except (ValueError, TypeError, RecursionError):
        return "it takes JSON with one key on a line, addresses in hex or decimal, no comments"
    return ""


# Lenient JSON

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"

MAX_TEXT = 1 << 20
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
    """Return the value of a text, and a sentence on each way in which it is not JSON.

    Raises ``KfpkgError`` with the line if it cannot be understood.
    """
    parser = _Parser(text)
    value = parser.value(0)
    parser.end()
    return value, tuple(parser.notes)


class _Parser:
    """Parses one value after the other; ``notes`` has each deviation from JSON once."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_TEXT:
            raise KfpkgError(f"the flash list has more than {MAX_TEXT:#x} characters")
        self.notes: dict[str, None] = {}
        self._text = text
        self._at = 0
        self._kind = ""
        self._token = ""
        self._advance()

    def value(self, depth: int) -> Value:
        """Parse the value at the current token."""
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
        """Raise ``KfpkgError`` unless the text ends here."""
        if self._kind:
            raise self._wrong(f"goes on with {self._token[:20]!r} past its end")

    def _object(self, depth: int) -> dict[str, Value]:
        values: dict[str, Value] = {}
        self._advance()
        while not self._closes("}"):
            if self._kind not in {"string", "quoted", "word"}:
                raise self._wrong(f"has {self._token or 'nothing'!r} where a key is needed")
            key = self._token if self._kind == "word" else self._string()
            self._note(self._kind == "word", "keys without quotes")
            self._advance()
            self._take(":")
            self._note(key in values, f"the key {key!r} twice, of which the last one counts")
            values[key] = self.value(depth + 1)
            self._comma("}")
        self._advance()
        return values

    def _array(self, depth: int) -> list[Value]:
        values: list[Value] = []
        self._advance()
        while not self._closes("]"):
            values.append(self.value(depth + 1))
            self._comma("]")
        self._advance()
        return values

    def _comma(self, closing: str) -> None:
        """Take the comma behind an entry; behind the last one it is a deviation."""
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
            # Windows paths in hand-written lists have backslashes that are no escapes.
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
        raise self._wrong(f"has {word[:40]!r}, which is not a number; write 4096 or 0x1000")

    def _note(self, applies: bool, what: str) -> None:
        if applies:
            self.notes.setdefault(f"the flash list has {what}")

    def _advance(self) -> None:
        """Go to the next token."""
        while True:
            if self._at >= len(self._text):
                self._kind, self._token = "", ""
                return
            match = _TOKEN.match(self._text, self._at)
            if match is None:
                self._token = self._text[self._at : self._at + 20]
                raise self._wrong(f"has {self._token!r}, which is not part of a list")
            self._at = match.end()
            self._kind, self._token = str(match.lastgroup), match.group()
            if self._kind not in {"blank", "comment"}:
                return
            self._note(self._kind == "comment", "comments")

    def _wrong(self, what: str) -> KfpkgError:
        line = self._text.count("\n", 0, self._at) + 1
        return KfpkgError(f"the flash list, line {line}, {what}")
