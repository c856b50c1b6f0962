"""Answers to a shell that completes a command line."""

from __future__ import annotations

import os
import re
import shlex

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    shell_complete,
)

BASH_SCRIPT = """\
%(complete_func)s() {
    local IFS=$'\\n' answer kind value
    COMPREPLY=()
    answer=$(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
    while IFS=, read -r kind value; do
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("$value")
                [[ $value == */ ]] && compopt -o nospace ;;
        esac
    done <<< "$answer"
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
"""Hands over the line as typed: bash itself would break TARGET:PATH at its colon."""


_UNQUOTED = re.compile(r"([^\w./:@%+=,~-])")
_BACKSLASH = r"\\\1"


class ColonBashComplete(BashComplete):
    """Completion for bash that takes ``TARGET:PATH`` as one word."""

    source_template = BASH_SCRIPT

    def source(self) -> str:
        """Return the script; asking which bash is there is left to its user."""
        return self.source_template % self.source_vars()

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and the one that is being typed."""
        line = os.environ.get("COMP_LINE", "")
        words, self._in_quotes = split_words(line)
        fresh = not self._in_quotes and (not line or line[-1].isspace())
        self._typed = "" if fresh or not words else words.pop()
        return words[1:], self._typed

    def format_completion(self, item: CompletionItem) -> str:
        """Return a candidate as bash takes it: quoted, and without what bash keeps in place."""
        value = str(item.value)
        if self._in_quotes:
            return f"{item.type},{value}"
        if ":" in os.environ.get("COMP_WORDBREAKS", ""):
            value = value[self._typed.rfind(":") + 1 :]
        return f"{item.type},{_UNQUOTED.sub(_BACKSLASH, value)}"


SHELLS: dict[str, type[ShellComplete]] = {
    "bash": ColonBashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


def split_words(line: str) -> tuple[list[str], bool]:
    """Return the words of an unfinished command line, and whether a quote is still open."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:
        return [*words, lexer.token], True
    return words, False


def complete(group: click.Group, name: str, asked: str) -> int:
    """Answer what the variable of the completion script asks for; return the exit code."""
    add_completion_class(ColonBashComplete)
    return shell_complete(group, {}, name, "_MAIXFS_COMPLETE", asked)


def complete_place(incomplete: str) -> list[CompletionItem]:
    """Return what ``TARGET:PATH`` may go on with: names in the target behind the colon.

    The shell itself completes what lies on the host. A target that cannot be read has no names.
    """
    from maixfs.cli.place import default_board
    from maixfs.errors import MaixfsError
    from maixfs.image.address import parse_target
    from maixfs.image.opening import open_image

    board = default_board() if incomplete.startswith(":") else ""
    place = parse_target(f"{board}{incomplete}")
    path = place.path
    if path is None or not place.host.exists():
        return [CompletionItem(incomplete, type="file")]
    folder = path[: path.rfind("/") + 1]
    try:
        with open_image(place) as target:
            entries = target.scandir(folder)
    except (MaixfsError, OSError):
        return []
    names = [entry.name + "/" * entry.is_dir for entry in entries]
    wanted = path[len(folder) :]
    return [
        CompletionItem(f"{incomplete[: -len(path) or None]}{folder}{name}")
        for name in names
        if name.startswith(wanted)
    ]


def script_for(group: click.Command, shell: str) -> str:
    """Return the completion script of ``shell``, one of ``SHELLS``."""
    return SHELLS[shell](group, {}, "maixfs", "_MAIXFS_COMPLETE").source()
