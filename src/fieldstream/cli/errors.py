"""What goes wrong before a program runs, in one line each."""

import difflib
import sys
from collections.abc import Iterable


class CliError(Exception):
    """The command cannot begin. The message is one line that says what happened and what to do; the exit code is 2."""


def say_error(message: str) -> None:
    """One line on standard error, whatever is in the message."""
    line = " ".join(message.split())
    encoding = sys.stderr.encoding or "utf-8"
    # What is no character of a line (an escape sequence, half a surrogate pair) is written with backslashes.
    line = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)
    print(f"fieldstream: {line.encode(encoding, 'backslashreplace').decode(encoding)}", file=sys.stderr)


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names as a list in a sentence."""
    every = list(names)
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """``did you mean 'question'? ``, where one of the names is close; else nothing."""
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean {close[0]!r}? " if close else ""
