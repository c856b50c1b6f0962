"""A driver in Python that records its calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maixfs.vfs import Vfs


class Recorder:
    """A driver that notes each call; ``fails`` holds the exception that a method raises."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.calls: list[tuple[Any, ...]] = []
        self.fails: dict[str, BaseException] = {}

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method not in {"mount", "umount", "chdir", "getcwd", "mkdir", "remove", "rename"} | {
            "rmdir",
            "stat",
            "statvfs",
            "ilistdir",
            "open",
        }:
            raise AttributeError(method)

        def call(*arguments: Any) -> Any:
            self.calls.append((method, *arguments))
            if method in self.fails:
                raise self.fails[method]
            return self.answer(method)

        return call

    def answer(self, method: str) -> Any:
        answers: dict[str, Any] = {
            "getcwd": "/cwd",
            "ilistdir": iter([(f"file{self.name}", 0x8000, 0, 5)]),
            "stat": (0x8000, 0, 0, 0, 0, 0, 5, 0, 0, 0),
            "open": "opened",
        }
        return answers.get(method)


def mounted(vfs: Vfs, path: Any = "/a", name: str = "") -> Recorder:
    driver = Recorder(name)
    vfs.mount(driver, path)
    driver.calls.clear()
    return driver
