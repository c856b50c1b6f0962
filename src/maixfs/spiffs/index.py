"""The index pages of a mounted file system: by id and span, and by name.

Two questions, two answers, as in the C: *by id and span* asks for a page whose header says so
and is live; *by name* and listings ask for a visible header and do not compare its id
(docs/SPEC.md, section 4). On a sound file system there is one answer; power loss can leave two,
and then the first one found from the search cursor on counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from maixfs.spiffs import ondisk

if TYPE_CHECKING:
    from maixfs.spiffs.geometry import Geometry

Key = TypeVar("Key")

_LIVE_MASK = ondisk.USED | ondisk.FINAL | ondisk.DELET
_VISIBLE_MASK = ondisk.FINAL | ondisk.DELET | ondisk.IXDELE
_VISIBLE = ondisk.DELET | ondisk.IXDELE
_HEADER_MASK = ondisk.FINAL | ondisk.DELET | ondisk.INDEX


class DirEntry(NamedTuple):
    """A file as listings and stat give it."""

    name: str
    """The name; bytes that are not UTF-8 are kept as surrogate escapes."""
    raw_name: bytes
    object_id: int
    type: int
    size: int
    """Bytes."""
    page: int
    """Page of the object index header."""
    meta: bytes


class ObjectIndex:
    """Index pages in RAM."""

    def __init__(self, geometry: Geometry) -> None:
        self._name_end = ondisk.NAME_OFFSET + geometry.name_length
        self._meta_end = self._name_end + geometry.meta_length
        self.visible: dict[int, DirEntry] = {}
        """Headers that listings show, by page."""
        self._by_name: dict[bytes, list[int]] = {}
        self._by_span: dict[tuple[int, int], list[int]] = {}
        self._keys: dict[int, tuple[int, int]] = {}
        self._owners: dict[int, int] = {}
        self._order: list[int] | None = None
        self.changes = 0
        """Goes up whenever the listing changes."""
        self.name_changes = 0
        """Goes up whenever a name appears or disappears; not where its header only moves."""

    def add(self, page: int, entry: int, raw: bytes) -> int | None:
        """Take an index page in: its look-up entry and first ``header_size`` bytes.

        Returns the object id if the page is a finished header, that of a file whose removal
        did not come to its end included.
        """
        object_id, span, flags, size, kind = ondisk.INDEX_HEADER.unpack_from(raw)
        live = object_id == entry and flags & _LIVE_MASK == ondisk.DELET
        if live and (span or flags & ondisk.IXDELE):
            key = self._keys[page] = (entry, span)
            _add(self._by_span, key, page)
        if span:
            return None
        if flags & _VISIBLE_MASK == _VISIBLE:
            self._show(page, entry, raw, size, kind)
        if flags & _HEADER_MASK != ondisk.DELET:
            return None
        number = self._owners[page] = entry & ~ondisk.ID_INDEX
        return number

    def _show(self, page: int, entry: int, raw: bytes, size: int, kind: int) -> None:
        name = ondisk.until_nul(raw[ondisk.NAME_OFFSET : self._name_end])
        self.visible[page] = DirEntry(
            name.decode("utf-8", "surrogateescape"),
            name,
            entry & ~ondisk.ID_INDEX,
            kind,
            0 if size == ondisk.SIZE_UNDEFINED else size,
            page,
            raw[self._name_end : self._meta_end],
        )
        self.name_changes += name not in self._by_name
        _add(self._by_name, name, page)
        self._order = None
        self.changes += 1

    def drop(self, page: int) -> int | None:
        """Forget a page; returns what ``add`` returned for it."""
        key = self._keys.pop(page, None)
        if key is not None:
            _remove(self._by_span, key, page)
        shown = self.visible.pop(page, None)
        if shown is not None:
            _remove(self._by_name, shown.raw_name, page)
            self.name_changes += shown.raw_name not in self._by_name
            self._order = None
            self.changes += 1
        return self._owners.pop(page, None)

    def pages_of(self, entry: int, span: int) -> list[int]:
        """Return the live index pages of ``entry`` (id with bit 15) and ``span``."""
        return self._by_span.get((entry, span), [])

    def pages_named(self, name: bytes) -> list[int]:
        """Return the header pages that carry ``name``."""
        return self._by_name.get(name, [])

    def in_order(self) -> list[int]:
        """Return the visible header pages in the order of the medium."""
        if self._order is None:
            self._order = sorted(self.visible)
        return self._order


def _add(index: dict[Key, list[int]], key: Key, page: int) -> None:
    pages = index.get(key)
    if pages is None:
        index[key] = [page]
    else:
        pages.append(page)


def _remove(index: dict[Key, list[int]], key: Key, page: int) -> None:
    pages = index[key]
    if len(pages) == 1:
        del index[key]
    else:
        pages.remove(page)
