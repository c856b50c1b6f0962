"""The names under which a SPIFFS stores files, from their paths."""

from __future__ import annotations

from maixfs.errors import UsageError
from maixfs.image.names import parse, show, too_long
from maixfs.image.paths import Mount
from maixfs.spiffs import Geometry


def stored_name(path: str, mount: Mount, geometry: Geometry) -> bytes:
    """Return the name under which a file of that path is stored.

    Raises ``UsageError`` for a path that no file can have in this file system.
    """
    steps = mount.without_alias(mount.absolute(path))
    if steps.page is not None:
        raise UsageError(f"{path}: a header page can only be read", hint="give it a name")
    raw = b"/" + b"/".join(parse(part) for part in mount.inside(path, steps))
    if b"\0" in raw:
        raise UsageError(f"{show(raw)}: a name cannot hold a zero byte")
    if len(raw) >= geometry.name_length:
        raise too_long(path, raw, geometry.name_length - 1)
    return raw
