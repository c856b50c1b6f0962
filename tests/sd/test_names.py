"""The public names of the package, which are loaded on first use."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import maixfs.sd


@pytest.mark.parametrize("name", maixfs.sd.__all__)
def test_lazy_name_is_that_of_its_module(name: str) -> None:
    home = next(module for module, names in maixfs.sd._NAMES.items() if name in names)
    module = importlib.import_module(f"maixfs.sd.{home}")
    assert getattr(maixfs.sd, name) is getattr(module, name)


def test_all_lists_the_lazy_names() -> None:
    lazy = sorted(name for names in maixfs.sd._NAMES.values() for name in names)
    assert sorted(maixfs.sd.__all__) == lazy
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        maixfs.sd.Nothing


def test_importing_a_medium_loads_no_spi_module() -> None:
    program = (
        "import sys, maixfs.sd.media; from maixfs.sd import RamSectors; RamSectors(4);"
        "print(*[name for name in sys.modules if 'spi' in name or name == 'numpy'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.split() == []
