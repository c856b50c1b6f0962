"""A drive of the host that a card is in: is it one, is it in use, can it be meant."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from maixfs.card.errors import CardError

LARGEST = 256 << 30
"""Bytes of a drive that is still likely to be a card."""


class HostDevice(NamedTuple):
    """What the host says of a path that a card is to be written to or read from."""

    path: Path
    regular: bool
    """Whether it is an ordinary file, which stands in for a drive."""
    in_use: tuple[str, ...] = ()
    """Mount points and other users of the drive and its partitions."""
    removable: bool | None = None
    """Whether it can be taken out; ``None`` where the host does not say."""
    partition_of: str | None = None
    """The whole drive, where the path is a partition of one."""
    model: str = ""


def look_at_device(path: Path, root: Path = Path("/")) -> HostDevice:
    """Return what is known of a drive; raises ``CardError`` where there is none.

    ``root`` is where the host keeps ``sys`` and ``proc`` (Linux).
    """
    try:
        status = path.stat()
    except OSError as error:
        raise CardError(f"{path} cannot be looked at: {error.strerror or error}") from error
    if stat.S_ISREG(status.st_mode):
        return HostDevice(path, regular=True)
    if stat.S_ISDIR(status.st_mode):
        raise CardError(f"{path} is a folder, not a drive", hint="name the drive, as /dev/sdb")
    if sys.platform == "linux":
        return _linux(path, root)
    return HostDevice(path, regular=False, in_use=_mounted_elsewhere(path))


def refuse_unlikely(
    device: HostDevice, size: int, *, largest: int = LARGEST, force: bool = False
) -> None:
    """Raise ``CardError`` for a drive that must not be written, or is unlikely to be meant.

    What is in use is refused with ``force``, too.
    """
    if device.in_use:
        raise CardError(
            f"{device.path} is in use: {', '.join(device.in_use)}",
            hint="unmount it first; nothing was written",
        )
    if force or device.regular:
        return
    hint = "look twice whether this is the card; --force writes to it"
    if device.partition_of:
        raise CardError(
            f"{device.path} is one partition of {device.partition_of}, and this is a whole card",
            hint=f"name {device.partition_of}; --force writes to the partition",
        )
    if not device.removable:
        known = "is no removable drive" if device.removable is False else "may be built in"
        raise CardError(f"{device.path} {known}{_called(device)}", hint=hint)
    if size > largest:
        raise CardError(
            f"{device.path} has {size} bytes, more than a card has{_called(device)}", hint=hint
        )


def _called(device: HostDevice) -> str:
    return f" ({device.model})" if device.model else ""


def _linux(path: Path, root: Path) -> HostDevice:
    name = Path(os.path.realpath(path)).name
    block = root / "sys/class/block"
    place = Path(os.path.realpath(block / name))
    whole = place.parent.name if (place / "partition").exists() else None
    drive = place.parent if whole else place
    parts = [drive, *(part.parent for part in sorted(drive.glob("*/partition")))]
    users = [*_mounts(parts, root), *_swaps(parts, root), *_holders(parts)]
    return HostDevice(
        path,
        regular=False,
        in_use=tuple(users),
        removable=_removable(drive),
        partition_of=f"/dev/{whole}" if whole else None,
        model=_line(drive / "device/model") or _line(drive / "device/name"),
    )


def _removable(drive: Path) -> bool:
    """Tell whether a drive is a card or a stick; a built-in reader's only says that it is SD."""
    in_slot = _line(drive / "device/type") == "SD"
    return in_slot or _line(drive / "removable") == "1" or "/usb" in str(drive)


def _mounts(parts: list[Path], root: Path) -> Iterator[str]:
    numbers = {_line(part / "dev") for part in parts} - {""}
    for line in _text(root / "proc/self/mountinfo").splitlines():
        words = line.split()
        if len(words) > 4 and words[2] in numbers:
            yield f"mounted on {words[4]}"


def _swaps(parts: list[Path], root: Path) -> Iterator[str]:
    names = {f"/dev/{part.name}" for part in parts}
    for line in _text(root / "proc/swaps").splitlines():
        if line.partition(" ")[0] in names:
            yield "swap"


def _holders(parts: list[Path]) -> Iterator[str]:
    for part in parts:
        for holder in sorted((part / "holders").glob("*")):
            yield f"part of {holder.name}"


def _mounted_elsewhere(path: Path) -> tuple[str, ...]:
    """Ask ``mount`` on other systems that have it; what cannot be asked is not known."""
    import subprocess

    if os.name == "nt":
        return ()
    try:
        result = subprocess.run(["mount"], capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ()
    # macOS calls the same drive disk4 and rdisk4, and its partitions disk4s1.
    name = path.name.removeprefix("r")
    users = []
    for line in result.stdout.splitlines():
        source, _, rest = line.partition(" on ")
        if source.removeprefix("/dev/").startswith(name):
            users.append(f"mounted on {rest.partition(' (')[0]}")
    return tuple(users)


def _line(path: Path) -> str:
    return _text(path).strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
