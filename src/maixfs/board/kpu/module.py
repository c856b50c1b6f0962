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
    """Return numbers of -0.25 to 0.25 as bytes, in steps of 1/512; 0.25 itself wraps to -128."""
    return bytearray(
        int(min(max(value, -_LIMIT), _LIMIT) * _SCALE) & 0xFF for value in map(_number, features)
    )


def compare_features(feature: bytes, other: bytes) -> float:
    """Return the similarity of two features: 50 plus 50 times the cosine of their angle."""
    first, second = memoryview(feature).cast("b"), memoryview(other).cast("b")
    product = sum(a * b for a, b in zip(first, second, strict=True))
    lengths = sum(a * a for a in first) * sum(b * b for b in second)
    if not lengths:
        return math.nan
    return single((single(product) * 0.5 / math.sqrt(lengths) + 0.5) * 100)


def _number(value: float) -> float:
    """Return ``value``, for NaN the lower limit as ``fmax`` and ``fmin`` do."""
    return -_LIMIT if math.isnan(value) else value


# Arguments of YOLO

_MOST_TEXT = 299
"""Characters of the anchors that fit the firmware's buffer."""


class YoloArguments:
    """The arguments of ``kpu.init_yolo2``: thresholds of 0 to 1 and pairs of anchors."""

    __slots__ = ("_anchors", "_nms_value", "_threshold")

    def __init__(self, threshold: float, nms_value: float, anchors: Sequence[float]) -> None:
        self._threshold = threshold
        self._nms_value = nms_value
        self._anchors = tuple(anchors)

    def threshold(self) -> float:
        """Return the smallest confidence of a detection."""
        return self._threshold

    def nms_value(self) -> float:
        """Return the largest overlap of two detections."""
        return self._nms_value

    def anchor_number(self) -> int:
        """Return the number of pairs."""
        return len(self._anchors) // 2

    def anchor(self) -> tuple[float, ...]:
        """Return the anchors."""
        return self._anchors

    def printed(self) -> str:
        """Return the text that the firmware prints."""
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
    """The arguments that ``kpu.init_yolo2`` stores in a task."""

    def printed(self) -> str:
        """Return the text for ``print(task)``."""


class Task:
    """``kpu_net``, the object that ``kpu.load`` returns for a flash address or a path.

    ``delete`` is called if a program calls ``__del__``.
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
        """Return the size of the model in bytes."""
        return self._size

    def model_path(self) -> str | None:
        """Return the path, ``None`` for a model from raw flash."""
        return self._path

    def net_arg(self) -> NetArguments | None:
        """Return the arguments of ``kpu.init_yolo2``, ``None`` before that call."""
        return self._arguments

    def __getattr__(self, name: str) -> Any:
        # A program can call __del__. It is not in the class, where Python would call it too.
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
    """Functions that load and free models.

    ``on_load`` is called with each loaded model; ``storage_time`` returns the time so far.
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

        Raises ``ValueError`` with the firmware's number and text if it cannot be loaded.
        """
        # The firmware compares types exactly: True is not an address.
        if type(model) is int:
            address = _address(model)
            return self._loaded("load", model, lambda: self._loader.from_flash(address))
        if type(model) is not str:
            raise TypeError("[MAIXPY]kpu: only accept int or string")
        # The firmware searches the suffix anywhere in the path.
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
        """Free a task's model; a second call does nothing."""
        if not isinstance(task, Task):
            raise TypeError(_TASK_ERROR)
        self._store.drop(task._handle)
        task._arguments = None
        return True

    def _loaded(self, name: str, source: int | str, load: Callable[[], Loading]) -> Task:
        handle = Handle()
        task = Task(source, handle, self._delete)
        self._store.own(task, handle)
        # Owned before the load: a refused task is found by the collector as well.
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
        """Run the finaliser that the garbage collector or a program calls."""
        self._console.write("kpu_net __del__\r\n")
        self.deinit(task)

    def _unreachable(self) -> None:
        """Create a task that no program can reach: the garbage collector prints its end."""
        handle = Handle()
        self._store.own(Task(0, handle, self._delete), handle)


