"""Drives of the host, its block devices: size, users, partition tables."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from maixfs.host.errors import not_opened
from maixfs.tuples import NamedTuple


class DriveFacts(NamedTuple):
    """Facts of the host about a path that is to be read or written as a card."""

    path: Path
    regular: bool
    """Whether it is an ordinary file, which stands in for a drive."""
    in_use: tuple[str, ...] = ()
    """Mount points and other users of the drive and its partitions."""
    removable: bool | None = None
    """Whether it can be taken out; ``None`` if the host does not say."""
    partition_of: str | None = None
    """The whole drive, where the path is a partition of one."""
    model: str = ""


def is_drive(path: Path) -> bool:
    """Return whether a path is that of a drive of the host, a block device."""
    try:
        return stat.S_ISBLK(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def journal_of(card: Path) -> Path:
    """Return the path of a card's journal: beside an image, for a drive in the user's folder.

    Drives are device nodes, and nothing can be stored beside those.
    """
    real = Path(os.path.realpath(card))
    if not is_drive(real):
        return real.with_name(f".{real.name}.maixfs-journal")
    return _state_folder() / f"{real.name}.maixfs-journal"


def _state_folder() -> Path:
    """Return the folder for state files of this user (XDG base directories)."""
    configured = os.environ.get("XDG_STATE_HOME")
    return (Path(configured) if configured else Path.home() / ".local" / "state") / "maixfs"


def drive_facts(path: Path, root: Path = Path("/")) -> DriveFacts:
    """Return what is known of a drive; raises ``DeviceError`` if nothing or a folder is.

    ``root`` is where the host keeps ``sys`` and ``proc`` (Linux).
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError
    except (OSError, ValueError) as error:
        raise not_opened(path, error) from error
    if stat.S_ISREG(status.st_mode):
        return DriveFacts(path, regular=True)
    if sys.platform == "linux":
        return _linux_facts(path, root)
    return DriveFacts(path, regular=False, in_use=_mounted_elsewhere(path))


def size_of(path: Path) -> int:
    """Return the bytes of a drive or a file; raises ``DeviceError``."""
    try:
        with path.open("rb") as stream:
            # ``stat`` gives 0 for a drive; its end is found by a seek, except on macOS.
            return stream.seek(0, os.SEEK_END) or drive_size(stream.fileno())
    except (OSError, ValueError) as error:
        raise not_opened(path, error) from error


def drive_size(handle: int) -> int:
    """Return the bytes of an open drive where seeking to its end gives 0 (macOS), else 0."""
    if sys.platform == "darwin":
        import fcntl
        import struct

        block_size, block_count = 0x40046418, 0x40086419  # DKIOCGETBLOCKSIZE, ...COUNT
        try:
            size = struct.unpack("<I", fcntl.ioctl(handle, block_size, bytes(4)))[0]
            count = struct.unpack("<Q", fcntl.ioctl(handle, block_count, bytes(8)))[0]
        except OSError:
            return 0
        return int(size * count)
    return 0


def drop_cache(path: Path) -> None:
    """Discard the host's cached pages of a file, where supported: reads then use the medium."""
    if not hasattr(os, "posix_fadvise"):
        return
    # Only advice: where the host keeps its copy, a comparison reads what was written instead of
    # what the card has.
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


def reread_partitions(path: Path) -> None:
    """Make Linux read the new partition table of a drive; other systems need it re-inserted."""
    if sys.platform != "linux" or not path.is_block_device():
        return
    import fcntl

    again = 0x125F  # BLKRRPART of linux/fs.h
    # Linux refuses while a partition is in use, and goes on with the old table.
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, again)
        finally:
            os.close(handle)


def set_sparse_on_windows(handle: int) -> None:
    """Make NTFS store holes of an open file without clusters."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        set_sparse = 0x900C4  # FSCTL_SET_SPARSE
        ctypes.windll.kernel32.DeviceIoControl(
            ctypes.c_void_p(msvcrt.get_osfhandle(handle)),
            set_sparse,
            None,
            0,
            None,
            0,
            ctypes.byref(ctypes.c_ulong()),
            None,
        )


def _linux_facts(path: Path, root: Path) -> DriveFacts:
    name = Path(os.path.realpath(path)).name
    block = root / "sys/class/block"
    # By the device tree and not by names: mmcblk0p1 and sda1 are formed in different ways.
    place = Path(os.path.realpath(block / name))
    whole = place.parent.name if (place / "partition").exists() else None
    drive = place.parent if whole else place
    parts = [drive, *(part.parent for part in sorted(drive.glob("*/partition")))]
    users = [*_mounts(parts, root), *_swaps(parts, root), *_holders(parts)]
    return DriveFacts(
        path,
        regular=False,
        in_use=tuple(users),
        removable=_removable(drive),
        partition_of=f"/dev/{whole}" if whole else None,
        model=_line(drive / "device/model") or _line(drive / "device/name"),
    )


def _removable(drive: Path) -> bool:
    """Return whether a drive is a card or a stick; a built-in reader only says that it is SD."""
    in_slot = _line(drive / "device/type") == "SD"
    return in_slot or _line(drive / "removable") == "1" or "/usb" in str(drive)


def _mounts(parts: list[Path], root: Path) -> Iterator[str]:
    # Device numbers, because a drive has many names: links by id, by label, by path.
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
    """Ask ``mount`` on other systems; where it cannot be asked, nothing is known."""
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
