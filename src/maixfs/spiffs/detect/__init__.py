"""Finding SPIFFS areas in an unknown image, and telling their geometry."""

from __future__ import annotations

from maixfs.spiffs.detect.judge import Detection, detect, is_blank

__all__ = ["Detection", "detect", "is_blank"]
