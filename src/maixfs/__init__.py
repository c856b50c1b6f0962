"""maixfs: the storage of a MaixPy (K210) board on the desk, bit for bit."""

from __future__ import annotations

TYPE_CHECKING = False  # as the type checker knows it; typing itself takes time to import
if TYPE_CHECKING:
    from pathlib import Path

    from maixfs.image.identify import Identifiable, Identification
    from maixfs.image.image import Image
    from maixfs.spiffs.geometry import Geometry

__version__ = "0.2.0"


def open(  # noqa: A001 - as in ``shelve.open``, ``tarfile.open``
    path: str | Path,
    mode: str = "r",
    *,
    geometry: Geometry | None = None,
    base: int | None = None,
    drives: bool = False,
    force: bool = False,
) -> Image:
    """Open a board's folder, a flash dump, a SPIFFS image, a card or a drive.

    ``mode`` is ``"r"``, or ``"r+"`` to change it. The geometry of a SPIFFS is found unless it is
    given; ``base`` says where it starts. ``drives`` lets a drive of the host be written,
    ``force`` a damaged file system be changed. Raises as ``maixfs.image.opening.open_image``.
    """
    from maixfs.image.opening import open_image

    return open_image(path, mode, geometry=geometry, base=base, drives=drives, force=force)


def identify(thing: Identifiable) -> Identification:
    """Say what a path, bytes or a device is, with evidence (see ``maixfs.image.identify``)."""
    from maixfs.image.identify import identify as identify_thing

    return identify_thing(thing)
