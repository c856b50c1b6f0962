"""Runs the script of a golden SPIFFS case (tests/data/README.md)."""

from __future__ import annotations

import contextlib
import os

from golden.corpus import Operation, SpiffsCase, source_bytes, stored_name
from maixfs.nor import NorDevice
from maixfs.spiffs import Descriptor, OpenFlag, SpiffsCore, SpiffsError

_LETTERS = {
    "r": OpenFlag.RDONLY,
    "w": OpenFlag.WRONLY,
    "c": OpenFlag.CREAT,
    "t": OpenFlag.TRUNC,
    "a": OpenFlag.APPEND,
    "x": OpenFlag.EXCL,
    "d": OpenFlag.DIRECT,
}
_MODE_LETTERS = {
    "r": OpenFlag.RDONLY,
    "w": OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.TRUNC,
    "x": OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.TRUNC,
    "a": OpenFlag.RDWR | OpenFlag.APPEND,
    "+": OpenFlag.RDWR,
}
_WHENCE = {"set": os.SEEK_SET, "cur": os.SEEK_CUR, "end": os.SEEK_END}
_NEW = OpenFlag.CREAT | OpenFlag.TRUNC | OpenFlag.RDWR


def replay(case: SpiffsCase, device: NorDevice) -> dict[int, int]:
    """Format ``device``, run the script, unmount; returns what each line gave."""
    return _Replay(case, device).run()


class _Replay:
    def __init__(self, case: SpiffsCase, device: NorDevice) -> None:
        self.case = case
        self.device = device
        self.slots: dict[str, Descriptor] = {}
        SpiffsCore.format(device, case.geometry)
        self.fs = self._mount()

    def _mount(self) -> SpiffsCore:
        config = self.case.manifest["config"]
        return SpiffsCore(
            self.device,
            self.case.geometry,
            faithful=True,
            max_files=config["fd_count"],
            cache_pages=config["cache_pages"],
        )

    def run(self) -> dict[int, int]:
        results = {}
        for operation in self.case.operations:
            if operation.word == "abort":
                return results
            results[operation.line] = self._step(operation)
        self.fs.unmount()
        return {line: result for line, result in results.items() if line in self.case.results}

    def _step(self, operation: Operation) -> int:
        try:
            result = getattr(self, f"do_{operation.word}")(*operation.arguments)
        except SpiffsError as error:
            return int(error.code)
        return int(result or 0)

    def _write(self, file: Descriptor, source: str, chunk: str = "0") -> int:
        data = source_bytes(source)
        step = int(chunk) or max(len(data), 1)
        return sum(file.write(data[at : at + step]) for at in range(0, max(len(data), 1), step))

    def _open_write_close(
        self, name: str, flags: OpenFlag, source: str, chunk: str, offset: str = "0"
    ) -> int:
        file = self.fs.open_descriptor(stored_name(name), flags)
        try:
            if offset != "0":
                file.seek(int(offset))
            written = self._write(file, source, chunk)
        except SpiffsError:
            self._close_after_error(file)
            raise
        file.close()
        return written

    def _close_after_error(self, file: Descriptor) -> None:
        with contextlib.suppress(SpiffsError):  # the script reports the first error
            file.close()

    def do_put(self, name: str, source: str, chunk: str = "0") -> int:
        return self._open_write_close(name, _NEW, source, chunk)

    def do_append(self, name: str, source: str, chunk: str = "0") -> int:
        flags = OpenFlag.CREAT | OpenFlag.APPEND | OpenFlag.RDWR
        return self._open_write_close(name, flags, source, chunk)

    def do_pwrite(self, name: str, offset: str, source: str, chunk: str = "0") -> int:
        return self._open_write_close(name, OpenFlag.RDWR, source, chunk, offset)

    def do_trunc(self, name: str, size: str) -> None:
        file = self.fs.open_descriptor(stored_name(name), OpenFlag.RDWR)
        file.truncate(int(size))
        file.close()

    def do_rm(self, name: str) -> None:
        self.fs.remove(stored_name(name))

    def do_rename(self, old: str, new: str) -> None:
        self.fs.rename(stored_name(old), stored_name(new))

    def do_creat(self, name: str) -> None:
        self.fs.create(stored_name(name))

    def do_cat(self, name: str) -> None:
        with self.fs.open_descriptor(stored_name(name), OpenFlag.RDONLY) as file:
            file.read()

    def do_open(self, slot: str, name: str, flags: str) -> int:
        table, letters = _LETTERS, flags
        if flags.startswith("mode:"):
            table, letters = _MODE_LETTERS, flags[5:]
        value = OpenFlag(0)
        for letter in letters:
            value |= table.get(letter, OpenFlag(0))
        file = self.slots[slot] = self.fs.open_descriptor(stored_name(name), value)
        return file.number

    def do_write(self, slot: str, source: str, chunk: str = "0") -> int:
        return self._write(self.slots[slot], source, chunk)

    def do_seek(self, slot: str, offset: str, whence: str = "set") -> int:
        return self.slots[slot].seek(int(offset), _WHENCE[whence])

    def do_flush(self, slot: str) -> int:
        """Return what the C's flush does: the length of the write it made."""
        file = self.slots[slot]
        before = file.size
        file.flush()
        return file.size - before

    def do_close(self, slot: str) -> None:
        self.slots[slot].close()

    def do_remount(self) -> None:
        self.fs.unmount()
        self.fs = self._mount()
