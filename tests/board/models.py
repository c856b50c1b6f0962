"""Models on a board on the desk."""

from __future__ import annotations

from board.desk import Desk

ADDRESS = 0x80000
"""Flash address of models in tests, below the file system of a small board."""

START = "import KPU as kpu\n"

TRY = """
import KPU as kpu
def attempt(function, *args):
  try:
    return function(*args)
  except Exception as e:
    return repr(e)
"""
"""The start of a script: ``attempt(f, x)`` returns ``f(x)``, or its error."""


def put_raw(desk: Desk, data: bytes, address: int = ADDRESS) -> None:
    """Write a model to the flash of a board that is powered off."""
    with (desk.folder / "flash.bin").open("r+b") as flash:
        flash.seek(address)
        flash.write(data)


def lines(desk: Desk, script: str, **options: object) -> list[str]:
    """Run a script after ``TRY`` and return what it printed."""
    output = desk.run(TRY + script, **options)
    assert output.result.exit_code == 0, output.out
    return output.out.splitlines()
