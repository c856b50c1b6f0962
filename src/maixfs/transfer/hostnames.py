"""Names of a target's files on the host: none climbs out, none is refused, none hits another."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable

from maixfs.image.names import Parts, parse

_TWIN = re.compile(r"\\p(\d+)\Z")
_DOTS = {".": "%2E", "..": "%2E%2E"}
_NOT_ON_WINDOWS = frozenset('<>:"|?*\\')
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{name}{digit}" for name in ("COM", "LPT") for digit in "0123456789¹²³"]
)


def host_part(part: str, *, windows: bool, any_bytes: bool = False) -> str:
    """Return one part of a target's path as the name of a host's file or folder.

    What the host would not take, or would take for something else, becomes ``%XX``: a slash
    within a name, ``.`` and ``..``, bytes that are not UTF-8 unless names may hold ``any_bytes``,
    and on Windows the characters and device names that it keeps to itself.
    """
    twin = _TWIN.search(part)
    if twin:
        part = f"{part[: twin.start()]}~p{twin[1]}"
    text = parse(part).decode("utf-8", "surrogateescape")
    text = "".join(_escaped(char) if _is_bad(char, windows, any_bytes) else char for char in text)
    text = _DOTS.get(text, text)
    if windows:
        if text.partition(".")[0].rstrip(" ").upper() in _DEVICES:
            text = _escaped(text[0]) + text[1:]
        if text[-1:] in (".", " "):
            text = text[:-1] + _escaped(text[-1])
    return text


def _is_bad(char: str, windows: bool, any_bytes: bool) -> bool:
    if char in "/\0" or (not any_bytes and "\udc80" <= char <= "\udcff"):
        return True
    return windows and (char < " " or char in _NOT_ON_WINDOWS)


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))


class HostNames:
    """Gives out host names for the files of a target, no two alike.

    What the host is like is found out unless it is given: ``windows``, ``caseless`` (names that
    differ in case alone are one), ``any_bytes`` (names need not be UTF-8).
    """

    def __init__(
        self,
        paths: Iterable[Parts],
        *,
        windows: bool = os.name == "nt",
        caseless: bool = os.name == "nt" or sys.platform == "darwin",
        any_bytes: bool = os.name != "nt" and sys.platform != "darwin",
    ) -> None:
        self._caseless = caseless
        plain = {
            parts: tuple(host_part(part, windows=windows, any_bytes=any_bytes) for part in parts)
            for parts in paths
        }
        folders = {self._key(names[:end]) for names in plain.values() for end in range(len(names))}
        self._names: dict[Parts, Parts] = {}
        taken: set[Parts] = set()
        for parts, names in plain.items():
            chosen, number = names, 0
            while self._key(chosen) in folders | taken:
                number += 1
                chosen = (*names[:-1], _numbered(names[-1], number))
            taken.add(self._key(chosen))
            self._names[parts] = chosen

    def __getitem__(self, parts: Parts) -> Parts:
        return self._names[parts]

    def note(self, parts: Parts, path: str | None) -> str:
        """Return what to say of a name that had to change, which was ``path``; else nothing."""
        same = all(
            os.fsencode(name) == parse(part)
            for name, part in zip(self._names[parts], parts, strict=True)
        )
        return "" if same else f"was {path}"

    def _key(self, names: Parts) -> Parts:
        if not self._caseless:
            return names
        return tuple(unicodedata.normalize("NFC", name).casefold() for name in names)


def _numbered(name: str, number: int) -> str:
    stem, dot, ending = name.rpartition(".")
    return f"{stem}~{number}.{ending}" if dot and stem else f"{name}~{number}"
