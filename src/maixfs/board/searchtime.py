"""What it takes the firmware to find a file by its name on /flash.

``maixfs.spiffs`` knows each page's look-up entry; the firmware's SPIFFS reads them every time.
"""

from __future__ import annotations

from maixfs.nor.clock import DeviceClock
from maixfs.spiffs import SpiffsCore
from maixfs.spiffs.ondisk import ID_FREE, ID_INDEX


class SearchTimer:
    """Charges searches to a chip's clock: look-up pages whole, of index pages the header.

    The search goes around, from the page that was found last. One that found nothing, for a file
    that is made new, counts as a short one.
    """

    def __init__(self, fs: SpiffsCore, clock: DeviceClock) -> None:
        self._volume = fs._volume
        self._clock = clock
        self._start = self._volume.search_page

    def charge(self, *, found: bool) -> None:
        """Let the time of the search pass that came since this was made."""
        geometry, clock = self._volume.geometry, self._clock
        start, end = self._start, self._volume.search_page + 1 if found else self._start
        entries = self._entries(start, end)
        headers = sum(entry != ID_FREE and bool(entry & ID_INDEX) for entry in entries)
        blocks = -(-(start % geometry.pages_per_block + len(entries)) // geometry.pages_per_block)
        for _ in range(blocks * geometry.lookup_pages):
            clock.charge_read(geometry.page_size)
        for _ in range(headers):
            clock.charge_read(geometry.header_size)

    def _entries(self, start: int, end: int) -> list[int]:
        lookup = self._volume.lookup
        between = lookup[start:end] if end > start else lookup[start:] + lookup[:end]
        return between.tolist()
