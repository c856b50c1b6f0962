"""Which names a script can import, and what each is."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from maixfs.board.modules import maix, plain, uos
from maixfs.board.modules.interpreter import ugc, umicropython
from maixfs.board.modules.kit import Late, make_module
from maixfs.board.modules.machine import machine
from maixfs.board.modules.ucollections import ucollections
from maixfs.board.modules.uio import uio
from maixfs.board.modules.ujson import ujson
from maixfs.board.modules.urandom import urandom
from maixfs.board.modules.ustruct import ustruct
from maixfs.board.modules.usys import usys
from maixfs.board.modules.utime import utime
from maixfs.vfs import VfsSpiffs

if TYPE_CHECKING:
    from maixfs.board.importer import Importer
    from maixfs.board.runtime import Runtime

Factory = Callable[[], ModuleType]

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
"""Second names, for which a file of that name may stand in.

``io`` and ``usys`` came with later MicroPythons; they are here so that scripts written for both
run.
"""

_PLAIN: dict[str, Factory] = {
    "array": plain.uarray,
    "cmath": plain.ucmath,
    "math": plain.umath,
    "ubinascii": plain.ubinascii,
    "ucollections": ucollections,
    "uerrno": plain.uerrno,
    "uhashlib": plain.uhashlib,
    "uheapq": plain.uheapq,
    "ujson": ujson,
    "urandom": urandom,
    "ure": plain.ure,
    "ustruct": ustruct,
    "uzlib": plain.uzlib,
}


def module_factories(runtime: Runtime, importer: Importer) -> dict[str, Factory]:
    """Return what makes each built-in module; one is made when it is first imported."""
    heap, console = runtime.freq.gc_heap_size, runtime.console
    unique_id = runtime.hardware.config.unique_id

    def time() -> ModuleType:
        return utime(runtime.clock, runtime.rtc, runtime.freq.freq_cpu)

    own: dict[str, Factory] = {
        "KPU": lambda: _kpu(runtime),
        "Maix": lambda: _maix(runtime),
        "_thread": lambda: _threads(runtime),
        "builtins": lambda: make_module("builtins", runtime.namespace),
        "gc": lambda: ugc(heap, runtime.collect),
        "machine": lambda: machine(unique_id, runtime.cause, runtime.power, _sdcard(runtime)),
        "micropython": lambda: umicropython(console, heap),
        "sys": lambda: usys(console, runtime.path, importer.loaded, runtime.is_script),
        "uio": lambda: uio(runtime.open),
        "uos": lambda: uos.module_of(
            runtime.uos, VfsFat=Late(lambda: runtime.fat), VfsSpiffs=_vfs_spiffs(runtime)
        ),
        "utime": time,
    }
    made = {name: cache(factory) for name, factory in (_PLAIN | own).items()}
    made["time"] = made["utime"]  # no weak link: a file time.py is never found
    return dict(made)


def _threads(runtime: Runtime) -> ModuleType:
    from maixfs.board.modules.threads import Threads, uthread

    runtime.threads = Threads(
        runtime.power, runtime.console, runtime.is_script, runtime.script_errors
    )
    return uthread(runtime.threads)


def _vfs_spiffs(runtime: Runtime) -> type[VfsSpiffs]:
    """Return the class as a program makes volumes with it: they speak on the board's console."""

    class OwnVolume(VfsSpiffs):
        def __init__(self, flash: Any, /) -> None:
            report, say = runtime.hardware.report.quirk, runtime.console.print
            super().__init__(flash, report, on_message=say)

    OwnVolume.__name__ = OwnVolume.__qualname__ = VfsSpiffs.__name__
    OwnVolume.__module__ = "builtins"
    return OwnVolume


def _sdcard(runtime: Runtime) -> type:
    from maixfs.board.modules.sdcard import sdcard_type

    report = runtime.hardware.report.quirk
    return sdcard_type(runtime.card_port, runtime.mount_card, report)


def _kpu(runtime: Runtime) -> ModuleType:
    from maixfs.board.kpu.loading import Loader
    from maixfs.board.kpu.store import ModelStore
    from maixfs.board.modules import kpu

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
    figures = kpu.Figures(console, runtime.memory, runtime.freq.gc_heap_size)
    return kpu.kpu(models, kpu.Tasks(console, power), figures)


def _maix(runtime: Runtime) -> ModuleType:
    heap = runtime.freq.gc_heap_size
    utils = maix.Utils(runtime.raw_flash, runtime.freq_file, heap, runtime.memory)
    freq = maix.Freq(runtime.console, runtime.freq_file, runtime.freq, runtime.power)
    return maix.maix(utils, freq, runtime.maix_config)
