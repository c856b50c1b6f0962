"""Watching a card's sectors: every write, before and after it lands.

An observer that raises in ``before`` stops the write: nothing of it lands. A power cut is an
observer that pokes as many sectors as the torn write leaves (``Medium.poke``) and raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from maixfs.sd.media import Medium


class SectorObserver(Protocol):
    """Somebody who watches a medium; ``data`` is whole sectors long and not to be kept.

    ``medium.peek`` shows the sectors: the old ones in ``before``, the new ones in ``after``.
    """

    def before(self, medium: Medium, sector: int, data: memoryview) -> None:
        """See a write that is about to land; raise to stop it."""

    def after(self, medium: Medium, sector: int, data: memoryview) -> None:
        """See a write that has landed."""
