"""Which slot of a directory has a name; where several have it, the first of them counts."""

from __future__ import annotations

from typing import Generic, TypeVar

_Name = TypeVar("_Name", str, bytes)


class NameIndex(Generic[_Name]):
    """Slots by name. Names that are there twice, as on damaged cards, are kept apart."""

    __slots__ = ("_others", "first")

    def __init__(self) -> None:
        self.first: dict[_Name, int] = {}
        self._others: dict[_Name, list[int]] = {}

    def add(self, name: _Name, slot: int) -> None:
        """Note that ``slot`` has ``name``."""
        known = self.first.setdefault(name, slot)
        if known != slot:
            self.first[name] = min(known, slot)
            self._others.setdefault(name, []).append(max(known, slot))

    def add_all(self, names: list[_Name], slots: list[int]) -> None:
        """Note the names of many slots; they are new in all likelihood."""
        known = self.first
        new = dict(zip(names, slots, strict=True))
        if len(new) == len(slots) and known.keys().isdisjoint(new):
            known.update(new)
            return
        for name, slot in zip(names, slots, strict=True):
            self.add(name, slot)

    def take_out(self, name: _Name, slot: int) -> None:
        """Note that ``slot`` does not have ``name`` any more."""
        others = self._others.get(name)
        if others is None:
            del self.first[name]
            return
        if slot == self.first[name]:
            slot = self.first[name] = min(others)
        others.remove(slot)
        if not others:
            del self._others[name]
