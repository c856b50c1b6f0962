"""A new medium of every kind for each test of the interface."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from filesystem.kinds import FAT, SPIFFS, Medium, medium
from maixfs.filesystem import FileSystem


@pytest.fixture(params=[*SPIFFS, *FAT])
def disk(request: pytest.FixtureRequest) -> Medium:
    return medium(request.param)


@pytest.fixture
def fs(disk: Medium) -> Iterator[FileSystem[Any]]:
    mounted = disk.mount()
    yield mounted
    mounted.abandon()
