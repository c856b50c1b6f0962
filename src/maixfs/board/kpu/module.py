"""``KPU``: load models and inspect them; running a model needs a real board."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NoReturn, Protocol

from maixfs.board.clocks import ModelLoad, StorageTime
from maixfs.board.console import Console
from maixfs.board.firmware import SystemMemory
from maixfs.board.kpu.loading import Handle, Loader, Loading, ModelStore
from maixfs.board.kpu.model import LayerInfo, LoadedModel, layers_of, set_output, take_layers
from maixfs.board.modules.kit import items_of, machine_int, make_module, public, single
from maixfs.board.power import Power

# Face features

MOST_FEATURES = 512
_LIMIT = 0.25
_SCALE = 512


def encode_features(features: Sequence[float]) -> bytearray:
    """Return each number from -0.25 to 0.25 in a byte, 512 to 1; a full 0.25 turns negative."""
    return bytearray(
        int(min(max(value, -_LIMIT), _LIMIT) * _SCALE) & 0xFF for value in map(_number, features)
    )


def compare_features(one: bytes, other: bytes) -> float:
    """Return 0 to 100: the cosine of the angle between two features, 50 for a right angle."""
    first, second = memoryview(one).cast("b"), memoryview(other).cast("b")
    product = sum(a * b for a, b in zip(first, second, strict=True))
    lengths = sum(a * a for a in first) * sum(b * b for b in second)
    if not lengths:
        return math.nan
    return single((single(product) * 0.5 / math.sqrt(lengths) + 0.5) * 100)


def _number(value: float) -> float:
    """As ``fmax`` and ``fmin`` have it, no number is the lower limit."""
    return -_LIMIT if math.isnan(value) else value


# Arguments of YOLO

_MOST_TEXT = 299
"""Characters of the anchors that the firmware's buffer holds."""


class YoloArguments:
    """Thresholds from 0 to 1 and pairs of anchors; each value is a method, as on a board."""

    __slots__ = ("_anchors", "_nms_value", "_threshold")

    def __init__(self, threshold: float, nms_value: float, anchors: Sequence[float]) -> None:
        self._threshold = threshold
        self._nms_value = nms_value
        self._anchors = tuple(anchors)

    def threshold(self) -> float:
        """Return how sure a find must be."""
        return self._threshold

    def nms_value(self) -> float:
        """Return how far two finds may overlap."""
        return self._nms_value

    def anchor_number(self) -> int:
        """Return the number of pairs."""
        return len(self._anchors) // 2

    def anchor(self) -> tuple[float, ...]:
        """Return the anchors."""
        return self._anchors

    def printed(self) -> str:
        """Return what is printed of it."""
        anchors = ", ".join(f"{value:f}" for value in self._anchors)[:_MOST_TEXT]
        return (
            f'{{"threshold":{self._threshold:f}, "nms_value":{self._nms_value:f}, '
            f'"anchor_number":{self.anchor_number()}, "anchor":"({anchors})"}}'
        )

    def __repr__(self) -> str:
        return self.printed()


YoloArguments.__name__ = YoloArguments.__qualname__ = "kpu_yolo2"
YoloArguments.__module__ = "builtins"


# Tasks


class NetArguments(Protocol):
    """What ``kpu.init_yolo2`` leaves in a task."""

    def printed(self) -> str:
        """Return what the task prints of it."""


class Task:
    """A model that was loaded, by the flash address or the path that it came from.

    ``delete`` is called where a program calls ``__del__``.
    """

    __slots__ = (
        "__weakref__",
        "_address",
        "_arguments",
        "_delete",
        "_handle",
        "_layers",
        "_path",
        "_size",
    )

    def __init__(self, source: int | str, handle: Handle, delete: Callable[[Task], None]) -> None:
        self._address = source if isinstance(source, int) else None
        self._path = source if isinstance(source, str) else None
        self._arguments: NetArguments | None = None
        self._delete = delete
        self._handle = handle
        self._size = self._layers = 0

    def model_addr(self) -> int | None:
        """Return the flash address, ``None`` for a model from a file."""
        return self._address

    def model_size(self) -> int:
        """Return the bytes of the model."""
        return self._size

    def model_path(self) -> str | None:
        """Return the path, ``None`` for a model from raw flash."""
        return self._path

    def net_arg(self) -> NetArguments | None:
        """Return what ``kpu.init_yolo2`` was told."""
        return self._arguments

    def __getattr__(self, name: str) -> Any:
        # A program can call it; Python, which looks at the class, must not.
        if name == "__del__":
            return lambda: self._delete(self)
        raise AttributeError(f"'kpu_net' object has no attribute '{name}'")

    def __repr__(self) -> str:
        path = "(null)" if self._path is None else self._path
        arguments = '"(null)"' if self._arguments is None else self._arguments.printed()
        return (
            f'{{"model_addr": {self._address or 0}, "model_size": {self._size}, '
            f'"model_path": "{path}", "net_args": {arguments}}}'
        )


Task.__name__ = Task.__qualname__ = "kpu_net"
Task.__module__ = "builtins"


# The module

