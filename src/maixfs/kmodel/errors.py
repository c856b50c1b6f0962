"""Errors of models."""

from __future__ import annotations

from maixfs.errors import ImageError


class ModelError(ImageError):
    """There is no model, or a field of it cannot be right; the message names field and place."""


class CutOffError(ModelError):
    """The model is longer than what is there."""
