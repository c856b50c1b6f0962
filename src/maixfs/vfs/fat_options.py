"""What a FAT volume is told by the board that it is on."""

from __future__ import annotations

from dataclasses import dataclass

from maixfs.fat.entries import Clock, host_clock
from maixfs.vfs.quirks import OnQuirk


@dataclass(frozen=True)
class FatOptions:
    """How a ``VfsFat`` behaves where boards differ.

    ``profile`` is a name as ``Vfs`` takes it. ``clock`` gives the date and time of now as FAT
    stores them; without one it is the host's. ``dates_late``: dates are written as the firmware
    does it, 60 years late. ``guarded``: what only loses data is EINVAL: renaming a folder to a
    place inside itself, seeking to before the start of a file that can be written.
    ``on_quirk(key, sentence)`` is called once for each thing that the firmware does to its user
    (``SENTENCES``).
    """

    profile: str = "maixpy"
    clock: Clock = host_clock
    dates_late: bool = False
    guarded: bool = False
    on_quirk: OnQuirk | None = None