_SUFFIXES = (".kmodel", ".smodel", ".emodel")
_TASK_ERROR = "[MAIXPY]kpu: kpu_net type error"
_BYTE = 256


class Models:
    """Functions that load models and forget them.

    ``on_load`` hears of each model that was loaded, ``storage_time`` tells what that took.
    """

    def __init__(
        self,
        loader: Loader,
        store: ModelStore,
        console: Console,
        power: Power,
        storage_time: Callable[[], StorageTime],
        on_load: Callable[[ModelLoad], object],
    ) -> None:
        self._loader = loader
        self._store = store
        self._console = console
        self._power = power
        self._storage_time = storage_time
        self._on_load = on_load

    def load(self, model: Any, /, *_rest: object, **_named: object) -> Task:
        """Return the task of a model at a flash address or in a file.

        Raises ``ValueError`` with the firmware's number and words where it cannot be loaded.
        """
        if type(model) is int:
            address = _address(model)
            return self._loaded("load", model, lambda: self._loader.from_flash(address))
        if type(model) is not str:
            raise TypeError("[MAIXPY]kpu: only accept int or string")
        if not any(suffix in model for suffix in _SUFFIXES):
            raise ValueError("[MAIXPY]kpu: model format don't match, only supply .kmodel ")
        return self._loaded("load", model, lambda: self._loader.from_file(model))

    def load_flash(
        self,
        addr: Any,
        is_dual_buf: Any,
        batch_size: Any,
        spi_speed: Any,
        /,
        *_rest: object,
        **_named: object,
    ) -> Task:
        """Return the task of a model whose layers stay in flash, with each word reversed.

        Raises ``ValueError`` as ``load`` does.
        """
        if {type(addr), type(is_dual_buf), type(batch_size), type(spi_speed)} != {int}:
            self._unreachable()
            raise ValueError(
                "[MAIXPY]kpu: load_flash arg format error: "
                "task=kpu.load_flash(flash_addr, is_dual_buf, batch_size, spi_speed)"
            )
        machine_int(batch_size)
        dual, speed = bool(machine_int(is_dual_buf)), machine_int(spi_speed)
        address = _address(addr)
        return self._loaded(
            "load_flash",
            addr,
            lambda: self._loader.from_reversed(address, speed, dual_buffer=dual),
        )

    def deinit(self, task: Any, /, *_rest: object, **_named: object) -> bool:
        """Free a task's model; doing it twice is no error."""
        if not isinstance(task, Task):
            raise TypeError(_TASK_ERROR)
        self._store.drop(task._handle)
        task._arguments = None
        return True

    def _loaded(self, name: str, source: int | str, load: Callable[[], Loading]) -> Task:
        handle = Handle()
        task = Task(source, handle, self._delete)
        self._store.own(task, handle)
        before = self._storage_time()
        answer, data = load()
        self._console.write(answer.printed)
        if answer.crash is not None:
            self._power.crash(f"in kpu.{name}({source!r}) {answer.crash}")
        if not answer.loads:
            raise ValueError(answer.message.replace("load error", f"{name} error", 1))
        self._store.put(handle, answer, data)
        task._size, task._layers = answer.size, answer.layers
        self._on_load(ModelLoad(name, source, answer.size, self._storage_time().since(before)))
        return task

    def _delete(self, task: Task) -> None:
        """``__del__``, called by the garbage collector or a program."""
        self._console.write("kpu_net __del__\r\n")
        self.deinit(task)

    def _unreachable(self) -> None:
        """Leave an object that no program gets for the garbage collector to find."""
        handle = Handle()
        self._store.own(Task(0, handle, self._delete), handle)


