"""What ``import`` asks of a mounted driver before it opens anything."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import Any

_DIRECTORY = 0x4000


class ImportStat(Enum):
    """What lies at a path, as far as ``import`` cares."""

    NONE = "nothing"
    DIRECTORY = "a directory"
    FILE = "a file"


class NativeDriver(ABC):
    """Base of the firmware's own drivers: they answer ``import`` themselves, and their files
    are known to the garbage collector. Others are asked for ``stat``."""

    @abstractmethod
    def import_stat(self, path: str) -> ImportStat:
        """Tell what lies at ``path``, a path inside of this volume."""

    @abstractmethod
    def collect(self) -> int:
        """Close the files whose objects are gone; return how many there were."""


def import_stat(driver: Any, path: str) -> ImportStat:
    """Ask ``driver``; a ``stat`` that raises anything means that nothing is there."""
    if isinstance(driver, NativeDriver):
        return driver.import_stat(path)
    try:
        entry = driver.stat(path)
    except Exception:
        return ImportStat.NONE
    if len(entry) != 10:
        raise ValueError(f"requested length 10 but object has length {len(entry)}")
    return ImportStat.DIRECTORY if entry[0] & _DIRECTORY else ImportStat.FILE
