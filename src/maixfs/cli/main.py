"""The entry point; nothing slow is imported before the command line is known."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False  # as type checkers know it; importing typing takes time
if TYPE_CHECKING:
    from typing import NoReturn

_OBJECTS = 50_000
"""New objects after which Python looks for unreachable cycles (usually 700)."""


def run() -> NoReturn:
    """Run the command line of this process and exit with its code.

    0: success. 1: a problem was found, or the operation failed. 2: wrong usage. 130: Ctrl-C.
    141: the reader of the output went away.
    """
    # Imports make many objects and no garbage: looking for it as often as usual is a loss.
    gc.set_threshold(_OBJECTS, 20, 20)
    try:
        # The overview is what people ask for most: importing click alone takes longer than
        # printing it.
        if is_overview(sys.argv[1:]) and print_overview():
            sys.exit(0)
        from maixfs.cli.verb import maixfs

        code = maixfs.main(prog_name="maixfs", standalone_mode=False)
    except BaseException as reason:  # while Python was still loading the above
        if not isinstance(reason.__cause__ or reason, KeyboardInterrupt):
            raise
        sys.stderr.write("interrupted\n")
        code = 130
    gc.freeze()
    sys.exit(code)


def is_overview(words: list[str]) -> bool:
    """Return True if a command line only asks for the overview."""
    return words in ([], ["-h"], ["--help"]) and not os.environ.get("_MAIXFS_COMPLETE")


def print_overview() -> bool:
    """Print the overview without loading click; return False if stdout does not take it.

    The usual route then writes it again, and reports why that fails.
    """
    from maixfs.cli.table import overview

    try:
        print(overview(_columns()), flush=True)
    except OSError:
        return False
    return True


def _columns() -> int:
    """Return the columns of the terminal, as ``shutil.get_terminal_size`` finds them."""
    try:
        return int(os.environ.get("COLUMNS", "")) or 80
    except ValueError:
        pass
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80