class Tasks:
    """Functions that inspect or configure a task, and those that run it, which are refused."""

    def __init__(self, console: Console, power: Power) -> None:
        self._console = console
        self._power = power

    def set_outputs(self, *args: Any, **_named: object) -> bool:
        """Set the shape of an output of a v4 model: task, index, width, height, channels."""
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
        """Set the number of layers of a v3 model that run; 0 or less means all."""
        if not isinstance(task, Task):
            self._power.crash("kpu.set_layers does not check that its argument is a task")
        number = machine_int(length)
        most = task._layers
        if number > most:
            self._console.write(f"err: set layers_length to {number}, but max {most}\r\n")
            return False
        model = self._model(task, "set_layers")
        take_layers(model, number if number > 0 else most, self._console.write)
        return True

    def netinfo(self, task: Any, /) -> list[LayerInfo]:
        """Print the layers of a v3 model and return their values."""
        if not isinstance(task, Task):
            self._power.crash("kpu.netinfo does not check that its argument is a task")
        model = task._handle.model
        if model is None or not model.layers:
            raise ValueError("get layer num error!")
        layers = layers_of(model, self._console.write)
        if len(layers) >= _BYTE:
            self._power.crash("kpu.netinfo counts layers in a byte and never reaches 256")
        return layers

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
        """Store the arguments of ``run_yolo2`` in a task: thresholds and pairs of anchors."""
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
            self._power.crash("kpu.init_yolo2 counts anchors in a byte and never reaches 256")
        kpu_net._arguments = YoloArguments(*limits, anchors)
        return True

    def forward(self, kpu_net: Any, *_rest: object, **_named: object) -> None:
        """Refuse a task; for another object the firmware returns ``None``."""
        if isinstance(kpu_net, Task):
            _refuse("forward")

    def run_yolo2(self, kpu_net: Any, _image: object, /, *_rest: object, **_named: object) -> None:
        """Refuse."""
        if not isinstance(kpu_net, Task):
            raise TypeError(_TASK_ERROR)
        _refuse("run_yolo2")

    def get_output(self, task: Any, index: Any, /, *_rest: object, **_named: object) -> None:
        """Refuse: a model has outputs only after a run."""
        if not isinstance(task, Task) or type(index) is not int:
            raise ValueError("[MAIXPY]kpu: get_output arg format error: get_output(task, int idx)")
        self._model(task, "get_output")
        _refuse("get_output")

    def fmap(self, _fmap: object, _channel: object, /) -> None:
        """Refuse: feature maps come from a run."""
        _refuse("fmap")

    def fmap_free(self, _fmap: object, /) -> None:
        """Do nothing, as the firmware does."""

    def _model(self, task: Task, name: str) -> LoadedModel:
        model = task._handle.model
        if model is None:
            self._power.crash(f"kpu.{name} does not check whether its task was deinitialised")
        return model


class Classifier:
    """``kpu.classifier``, which runs a model and is refused."""

    def __new__(cls, *_args: object, **_named: object) -> NoReturn:
        """Refuse."""
        _refuse("classifier")

    @staticmethod
    def load(*_args: object, **_named: object) -> None:
        """Refuse."""
        _refuse("classifier.load")


class Tools:
    """Functions that need no model; ``heap`` is the size of MicroPython's heap in bytes."""

    def __init__(self, console: Console, memory: SystemMemory, heap: int) -> None:
        self._console = console
        self._memory = memory
        self._heap = heap

    def memtest(self) -> None:
        """Print the sizes of heap and free system memory."""
        self._console.write(
            f"###free gc heap memory : {self._heap // 1024} KB\r\n"
            f"###free sys heap memory: {self._memory.free // 1024} KB\r\n"
        )

    def face_encode(self, features: Any, /) -> bytearray:
        """Return the feature of a face as bytes."""
        items = items_of(features)
        if len(items) > MOST_FEATURES:
            raise ValueError("feature dim <=200\r\n")
        return encode_features([single(item) for item in items])

    def face_compare(self, feature: Any, other: Any, /) -> float:
        """Return the similarity of two encoded features, at most 100."""
        first, second = memoryview(feature), memoryview(other)
        if first.nbytes != second.nbytes:
            raise ValueError("compare feature must in same dim!\r\n")
        return compare_features(first.tobytes(), second.tobytes())


def ukpu(models: Models, tasks: Tasks, tools: Tools) -> ModuleType:
    """Return the module ``KPU``, whose ``__name__`` is ``kpu`` as in the firmware."""
    members = public(models) | public(tasks) | public(tools)
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


def _refuse(name: str) -> NoReturn:
    raise NotImplementedError(
        f"the virtual board runs no neural networks: use kpu.{name} on a real one"
    )
