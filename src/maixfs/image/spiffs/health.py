"""What is wrong with a file system, and what is merely worth knowing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from maixfs.image.entries import Finding
from maixfs.image.errors import rescue_of
from maixfs.spiffs.guard import leftover_pages, unregistered_pages

if TYPE_CHECKING:
    from maixfs.image.spiffsvolume import SpiffsVolume


def examine(target: SpiffsVolume) -> list[Finding]:
    """Return what there is to say, problems first."""
    if target.blank:
        text = "the file system is blank: the board formats it at its first start"
        return [Finding("blank", False, text, target.geometry.base)]
    found = [*_problems(target), *_remarks(target)]
    return sorted(found, key=lambda finding: not finding.is_problem)


def _problems(target: SpiffsVolume) -> Iterator[Finding]:
    geometry, fs = target.geometry, target.core
    rescue = rescue_of(target.host)
    if fs.aborted_block is not None:
        yield Finding(
            "aborted-erase",
            True,
            f"block {fs.aborted_block}: its erase was cut short",
            geometry.base + fs.aborted_block * geometry.block_size,
            "the board erases it again when it starts; no file lies in it",
        )
    names: dict[bytes, list[int]] = {}
    for entry in target.files():
        names.setdefault(entry.native.raw_name, []).append(entry.native.page)
        if entry.fault is not None:
            text = f"{entry.path} cannot be read: {entry.fault}"
            yield Finding(
                "unreadable", True, text, geometry.page_address(entry.native.page), rescue
            )
    for name, pages in names.items():
        if len(pages) > 1:
            text = f"{target.label(name)} has {len(pages)} headers, at pages {_series(pages)}"
            hint = "power was lost while it was rewritten; a board uses the first"
            yield Finding("two-headers", True, text, geometry.page_address(pages[1]), hint)
    for page, file in unregistered_pages(fs.volume).items():
        text = f"page {page} holds data of object {file.object_id}, but is not booked as its"
        address = geometry.page_address(page)
        yield Finding("not-booked", True, text, address, f"nothing may be written; {rescue}")


def _remarks(target: SpiffsVolume) -> Iterator[Finding]:
    room = target.room()
    if room.spare_blocks < 2:
        text = f"{room.spare_blocks} of the two spare blocks left: a board may find no room"
        hint = "remove files" if not room.deleted_pages else f"maixfs gc {target.host}"
        yield Finding("no-spare-blocks", False, text, hint=hint)
    for other in target.others:
        start, share = other.geometry.base, int(other.confidence * 100)
        text = f"another file system may lie here, {share} % sure"
        yield Finding("other-area", False, text, start, f"--base {start:#x} takes that one")
    odd = [entry for entry in target.files() if entry.native.raw_name[:1] != b"/"]
    if odd:
        text = f"{odd[0].path}: stored without a slash in front, so a board cannot open it"
        text += f" (nor {len(odd) - 1} others)" if odd[1:] else ""
        yield Finding("no-slash", False, text, target.geometry.page_address(odd[0].native.page))
    stale = len(leftover_pages(target.core.volume))
    if stale:
        text = f"{stale} free pages hold old bytes: deleted data can still be read from the chip"
        yield Finding("stale-pages", False, text)


def _series(pages: list[int]) -> str:
    return ", ".join(map(str, pages[:-1])) + f" and {pages[-1]}"
