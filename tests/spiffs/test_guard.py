"""Careful writing into damaged areas: files that are not touched keep their bytes."""

from __future__ import annotations

from collections import Counter

import pytest

from golden.corpus import SpiffsCase, spiffs_cases
from spiffs.damage import Way, by_driver, by_edit, changed_files, damage, damaged_areas

CASES = [case for case in spiffs_cases() if case.manifest["mount_result"] == 0]
IMAGES = 120
WAYS = pytest.mark.parametrize("way", [by_driver, by_edit], ids=["driver", "edit"])


@WAYS
def test_writing_into_damaged_areas_changes_no_other_file(way: Way) -> None:
    ends: Counter[str] = Counter()
    for seed, image, geometry in damaged_areas(range(IMAGES)):
        assert changed_files(image, geometry, way, ends) == [], f"seed {seed}"
    assert ends["done"] > ends["damaged"] > IMAGES / 20


@WAYS
@pytest.mark.parametrize("case", CASES[::3], ids=[case.name for case in CASES[::3]])
def test_writing_into_damaged_images_of_the_c_changes_no_other_file(
    case: SpiffsCase, way: Way
) -> None:
    image = damage(case.image, case.geometry, 1)
    assert changed_files(image, case.geometry, way, Counter()) == []
