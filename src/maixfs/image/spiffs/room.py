"""Room in a SPIFFS, in pages."""

from __future__ import annotations

from typing import NamedTuple


class SpiffsRoom(NamedTuple):
    """Room in a file system, in pages; the two blocks that stay spare are in none of them."""

    page_size: int
    block_size: int
    data_size: int
    """Bytes of a file that a page holds."""
    total_pages: int
    used_pages: int
    deleted_pages: int
    free_pages: int
    spare_blocks: int
    """Blocks that hold nothing at all; the file system wants two."""
    files: int

    @property
    def total(self) -> int:
        """Bytes that files could take if there were none."""
        return self.total_pages * self.data_size

    @property
    def used(self) -> int:
        """Bytes that files take, in whole pages."""
        return self.used_pages * self.data_size

    @property
    def deleted(self) -> int:
        """Bytes that garbage collection can give back."""
        return self.deleted_pages * self.data_size

    @property
    def free(self) -> int:
        """Bytes that can be written at once."""
        return self.free_pages * self.data_size

    def as_dict(self) -> dict[str, int]:
        """Return it all by name, in pages and in bytes."""
        sizes = {"total": self.total, "used": self.used, "deleted": self.deleted}
        return self._asdict() | sizes | {"free": self.free}
