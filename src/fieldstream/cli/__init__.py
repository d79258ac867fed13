"""The command ``fieldstream``."""

import sys
from collections.abc import Sequence
from importlib import import_module

from fieldstream.cli.errors import CliError, say_error
from fieldstream.cli.parser import parse

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (that of the process, unless given); gives the exit code.

    0: all went well. 1: the program that ran failed. 2: the command could not begin, and one line on standard error
    says why and what to do. 130: interrupted with Ctrl-C.
    """
    try:
        arguments = parse(sys.argv[1:] if argv is None else argv)
        # Each command's module is imported only when it is used: DSPy alone takes a second.
        return import_module(f"fieldstream.cli.{arguments.command}").run(arguments)
    except CliError as error:
        say_error(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Who read our output has gone, as `head` does; nobody is left to be told.
        _discard_output()
        return 1


def _discard_output() -> None:
    import os

    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass
