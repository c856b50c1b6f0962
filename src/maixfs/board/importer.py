"""``import`` as in MicroPython 1.11: built-in modules, then ``sys.path``, then weak links."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

from maixfs.board.compiler import compile_script
from maixfs.tuples import NamedTuple
from maixfs.vfs import ImportStat

PATH_MAX = 128
"""Bytes of the firmware's buffer for a module's path (``MICROPY_ALLOC_PATH_MAX``)."""


WEAK_LINKS = {
    "binascii": "ubinascii",
    "collections": "ucollections",
    "errno": "uerrno",
    "hashlib": "uhashlib",
    "heapq": "uheapq",
    "io": "uio",
    "json": "ujson",
    "os": "uos",
    "random": "urandom",
    "re": "ure",
    "struct": "ustruct",
    "usys": "sys",
    "zlib": "uzlib",
}
"""Second names of modules; a file of that name takes precedence.

``io`` and ``usys`` are of later releases of MicroPython: scripts for both versions run.
"""


class ModuleFiles(NamedTuple):
    """The functions with which the importer reads the files of the board."""

    stat: Callable[[str], ImportStat]
    read: Callable[[str], bytes]


class Importer:
    """The board's ``__import__``; ``loaded`` is the script's ``sys.modules``.

    ``builtin`` modules are found before any file; ``weak`` ones (``os``, ``json``, ...) only if
    there is no file of that name. ``path`` is the script's ``sys.path``, ``namespace`` holds its
    built-in names.
    """

    def __init__(
        self,
        files: ModuleFiles,
        path: list[str],
        builtin: Mapping[str, Callable[[], ModuleType]],
        weak: Mapping[str, str],
        namespace: dict[str, Any],
    ) -> None:
        self.loaded: dict[str, ModuleType] = {}
        self._files = files
        self._path = path
        self._builtin = builtin
        self._weak = weak
        self._namespace = namespace

    def __call__(
        self,
        name: str,
        globals_: Mapping[str, Any] | None = None,
        _locals: object = None,
        names: Iterable[str] | None = None,
        level: int = 0,
    ) -> ModuleType:
        """Import ``name`` and return the module that the statement binds.

        Raises ``ImportError``, ``ValueError`` for a relative import outside a package, and
        whatever the module's own code raises.
        """
        full = _absolute(name, globals_ or {}, level) if level else name
        if not full:
            raise ImportError("no module named ''")
        # Built-in and loaded modules do not touch the file system, whatever sys.path says.
        module = self._known(full) or self._walk(full)
        if not names:
            return self._known(full.partition(".")[0]) or module
        for item in names:
            self._provide(module, item)
        return module

    def load_main(self, source: bytes, file_name: str) -> None:
        """Run ``source`` as ``__main__``; exceptions of the script pass through."""
        code = compile_script(source, file_name)
        exec(code, {"__name__": "__main__", "__builtins__": self._namespace})

    def names(self) -> set[str]:
        """Return the names of all modules that are not files."""
        return {*self._builtin, *self._weak}

    def builtin(self, name: str) -> ModuleType:
        """Return a built-in module; raises ``ImportError`` if there is none of that name."""
        module = self._known(self._weak.get(name, name))
        if module is None:
            raise ImportError(f"no module named '{name}'")
        return module

    def _known(self, name: str) -> ModuleType | None:
        if name in self.loaded:
            return self.loaded[name]
        factory = self._builtin.get(name)
        return factory() if factory else None

    def _walk(self, full: str) -> ModuleType:
        """Import each part of a dotted name; return the last one."""
        name, *rest = full.split(".")
        kind, path = self._search(name)
        module = self._part(name, kind, path, last=not rest)
        for depth, part in enumerate(rest, 1):
            name = f"{name}.{part}"
            kind, path = self._stat_module(f"{path}/{part}")
            outer, module = module, self._part(name, kind, path, last=depth == len(rest))
            setattr(outer, part, module)
        return module

    def _part(self, name: str, kind: ImportStat, path: str, *, last: bool) -> ModuleType:
        if kind is ImportStat.NONE:
            # A weak link is found last, and only as the whole name: "os.path" is no link.
            if last and name in self._weak:
                return self.builtin(name)
            raise ImportError(f"no module named '{name}'")
        return self._known(name) or self._load(name, kind, path)

    def _search(self, name: str) -> tuple[ImportStat, str]:
        """Return the first match for a module on ``sys.path``, and its path."""
        for entry in self._path or [""]:
            kind, path = self._stat_module(f"{entry}/{name}" if entry else name)
            if kind is not ImportStat.NONE:
                return kind, path
        return ImportStat.NONE, ""

    def _stat_module(self, path: str) -> tuple[ImportStat, str]:
        """Return what is at ``path``: a folder, ``path.py`` or ``path.mpy``."""
        if len(path.encode()) + len(".mpy") > PATH_MAX:
            raise RuntimeError  # as in the firmware, whose buffer has a fixed size
        if self._files.stat(path) is ImportStat.DIRECTORY:
            return ImportStat.DIRECTORY, path
        return self._stat_source(f"{path}.py")

    def _stat_source(self, path: str) -> tuple[ImportStat, str]:
        for candidate in (path, f"{path.removesuffix('.py')}.mpy"):
            if self._files.stat(candidate) is ImportStat.FILE:
                return ImportStat.FILE, candidate
        return ImportStat.NONE, path

    def _load(self, name: str, kind: ImportStat, path: str) -> ModuleType:
        """Create a module and run its file.

        As in the firmware, the module is registered before its code runs and stays registered if
        the code fails: the next import succeeds and gives an incomplete module.
        """
        module = ModuleType(name)
        module.__dict__["__builtins__"] = self._namespace
        self.loaded[name] = module
        source = path
        if kind is ImportStat.DIRECTORY:
            module.__dict__["__path__"] = path
            kind, source = self._stat_source(f"{path}/__init__.py")
        if kind is ImportStat.FILE:
            self._run(module, source)
        return module

    def _run(self, module: ModuleType, path: str) -> None:
        if path.endswith(".mpy"):
            raise ImportError(
                f"{path} is compiled for the processor of the board; use the .py file"
            )
        source = self._files.read(path)
        module.__file__ = path
        exec(compile_script(source, path), module.__dict__)

    def _provide(self, module: ModuleType, item: str) -> None:
        """Import the submodule ``item`` of a package unless the module has that name."""
        if item == "*" or hasattr(module, item):
            return
        if not hasattr(module, "__path__"):
            raise ImportError(f"cannot import name {item}")
        setattr(module, item, self(f"{module.__name__}.{item}", names=("*",)))


def _absolute(name: str, globals_: Mapping[str, Any], level: int) -> str:
    """Return the full name of a relative import in the module with these globals."""
    this = str(globals_.get("__name__", ""))
    parts = this.split(".") if this and this != "__main__" else []
    # In the __init__.py of a package one dot means the package itself.
    steps = level if "__path__" not in globals_ else level - 1
    base = parts[: len(parts) - steps] if steps <= len(parts) else []
    if not base:
        raise ValueError("cannot perform relative import")
    return ".".join([*base, name] if name else base)
