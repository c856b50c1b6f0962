"""What holds for every test: the same examples in each run, and nothing of the user's own set-up."""

from __future__ import annotations

import os

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "suite", derandomize=True, deadline=None, database=None, max_examples=40
)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

KEPT = {"MAIXFS_GOLDEN"}


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away variables by which a user changes what maixfs prints or where it looks."""
    for name in list(os.environ):
        if name.startswith("MAIXFS_") and name not in KEPT:
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
