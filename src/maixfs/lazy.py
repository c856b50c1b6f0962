"""Packages whose names are loaded when they are first used, so that a command starts quickly."""

from __future__ import annotations

TYPE_CHECKING = False  # as the type checker knows it; typing itself takes time to import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_names(package: str, modules: Mapping[str, tuple[str, ...]]) -> Callable[[str], object]:
    """Return a ``__getattr__`` for ``package``: ``modules`` maps modules to names.

    A module is named within the package or, where it starts with ``maixfs.``, absolutely.

    A name is loaded with its module and stays in the package afterwards.
    """
    homes = {name: module for module, names in modules.items() for name in names}

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        import sys
        from importlib import import_module

        module = homes[name] if homes[name].startswith("maixfs.") else f"{package}.{homes[name]}"
        value: object = getattr(import_module(module), name)
        setattr(sys.modules[package], name, value)
        return value

    return find
