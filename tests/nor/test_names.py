"""The public names of the package are loaded when they are first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from maixfs import nor


def test_every_public_name_can_be_loaded():
    for name in nor.__all__:
        assert getattr(nor, name) is not None


def test_other_names_raise_attribute_error():
    with pytest.raises(AttributeError, match=r"'maixfs\.nor' has no attribute 'Flash'"):
        nor.Flash


def test_importing_the_package_loads_no_module_of_it():
    code = "import sys, maixfs.nor; print([m for m in sys.modules if m.startswith('maixfs.nor.')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert run.stdout.strip() == b"[]"
