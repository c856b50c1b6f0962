"""The list in a package: which file goes where; read as it may be, written as all can read it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import NamedTuple

from maixfs.kfpkg.errors import KfpkgError
from maixfs.kfpkg.lenient import Value, parse_lenient
from maixfs.kfpkg.package import VERSION, Part

MOST_PARTS = 1024
"""Files of a list; real ones have up to five."""
HIGHEST = 1 << 32
"""Addresses are of 32 bits in every flasher's protocol."""
_VERSIONS = ("0.1.0", "0.1.1")
_KNOWN = ("address", "bin", "sha256Prefix", "reverse4Bytes", "swap")
# What kflash does to a list before it hands it to Python's reader of JSON: see ``kflash_reads``.
_ADDRESS = re.compile(r'"address": (.*),')


class ListEntry(NamedTuple):
    """A file of the list."""

    address: int
    bin: str
    sha256_prefix: bool | None
    """``None`` where the list does not say."""
    reverse4: bool
    swap: bool
    extra: tuple[tuple[str, str], ...]


class FlashList(NamedTuple):
    """A list that was read."""

    version: str
    entries: tuple[ListEntry, ...]
    notes: tuple[str, ...]


def read_list(raw: bytes) -> FlashList:
    """Read a list; raises ``KfpkgError`` for what cannot be understood."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise KfpkgError(f"the flash list is no text (byte {error.start})") from None
    value, forgiven = parse_lenient(text)
    if not isinstance(value, dict):
        raise KfpkgError("the flash list is no object with the key files")
    files = value.get("files")
    if not isinstance(files, list) or not files:
        raise KfpkgError("the flash list has no files", hint='it needs "files": [...]')
    if len(files) > MOST_PARTS:
        raise KfpkgError(f"the flash list has {len(files)} files, {MOST_PARTS} are possible")
    entries = tuple(_entry(one, nr) for nr, one in enumerate(files, 1))
    version, said = _version(value)
    notes = [*forgiven, *said, *_unsaid(entries)]
    trouble = kflash_trouble(text)
    if trouble:
        notes.append(f"kflash does not read this list: {trouble}")
    return FlashList(version, entries, tuple(notes))


def _version(value: dict[str, Value]) -> tuple[str, list[str]]:
    version = value.get("version")
    if version is None and "" in value:
        return str(value[""]), ["the key of the version is empty, as kflash_gui writes it"]
    if version is None:
        return "", ["the flash list has no version"]
    known = version in _VERSIONS
    return str(version), [] if known else [f"version {version!r} is none of {_VERSIONS}"]


def _unsaid(entries: Iterable[ListEntry]) -> list[str]:
    names = [entry.bin for entry in entries if entry.sha256_prefix is None]
    return [f"{name}: sha256Prefix is missing; its bytes tell" for name in names]


def _entry(value: Value, nr: int) -> ListEntry:
    if not isinstance(value, dict):
        raise KfpkgError(f"the flash list: file {nr} is no object")
    name = value.get("bin")
    if not isinstance(name, str) or not name:
        raise KfpkgError(f"the flash list: file {nr} has no name", hint='it needs "bin": "NAME"')
    flags = {key: _flag(value, key, name) for key in _KNOWN[2:]}
    extra = tuple((key, json.dumps(one)) for key, one in value.items() if key not in _KNOWN)
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
        try:
            value = int(value.replace("_", ""), 0) if len(value) < 32 else None
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int):
        raise KfpkgError("its address is missing or no number", member=name)
    if not 0 <= value < HIGHEST:
        sign = "-" if value < 0 else ""
        shown = f"{sign}{abs(value):#x}"
        raise KfpkgError(f"its address {shown} is not from 0 to {HIGHEST - 1:#x}", member=name)
    return value


def _flag(value: dict[str, Value], key: str, name: str) -> bool | None:
    flag = value.get(key)
    if isinstance(flag, str) and flag.lower() in ("true", "false"):
        return flag.lower() == "true"
    if flag is None or flag in (True, False):  # 0 and 1, too
        return None if flag is None else bool(flag)
    raise KfpkgError(f"{key} is neither true nor false", member=name)


def kflash_trouble(text: str) -> str:
    """Return why kflash would not read a list, nothing where it does.

    It puts quotes around what follows ``"address":`` up to the last comma of the line, so that
    hex numbers pass, and takes the rest for JSON; all three keys must be there.
    """
    try:
        found = json.loads(_ADDRESS.sub(r'"address": "\1",', text))
        for entry in found["files"]:
            if not isinstance(entry["address"], str):
                return 'behind "address" another key must follow, each on a line of its own'
            int(entry["address"], 0)
            _ = entry["bin"], entry["sha256Prefix"]
    except KeyError as error:
        return f"the key {error} is missing"
    except (ValueError, TypeError, RecursionError):
        return "it takes JSON with one key on a line, addresses in hex or decimal, no comments"
    return ""


def write_list(parts: Iterable[Part]) -> bytes:
    """Return the list of the parts: plain JSON that every known flasher takes.

    One key on a line, the address in decimal and not the last: one flasher finds addresses by
    lines, another takes no hex, and all want the three keys.
    """
    files = [
        {"address": part.address, "bin": part.name, "sha256Prefix": part.sha256_prefix}
        for part in parts
    ]
    text = json.dumps({"version": VERSION, "files": files}, indent=2, ensure_ascii=True)
    return text.encode("ascii") + b"\n"
