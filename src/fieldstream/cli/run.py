"""``fieldstream run``: a program of the user's, drawn while it works."""

import argparse
import asyncio
import traceback
from collections.abc import Callable
from typing import Any

from fieldstream.cli.errors import CliError, say_error
from fieldstream.cli.settings import NO_LM, prepare, settings


def run(arguments: argparse.Namespace) -> int:
    """Run the program; gives 0 if it completed."""
    prepare(arguments)

    from fieldstream.cli.inputs import parse_inputs
    from fieldstream.cli.loading import load_program

    program = load_program(arguments.target)
    inputs = parse_inputs(program, arguments.inputs)
    with settings([program], arguments):
        return asyncio.run(_draw(program, inputs, show_traceback=arguments.traceback))


async def _draw(program: Callable[..., Any], inputs: dict[str, Any], *, show_traceback: bool) -> int:
    import dspy

    import fieldstream
    from fieldstream.terminal import draw_async

    try:
        async with fieldstream.stream(program, **inputs) as run:
            await draw_async(run)
    except fieldstream.MissingExtraError as error:
        raise CliError(str(error)) from None
    try:
        _ = run.result
    except BaseException as error:  # It is the program's: it may be anything.
        if "No LM is loaded" in str(error):
            raise CliError(NO_LM) from None
        if isinstance(error, getattr(dspy, "LMNotConfiguredError", ())):  # DSPy 3.4 and later tell it apart.
            raise CliError(f"{str(error.args[0]).partition(chr(10))[0]} Or add --api-key KEY, or --simulate.") from None
        if show_traceback:
            traceback.print_exception(error)
        else:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            say_error(f"the program failed: {what} (--traceback shows where)")
        return 1
    return 0
