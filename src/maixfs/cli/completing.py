"""Shell completion: the scripts, and the answers to them."""

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
"""Passes the line as typed: bash would split TARGET:PATH at its colon."""


_UNQUOTED = re.compile(r"([^\w./:@%+=,~-])")
_BACKSLASH = r"\\\1"


class ColonBashComplete(BashComplete):
    """Completion for bash with ``TARGET:PATH`` as one word."""

    source_template = BASH_SCRIPT

    def source(self) -> str:
        """Return the script, without running bash to ask for its version."""
        return self.source_template % self.source_vars()

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and the word at the cursor."""
        line = os.environ.get("COMP_LINE", "")
        words, self._in_quotes = split_words(line)
        fresh = not self._in_quotes and (not line or line[-1].isspace())
        self._typed = "" if fresh or not words else words.pop()
        return words[1:], self._typed

    def format_completion(self, item: CompletionItem) -> str:
        """Return a candidate for bash: quoted, and without the part before the last colon."""
        value = str(item.value)
        if self._in_quotes:
            return f"{item.type},{value}"
        # bash replaces only what stands behind the last of its word breaks.
        if ":" in os.environ.get("COMP_WORDBREAKS", ""):
            value = value[self._typed.rfind(":") + 1 :]
        return f"{item.type},{_UNQUOTED.sub(_BACKSLASH, value)}"


SHELLS: dict[str, type[ShellComplete]] = {
    "bash": ColonBashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


def split_words(line: str) -> tuple[list[str], bool]:
    """Return the words of an incomplete command line, and whether a quote is open."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    # The line is still being typed, and a # is part of a name.
    lexer.commenters = ""
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:
        return [*words, lexer.token], True
    return words, False


def complete(group: click.Group, name: str, asked: str) -> int:
    """Answer the completion script, whose variable holds ``asked``; return the exit code."""
    add_completion_class(ColonBashComplete)
    return shell_complete(group, {}, name, "_MAIXFS_COMPLETE", asked)


def script_for(group: click.Command, shell: str) -> str:
    """Return the completion script of ``shell``, one of ``SHELLS``."""
    return SHELLS[shell](group, {}, "maixfs", "_MAIXFS_COMPLETE").source()
