"""A MicroPython program on CPython: its ``uos``, ``open`` and ``import`` go through a ``Vfs``.

Just enough of the unix port that the golden answers were recorded on; the board's own runner is
another thing.
"""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any, NamedTuple

from maixfs.vfs import FatOptions, ImportStat, Vfs, fat_class, without_errno_attribute

CALLS = ["chdir", "getcwd", "ilistdir", "listdir", "mkdir", "mount", "remove", "rename"]
CALLS += ["rmdir", "stat", "statvfs", "umount"]
HOST_MODULES = {"array", "gc", "io", "json", "struct", "time"}


class Outcome(NamedTuple):
    """What a step did: a value as MicroPython prints it, or an exception's name and number."""

    value: str | None = None
    type: str | None = None
    error: str | None = None
    errno: int | None = None


class HostRoot:
    """What the unix port has mounted on ``/`` before a program starts."""

    def mount(self, readonly: bool, mkfs: bool) -> None:
        pass

    def umount(self) -> None:
        pass


class Program:
    """One fresh interpreter."""

    def __init__(self, profile: str, images: dict[str, Any]) -> None:
        self.vfs_fat = fat_class(FatOptions(profile))
        self.vfs = Vfs(profile, block_driver=self.vfs_fat)
        self.vfs.attach(HostRoot(), "/")
        self.modules = {"sys": ModuleType("sys"), "uos": self._uos()}
        self.modules["os"] = self.modules["uos"]
        vars(self.modules["sys"]).update(path=[""], modules=self.modules)
        self.builtins = vars(builtins) | {
            "open": self.vfs.open,
            "iter": iterate,
            "__import__": self._import,
        }
        self.globals: dict[str, Any] = {"__name__": "__main__", "__builtins__": self.builtins}
        self.globals |= {f"IMG_{name}": image for name, image in images.items()}

    def _uos(self) -> ModuleType:
        module = ModuleType("uos")
        for name in CALLS:
            setattr(module, name, getattr(self.vfs, name))
        # Only the unix port has unlink.
        vars(module).update(unlink=self.vfs.remove, VfsFat=self.vfs_fat)
        return module

    def run(self, code: str) -> None:
        """Run statements."""
        with self._attributes():
            exec(compile(code, "<step>", "exec"), self.globals)

    def step(self, kind: str, code: str) -> Outcome:
        """Run a statement or evaluate an expression."""
        try:
            if kind == "stmt":
                self.run(code)
                return Outcome()
            with self._attributes():
                value = eval(code, self.globals)
        except Exception as error:
            number = error.args[0] if isinstance(error, OSError) else None
            return Outcome(error=type(error).__name__, errno=number)
        return Outcome(shown(value), type(value).__name__)

    def _attributes(self) -> AbstractContextManager[None]:
        hidden = not self.vfs.profile.has_errno_attribute
        return without_errno_attribute() if hidden else nullcontext()

    def _import(
        self,
        name: str,
        globals: Any = None,
        locals: Any = None,
        fromlist: Any = (),
        level: int = 0,
    ) -> ModuleType:
        if name in HOST_MODULES:
            return importlib.import_module(name)
        first = module = self._load(name.partition(".")[0], self.modules["sys"].path)
        for end in (at for at, letter in enumerate(name + ".") if letter == "." and at):
            whole, _, short = name[:end].rpartition(".")
            if whole:
                module = self._load(short, [first_path(module)], f"{whole}.")
                setattr(self.modules[whole], short, module)
        return module if fromlist else first

    def _load(self, name: str, folders: list[str], package: str = "") -> ModuleType:
        if package + name in self.modules:
            return self.modules[package + name]
        for folder in folders:
            path = f"{folder}/{name}" if folder else name
            if self.vfs.import_stat(path) is ImportStat.DIRECTORY:
                return self._execute(package + name, f"{path}/__init__.py", path)
            if self.vfs.import_stat(f"{path}.py") is ImportStat.FILE:
                return self._execute(package + name, f"{path}.py")
        raise ImportError(f"no module named '{package}{name}'")

    def _execute(self, name: str, path: str, folder: str | None = None) -> ModuleType:
        module = ModuleType(name)
        vars(module).update(__file__=path, __builtins__=self.builtins)
        if folder is not None:
            vars(module).update(__path__=folder)
        with self.vfs.open(path) as source:
            code = compile(source.read(), path, "exec")
        self.modules[name] = module
        exec(code, vars(module))
        return module


def iterate(iterable: Any, /) -> Iterator[Any]:
    """Return an iterator; MicroPython knows no callable with a sentinel here."""
    return iter(iterable)


def first_path(package: ModuleType) -> str:
    """Return where a package's modules lie: MicroPython's ``__path__`` is one string."""
    return str(package.__path__)


def shown(value: Any) -> str:
    """Return ``repr(value)`` as MicroPython prints it: ASCII, and one-tuples of exceptions."""
    if type(value) is list:
        return f"[{', '.join(map(shown, value))}]"
    if type(value) is tuple:
        return f"({', '.join(map(shown, value))}{',' if len(value) == 1 else ''})"
    if type(value) is dict:
        return f"{{{', '.join(pairs(value))}}}"
    if isinstance(value, BaseException) and not isinstance(value, OSError):
        return f"{type(value).__name__}{shown(value.args)}"
    return ascii(value)


def pairs(value: dict[Any, Any]) -> Iterator[str]:
    """Yield the entries of a dict as ``shown`` prints them."""
    for key, item in value.items():
        yield f"{shown(key)}: {shown(item)}"
