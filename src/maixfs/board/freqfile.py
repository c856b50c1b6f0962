"""``/freq.conf`` in the file system: read and written below the VFS, as the firmware does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from maixfs.firmware import FreqConf, freqconf
from maixfs.host.interrupts import held
from maixfs.spiffs import OpenFlag, SpiffsCore, SpiffsError


class FreqFile:
    """The file on the board's SPIFFS; ``say`` takes what the firmware prints about it."""

    def __init__(
        self, fs: Callable[[], SpiffsCore], default: FreqConf, say: Callable[[str], object]
    ) -> None:
        self._fs = fs
        self._default = default
        self._say = say

    def load(self) -> FreqConf:
        """Return what the file says; write it with the defaults where it cannot be opened."""
        with held():
            try:
                descriptor = self._fs().open_descriptor(freqconf.NAME, OpenFlag.RDONLY)
            except SpiffsError:
                self.save(self._default)
                return self._default
            try:
                data = descriptor.read(FreqConf.size)
            except SpiffsError:
                data = b""
            descriptor.close()
        if not data:
            self._say("maixpy can't load freq.conf\t\r\n")
            return self._default
        return FreqConf.load(data, self._default)

    def save(self, config: FreqConf) -> bool:
        """Write the record over the file's first bytes; tell whether it went in.

        Whether its last page reached the flash shows only when the file is closed, and the
        firmware does not look at that.
        """
        flags = OpenFlag.WRONLY | OpenFlag.CREAT
        with held():
            try:
                descriptor = self._fs().open_descriptor(freqconf.NAME, flags)
            except SpiffsError:
                return False
            try:
                descriptor.write(config.pack())
            except SpiffsError:
                return False
            finally:
                with suppress(SpiffsError):
                    descriptor.close()
        return True
