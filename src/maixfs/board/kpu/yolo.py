"""``kpu_yolo2``: what ``kpu.init_yolo2`` leaves in a task."""

from __future__ import annotations

from collections.abc import Sequence

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
