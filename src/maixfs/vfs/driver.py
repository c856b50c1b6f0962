"""The interface of the firmware's own drivers, and the one that ``import`` uses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import Any

from maixfs.errors import DeviceError

Stat = tuple[int, int, int, int, int, int, int, int, int, int]
"""The result of ``stat`` and ``statvfs``."""

S_IFDIR = 0x4000
"""The mode of a directory, the same on every port of MicroPython."""

S_IFREG = 0x8000
"""The mode of a file."""


class ImportStat(Enum):
    """The kind of a path, as ``import`` needs it."""

    NONE = "nothing"
    DIRECTORY = "a directory"
    FILE = "a file"


class NativeDriver(ABC):
    """Base of the firmware's own drivers.

    They answer ``import`` themselves, and the garbage collector knows their files. Drivers that
    a program wrote are asked by ``stat``.
    """

    @abstractmethod
    def import_stat(self, path: str) -> ImportStat:
        """Return the kind of ``path``, a path inside this volume."""

    @abstractmethod
    def collect(self) -> int:
        """Close the files whose objects are gone; return their number."""


def import_stat(driver: Any, path: str) -> ImportStat:
    """Return what ``import`` finds at ``path`` of ``driver``.

    Any exception of a program's ``stat`` means that nothing is there: MicroPython drops it. Only
    ``DeviceError`` passes.
    A result that is not a 10-tuple is a ``ValueError``.
    """
    if isinstance(driver, NativeDriver):
        return driver.import_stat(path)
    try:
        entry = driver.stat(path)
    except DeviceError:
        raise  # the chip or its host file failed: nothing that a program's stat could mean
    except Exception:  # resets and crashes of the board are not an Exception, and pass
        return ImportStat.NONE
    if len(entry) != 10:
        raise ValueError(f"requested length 10 but object has length {len(entry)}")
    return ImportStat.DIRECTORY if entry[0] & S_IFDIR else ImportStat.FILE