class Tasks:
    """Functions that look at a task or set something in it, and those that would run it."""

    def __init__(self, console: Console, power: Power) -> None:
        self._console = console
        self._power = power

    def set_outputs(self, *args: Any, **_named: object) -> bool:
        """Tell the shape of an output of a v4 model: task, index, width, height, channels."""
        if len(args) < 4:
            missing = 4 - len(args)
            raise TypeError(f"function missing {missing} required positional arguments")
        task, *numbers = args[:5]
        whole = len(numbers) == 4 and all(type(number) is int for number in numbers)
        if not isinstance(task, Task) or not whole:
            raise ValueError(
                "[MAIXPY]kpu: set_outputs arg format error: "
                "set_outputs(task, int idx, int w, int h, int ch)"
            )
        index, width, height, channels = (machine_int(number) & 0xFFFF for number in numbers)
        model = self._model(task, "set_outputs")
        return set_output(model, index, (width, height, channels), self._console.write)

    def set_layers(self, task: Any, length: Any, /) -> bool:
        """Tell how many layers of a v3 model to run; 0 or less for all."""
        if not isinstance(task, Task):
            self._power.crash("kpu.set_layers does not look whether it was given a task")
        number = machine_int(length)
        most = task._layers
        if number > most:
            self._console.write(f"err: set layers_length to {number}, but max {most}\r\n")
            return False
        model = self._model(task, "set_layers")
        take_layers(model, number if number > 0 else most, self._console.write)
        return True

    def netinfo(self, task: Any, /) -> list[LayerInfo]:
        """Print the layers of a v3 model and return what is known of them."""
        if not isinstance(task, Task):
            self._power.crash("kpu.netinfo does not look whether it was given a task")
        model = task._handle.model
        if model is None or not model.layers:
            raise ValueError("get layer num error!")
        found = layers_of(model, self._console.write)
        if len(found) >= _BYTE:
            self._power.crash("kpu.netinfo counts layers in a byte and never comes to 256")
        return found

    def init_yolo2(
        self,
        kpu_net: Any,
        threshold: Any,
        nms_value: Any,
        anchor_number: Any,
        anchor: Any,
        /,
        dma: Any = -1,
    ) -> bool:
        """Leave what ``run_yolo2`` needs in a task: thresholds and pairs of anchors."""
        machine_int(dma)
        number = machine_int(anchor_number)
        if not isinstance(kpu_net, Task):
            raise TypeError(_TASK_ERROR)
        limits = _fraction("threshold", threshold), _fraction("nms_value", nms_value)
        if number <= 0:
            raise ValueError("[MAIXPY]kpu: anchor_number should > 0")
        items = items_of(anchor)
        if len(items) != 2 * number:
            length = len(items)
            raise ValueError(f"requested length {2 * number} but object has length {length}")
        anchors = [single(item) for item in items]
        if len(anchors) >= _BYTE:
            self._power.crash("kpu.init_yolo2 counts anchors in a byte and never comes to 256")
        kpu_net._arguments = YoloArguments(*limits, anchors)
        return True

    def forward(self, kpu_net: Any, *_rest: object, **_named: object) -> None:
        """Refuse; of what is no task the firmware makes ``None``."""
        if isinstance(kpu_net, Task):
            _runs_none("forward")

    def run_yolo2(self, kpu_net: Any, _image: object, /, *_rest: object, **_named: object) -> None:
        """Refuse."""
        if not isinstance(kpu_net, Task):
            raise TypeError(_TASK_ERROR)
        _runs_none("run_yolo2")

    def get_output(self, task: Any, index: Any, /, *_rest: object, **_named: object) -> None:
        """Refuse: there is an output only after a run."""
        if not isinstance(task, Task) or type(index) is not int:
            raise ValueError("[MAIXPY]kpu: get_output arg format error: get_output(task, int idx)")
        self._model(task, "get_output")
        _runs_none("get_output")

    def fmap(self, _fmap: object, _channel: object, /) -> None:
        """Refuse: feature maps come from a run."""
        _runs_none("fmap")

    def fmap_free(self, _fmap: object, /) -> None:
        """Do nothing, as the firmware."""

    def _model(self, task: Task, name: str) -> LoadedModel:
        model = task._handle.model
        if model is None:
            self._power.crash(f"kpu.{name} does not look whether its task was deinitialised")
        return model


class Classifier:
    """``kpu.classifier``: it learns by running a model."""

    def __new__(cls, *_args: object, **_named: object) -> NoReturn:
        """Refuse."""
        _runs_none("classifier")

    @staticmethod
    def load(*_args: object, **_named: object) -> None:
        """Refuse."""
        _runs_none("classifier.load")


class Figures:
    """Functions that need no model; ``heap`` is MicroPython's, in bytes."""

    def __init__(self, console: Console, memory: SystemMemory, heap: int) -> None:
        self._console = console
        self._memory = memory
        self._heap = heap

    def memtest(self) -> None:
        """Print how much memory is free."""
        self._console.write(
            f"###free gc heap memory : {self._heap // 1024} KB\r\n"
            f"###free sys heap memory: {self._memory.free // 1024} KB\r\n"
        )

    def face_encode(self, features: Any, /) -> bytearray:
        """Return the numbers of a face's feature in bytes."""
        items = items_of(features)
        if len(items) > MOST_FEATURES:
            raise ValueError("feature dim <=200\r\n")
        return encode_features([single(item) for item in items])

    def face_compare(self, one: Any, other: Any, /) -> float:
        """Return how alike two encoded features are, at most 100."""
        first, second = memoryview(one), memoryview(other)
        if first.nbytes != second.nbytes:
            raise ValueError("compare feature must in same dim!\r\n")
        return compare_features(first.tobytes(), second.tobytes())


def ukpu(models: Models, tasks: Tasks, figures: Figures) -> ModuleType:
    """Return the module; it calls itself by a name in small letters."""
    members = public(models) | public(tasks) | public(figures)
    module = make_module("KPU", {**members, "classifier": Classifier})
    module.__name__ = "kpu"
    return module


def _address(value: int) -> int:
    address = machine_int(value)
    if address <= 0:
        raise ValueError("[MAIXPY]kpu: model_addr must > 0 ")
    return address


def _fraction(name: str, value: Any) -> float:
    number = single(value)
    if not 0 <= number <= 1:
        raise ValueError(f"[MAIXPY]kpu: {name} only support 0 to 1")
    return number


def _runs_none(name: str) -> NoReturn:
    raise NotImplementedError(
        f"the virtual board runs no neural networks: use kpu.{name} on a real one"
    )
