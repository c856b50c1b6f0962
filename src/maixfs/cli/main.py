"""Where the command starts; nothing slow is imported before it is known what to do."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as the type checker knows it; typing itself takes time to import
if TYPE_CHECKING:
    from typing import NoReturn


def run() -> NoReturn:
    """Run the command line of this process and leave with its exit code.

    0: fine. 1: a problem was found, or what was asked for failed. 2: wrong usage. 130: Ctrl-C.
    141: the reader of the output went away.
    """
    try:
        from maixfs.cli.group import maixfs

        code = maixfs.main(prog_name="maixfs", standalone_mode=False)
    except BaseException as reason:  # while Python was still loading the above
        if not isinstance(reason.__cause__ or reason, KeyboardInterrupt):
            raise
        sys.stderr.write("interrupted\n")
        code = 130
    sys.exit(code)
