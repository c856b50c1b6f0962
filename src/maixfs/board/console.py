"""Output and input: the serial console of the board, and remarks to its user."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

from maixfs.board.compiler import newer_syntax
from maixfs.board.power import Power
from maixfs.vfs.files import encode

# The console

Data = str | bytes | bytearray | memoryview


class Console:
    """Two text streams of the host that stand for the board's UART.

    Output is flushed at each end of line. Characters that the encoding of the host's stream
    lacks are written as escapes. ``check`` is called before each write and may raise. Writing
    raises ``BrokenPipeError`` if the reader has closed the stream.
    """

    def __init__(
        self,
        stdout: TextIO | None = None,
        stdin: TextIO | None = None,
        check: Callable[[], object] = lambda: None,
    ) -> None:
        self._stdout = stdout
        self._stdin = stdin
        self._check = check

    def under(self, power: Power) -> Console:
        """Return a console on the same streams that works only while ``power`` is on."""
        return Console(self._stdout, self._stdin, power.check)

    @property
    def output(self) -> TextIO:
        """The stream for output, by default the host's ``sys.stdout``."""
        return sys.stdout if self._stdout is None else self._stdout

    @property
    def input(self) -> TextIO:
        """The stream for input, by default the host's ``sys.stdin``."""
        return sys.stdin if self._stdin is None else self._stdin

    def print(self, text: str) -> None:
        """Send text."""
        self._write_text(text)

    def write(self, data: Data) -> int:
        """Send text or bytes; return the number of bytes (text counts as UTF-8)."""
        if isinstance(data, str):
            self._write_text(data)
            return len(encode(data))
        self._check()
        raw = bytes(data)
        binary = getattr(self.output, "buffer", None)
        if binary is None:
            self._write_text(raw.decode("utf-8", "backslashreplace"))
        else:
            # Text and bytes share the stream: the text layer must not hold older output back.
            self.output.flush()
            binary.write(raw)
            binary.flush()
        return len(raw)

    def _write_text(self, text: str) -> None:
        self._check()
        try:
            self.output.write(text)
        except UnicodeEncodeError:
            # A UART sends any bytes; a terminal with a small code page must not end the program.
            encoding = self.output.encoding or "ascii"
            self.output.write(text.encode(encoding, "backslashreplace").decode(encoding))
        if "\n" in text:
            self.output.flush()


class OutputStream:
    """``sys.stdout`` and ``sys.stderr`` of a script: both write to the same UART."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @property
    def buffer(self) -> OutputStream:
        """The same stream: it accepts bytes and text."""
        return self

    def write(self, data: Data, length: int | None = None) -> int:
        """Send ``data``, or its first ``length`` items; return the number of bytes."""
        return self._console.write(data if length is None else data[:length])


class InputStream:
    """``sys.stdin`` of a script; ``buffer`` gives the same input as bytes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @property
    def buffer(self) -> BytesInput:
        """The input as bytes."""
        return BytesInput(self._console)

    def read(self, size: int = -1) -> str:
        """Return up to ``size`` characters, by default everything up to the end."""
        return self._console.input.read(size)

    def readline(self, size: int = -1) -> str:
        """Return the next line, ``""`` at the end."""
        return self._console.input.readline(size)

    def readlines(self) -> list[str]:
        """Return all lines that follow."""
        return self._console.input.readlines()

    def readinto(self, target: bytearray | memoryview, size: int | None = None) -> int:
        """Fill ``target`` (or its first ``size`` bytes); return the number of bytes."""
        return self.buffer.readinto(target, size)


class BytesInput:
    """``sys.stdin.buffer``: the console's input as bytes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes."""
        binary = getattr(self._console.input, "buffer", None)
        if binary is not None:
            return bytes(binary.read(size))
        return encode(self._console.input.read(size))

    def readinto(self, target: bytearray | memoryview, size: int | None = None) -> int:
        """Fill ``target`` (or its first ``size`` bytes); return the number of bytes."""
        data = self.read(len(target) if size is None else min(size, len(target)))
        target[: len(data)] = data
        return len(data)


# Remarks to the user


class Reporter:
    """Messages to the user of the board, beside the console of its programs.

    ``stderr`` (by default the host's) receives remarks, and with ``explain`` each quirk of the
    firmware once. ``boot_log`` receives everything that the firmware prints before a script
    runs; without it, messages about the flash go to ``stderr`` and the others are dropped.
    """

    def __init__(
        self,
        stderr: TextIO | None = None,
        boot_log: TextIO | None = None,
        *,
        explain: bool = False,
    ) -> None:
        self._stderr = stderr
        self._boot_log = boot_log
        self._explain = explain
        self._explained: set[str] = set()

    def remark(self, text: str) -> None:
        """Write a message of maixfs, which a real board would not print."""
        (sys.stderr if self._stderr is None else self._stderr).write(f"maixfs: {text}\n")

    def trouble(self, text: str) -> None:
        """Write what the firmware prints about its flash; ``text`` ends with a newline."""
        (self._boot_log or self._stderr or sys.stderr).write(text)

    def boot(self, text: str) -> None:
        """Write what the firmware prints at each start."""
        if self._boot_log is not None:
            self._boot_log.write(text)

    def quirk(self, key: str, sentence: str) -> None:
        """Explain a behaviour of the firmware; each ``key`` once."""
        if self._explain and key not in self._explained:
            self._explained.add(key)
            self.remark(f"quirk: {sentence}")

    def syntax(self, source: bytes, name: str) -> None:
        """Explain syntax of a script that a real board refuses."""
        if self._explain:
            for sentence in newer_syntax(source):
                self.quirk(f"syntax {sentence}", f"{name}: {sentence}")
