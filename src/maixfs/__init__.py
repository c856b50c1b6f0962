"""maixfs: the storage of a MaixPy (K210) board on the desk, bit for bit."""

from __future__ import annotations

TYPE_CHECKING = False  # as the type checker knows it; typing itself takes time to import
if TYPE_CHECKING:
    from pathlib import Path

    from maixfs.image.identify import Identifiable, Identification
    from maixfs.image.target import Target
    from maixfs.spiffs.geometry import Geometry

__version__ = "0.2.0"


def open(  # noqa: A001 - as in ``shelve.open``, ``tarfile.open``
    host: str | Path, writable: bool = False, geometry: Geometry | None = None
) -> Target:
    """Open a board's folder, a flash image or a SPIFFS image (see ``maixfs.image``)."""
    from maixfs.image.opening import open_target

    return open_target(host, writable, geometry)


def identify(thing: Identifiable) -> Identification:
    """Say what a path, bytes or a device is, with evidence (see ``maixfs.image.identify``)."""
    from maixfs.image.identify import identify as identify_thing

    return identify_thing(thing)
