"""What holds for every test: the same examples each time, nothing of the user's set-up."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "suite", derandomize=True, deadline=None, database=None, max_examples=40
)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

KEPT = {"MAIXFS_GOLDEN"}
COLOURS = {"NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"}


@pytest.fixture(scope="session", autouse=True)
def own_environment() -> Iterator[None]:
    """Take away the variables by which a user changes what maixfs prints or where it looks."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name in COLOURS or (name.startswith("MAIXFS_") and name not in KEPT):
                patch.delenv(name)
        yield
