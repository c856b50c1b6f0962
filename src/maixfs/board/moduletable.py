"""The modules that a script can import without a file, and how each is made from a runtime."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from maixfs.board.importer import Importer
from maixfs.board.modules import machine, plain, system
from maixfs.board.modules.formats import ujson, ustruct
from maixfs.board.modules.kit import Late, make_module
from maixfs.board.modules.streams import uio
from maixfs.board.runtime import Runtime
from maixfs.vfs import VfsSpiffs

Factory = Callable[[], ModuleType]

_PLAIN: dict[str, Factory] = {
    "array": plain.uarray,
    "cmath": plain.ucmath,
    "math": plain.umath,
    "ubinascii": plain.ubinascii,
    "ucollections": plain.ucollections,
    "uerrno": plain.uerrno,
    "uhashlib": plain.uhashlib,
    "uheapq": plain.uheapq,
    "ujson": ujson,
    "urandom": plain.urandom,
    "ure": plain.ure,
    "ustruct": ustruct,
    "uzlib": plain.uzlib,
}


def module_factories(runtime: Runtime, importer: Importer) -> dict[str, Factory]:
    """Return a factory for each built-in module; a factory makes its module once and keeps it."""
    heap, console = runtime.freq.gc_heap_size, runtime.console
    unique_id = runtime.hardware.config.unique_id

    def time() -> ModuleType:
        return system.utime(runtime.clock, runtime.rtc, runtime.freq.freq_cpu)

    own: dict[str, Factory] = {
        "KPU": lambda: _kpu(runtime),
        "Maix": lambda: _maix(runtime),
        "_thread": lambda: _threads(runtime),
        "builtins": lambda: make_module("builtins", runtime.namespace),
        "gc": lambda: system.ugc(heap, runtime.collect),
        "machine": lambda: machine.umachine(
            unique_id, runtime.cause, runtime.power, _sdcard(runtime)
        ),
        "micropython": lambda: system.umicropython(console, heap),
        "sys": lambda: system.usys(console, runtime.path, importer.loaded, runtime.is_script),
        "uio": lambda: uio(runtime.open),
        "uos": lambda: system.uos_module(
            runtime.uos, VfsFat=Late(lambda: runtime.fat), VfsSpiffs=_vfs_spiffs(runtime)
        ),
        "utime": time,
    }
    factories = {name: cache(factory) for name, factory in (_PLAIN | own).items()}
    # Not a weak link: the firmware never looks for a file time.py.
    factories["time"] = factories["utime"]
    return dict(factories)


def _threads(runtime: Runtime) -> ModuleType:
    from maixfs.board.modules.threads import Threads, uthread

    runtime.threads = Threads(
        runtime.power, runtime.console, runtime.is_script, runtime.script_errors
    )
    return uthread(runtime.threads)


def _vfs_spiffs(runtime: Runtime) -> type[VfsSpiffs]:
    """Return ``uos.VfsSpiffs``: its volumes print on the console and report quirks."""

    class ProgramVolume(VfsSpiffs):
        def __init__(self, flash: Any, /) -> None:
            on_quirk = runtime.hardware.report.quirk
            super().__init__(flash, on_quirk, on_message=runtime.console.print)

    ProgramVolume.__name__ = ProgramVolume.__qualname__ = VfsSpiffs.__name__
    ProgramVolume.__module__ = "builtins"
    return ProgramVolume


def _sdcard(runtime: Runtime) -> type:
    on_quirk = runtime.hardware.report.quirk
    return machine.sdcard_type(runtime.card_port, runtime.mount_card, on_quirk)


def _kpu(runtime: Runtime) -> ModuleType:
    from maixfs.board.kpu import module as kpu
    from maixfs.board.kpu.loading import Loader, ModelStore

    hardware, console, power = runtime.hardware, runtime.console, runtime.power
    runtime.models = store = ModelStore(runtime.memory)
    loader = Loader(
        runtime.raw_flash,
        runtime.vfs,
        store,
        v4_support=hardware.config.kmodel_v4,
        cpu_hz=runtime.freq.freq_cpu,
    )
    models = kpu.Models(
        loader, store, console, power, hardware.storage_time, hardware.model_loads.append
    )
    tools = kpu.Tools(console, runtime.memory, runtime.freq.gc_heap_size)
    return kpu.ukpu(models, kpu.Tasks(console, power), tools)


def _maix(runtime: Runtime) -> ModuleType:
    heap = runtime.freq.gc_heap_size
    utils = machine.Utils(runtime.raw_flash, runtime.freq_file, heap, runtime.memory)
    freq = machine.Freq(runtime.console, runtime.freq_file, runtime.freq, runtime.power)
    return machine.umaix(utils, freq, runtime.maix_config)
