"""The package's public names are there, and cost nothing before they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from maixfs import nor


def test_every_public_name_is_there():
    for name in nor.__all__:
        assert getattr(nor, name) is not None


def test_other_names_are_not():
    with pytest.raises(AttributeError, match=r"'maixfs\.nor' has no attribute 'Flash'"):
        nor.Flash


def test_importing_the_package_loads_none_of_it():
    code = "import sys, maixfs.nor; print([m for m in sys.modules if m.startswith('maixfs.nor.')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert run.stdout.strip() == b"[]"
