"""The write cache: one page per file, flushed as one write (docs/SPEC.md, section 5)."""

from __future__ import annotations


class WriteCache:
    """Bytes of one object that were written and have not reached flash."""

    __slots__ = ("data", "object_id", "offset")

    def __init__(self, object_id: int, offset: int) -> None:
        self.object_id = object_id
        self.offset = offset
        self.data = bytearray()

    @property
    def end(self) -> int:
        """File offset behind the last cached byte."""
        return self.offset + len(self.data)

    def takes(self, offset: int, length: int, page_size: int) -> bool:
        """Tell whether a write can be merged: no gap, and within one page from the start."""
        start = self.offset
        return start <= offset <= self.end and offset + length <= start + page_size

    def put(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Merge a write that ``takes`` allowed."""
        at = offset - self.offset
        self.data[at : at + len(data)] = data


class WriteCaches:
    """The cache pages of a file system that hold writes, by object id.

    ``limit`` is the number of cache pages that the C has (the board: 4), ``None`` as many as
    files. One page always holds what was read last, so that writes get one less.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = None if limit is None else limit - 1
        self.pages: dict[int, WriteCache] = {}
        """Cache pages in use; mostly none, which is the quick way out of a flush."""

    def find(self, object_id: int) -> WriteCache | None:
        """Return the cache page of an object."""
        return self.pages.get(object_id)

    def allocate(self, object_id: int, offset: int) -> WriteCache | None:
        """Return a fresh cache page, or ``None`` when all are taken by other objects."""
        if self._limit is not None and len(self.pages) >= self._limit:
            return None
        page = self.pages[object_id] = WriteCache(object_id, offset)
        return page

    def release(self, page: WriteCache) -> None:
        """Give a cache page back; what it held is lost."""
        if self.pages.get(page.object_id) is page:
            del self.pages[page.object_id]
