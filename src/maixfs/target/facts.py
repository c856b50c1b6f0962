"""A report as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator

from maixfs.target.records import Kind
from maixfs.target.report import Counts, Fact, Report

_KIB = 1024
_MIB = 1024 * 1024


def facts_of(report: Report) -> list[Fact]:
    """Return the lines of ``info``: label, value, and what else there is to say."""
    return [*_what(report), *_format(report), *_use(report), *_health(report)]


def _what(report: Report) -> Iterator[Fact]:
    yield Fact("kind", str(report.kind), report.host)
    board = report.board
    yield Fact("size", _size(report.size), board.part if board else "")
    if board is not None:
        yield Fact("driver", board.driver, f"profile {board.profile}")
        if board.holder is not None:
            who = f"process {board.holder}" if board.holder else "another process"
            yield Fact("powered on", who, "this is a copy of what its flash held just now")
    if report.kind is not Kind.SPIFFS_IMAGE:
        yield _firmware(report)


def _firmware(report: Report) -> Fact:
    firmware = report.firmware
    if firmware is None:
        value = "none at 0x0"
    else:
        value = f"{_size(firmware.size)} at 0x0"
        value += ", SHA-256 right" if firmware.intact else ", SHA-256 wrong: it will not start"
        value += ", encrypted" if firmware.encrypted else ""
        value += f", {firmware.loader}" if firmware.loader else ""
    return Fact("firmware", value, f"{_size(report.written_outside)} outside of SPIFFS not blank")


def _format(report: Report) -> Iterator[Fact]:
    geometry = report.geometry
    end = geometry.base + geometry.size
    yield Fact("SPIFFS", f"{geometry.base:#x}-{end:#x}", f"at {report.mount_point}")
    how = "given" if report.board is None else "as in board.toml"
    if report.confidence is not None:
        how = f"found, {int(report.confidence * 100)}% sure"
    value = (
        f"block {_size(geometry.block_size)}, page {geometry.page_size} bytes,"
        f" names {geometry.name_length - 1} bytes, meta {geometry.meta_length}"
    )
    yield Fact("geometry", value, f"{report.preset}, {how}" if report.preset else how)
    yield Fact("mkspiffs", geometry.mkspiffs_flags())
    yield Fact("spiffsgen", geometry.spiffsgen_flags())


def _use(report: Report) -> Iterator[Fact]:
    room = report.room
    for label, size, pages in (
        ("used", room.used, room.used_pages),
        ("deleted", room.deleted, room.deleted_pages),
        ("free", room.free, room.free_pages),
    ):
        share = pages / room.total_pages if room.total_pages else 0
        yield Fact(label, _size(size), f"{pages} of {room.total_pages} pages, {share:.0%}")
    yield Fact("files", str(room.files), f"{room.spare_blocks} blocks empty")
    if report.block_erases is not None:
        yield Fact("block erases", _erases(report.block_erases), "counted by SPIFFS")
    if report.sector_erases is not None:
        yield Fact("sector erases", _erases(report.sector_erases), "counted by this board")


def _health(report: Report) -> Iterator[Fact]:
    problems = sum(finding.is_problem for finding in report.findings)
    yield Fact(
        "health", f"{problems} problems" if problems > 1 else "1 problem" if problems else "ok"
    )
    for finding in report.findings:
        label = "problem" if finding.is_problem else "note"
        where = "" if finding.address is None else f" (at {finding.address:#x})"
        yield Fact(label, finding.message + where, finding.hint or "")


def _erases(counts: Counts) -> str:
    return f"{counts.least} to {counts.most}, mean {counts.mean:.1f}"


def _size(size: int) -> str:
    if size >= _MIB:
        return f"{size / _MIB:.1f} MiB"
    return f"{size / _KIB:.1f} KiB" if size >= _KIB else f"{size} bytes"
