"""``fieldstream run``: a program of the user's, drawn while it works."""

import argparse
import asyncio
import contextlib
import os
import traceback
from collections.abc import Callable, Generator
from typing import Any

from fieldstream.cli.errors import CliError, say_error

_NO_LM = "there is no LM; add --lm MODEL, or --simulate, or call dspy.configure(lm=...) in the program's file"


def run(arguments: argparse.Namespace) -> int:
    """Run the program; gives 0 if it completed."""
    if arguments.lm is None and (arguments.api_base or arguments.api_key):
        raise CliError("--api-base and --api-key say where the LM of --lm is; add --lm MODEL")
    if arguments.simulate:
        if arguments.lm is not None:
            raise CliError("--simulate stands in for an LM; leave out either it or --lm")
        # The simulator is on no price list, so that there is no reason to ask the network for one.
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

    from fieldstream.cli.inputs import parse_inputs
    from fieldstream.cli.loading import load_program

    program = load_program(arguments.target)
    inputs = parse_inputs(program, arguments.inputs)
    with _settings(program, arguments):
        return asyncio.run(_draw(program, inputs, show_traceback=arguments.traceback))


@contextlib.contextmanager
def _settings(program: Callable[..., Any], arguments: argparse.Namespace) -> Generator[None]:
    """DSPy's settings for the run: the LM and the adapter that the command line names, else those that there are."""
    import dspy

    dspy_: Any = dspy
    chosen: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        if arguments.adapter is not None:
            chosen["adapter"] = {"chat": dspy.ChatAdapter, "json": dspy.JSONAdapter, "xml": dspy.XMLAdapter}[
                arguments.adapter
            ]()
        if arguments.simulate:
            from fieldstream.simulator import simulate

            provider = stack.enter_context(simulate(**({} if arguments.fast else {"rate": 45.0, "first": 0.3})))
            chosen["lm"] = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        elif arguments.lm is not None:
            places = {"api_base": arguments.api_base, "api_key": arguments.api_key}
            try:
                chosen["lm"] = dspy.LM(arguments.lm, **{name: value for name, value in places.items() if value})
            except Exception as error:  # LiteLLM raises what it likes for a model that it does not know.
                raise CliError(
                    f"--lm {arguments.lm!r} cannot be used: {error}; write it as openai/gpt-4.1-mini"
                ) from None
        elif not _has_lm(program):
            raise CliError(_NO_LM)
        if "lm" in chosen:
            _replace_lms(program, chosen["lm"])
        stack.enter_context(dspy_.context(**chosen))
        yield


def _has_lm(program: Callable[..., Any]) -> bool:
    import dspy

    settings: Any = dspy.settings
    if settings.lm is not None:
        return True
    if not isinstance(program, dspy.Module):
        return True  # A function may bring an LM of its own: it will tell if it does not.
    predictors: list[Any] = program.predictors()
    return all(predictor.lm is not None for predictor in predictors)


def _replace_lms(program: Callable[..., Any], lm: Any) -> None:
    """Predictors that have an LM of their own get the one that the command line names."""
    import dspy

    predictors: list[Any] = program.predictors() if isinstance(program, dspy.Module) else []
    for predictor in predictors:
        if predictor.lm is not None:
            predictor.lm = lm


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
            raise CliError(_NO_LM) from None
        if isinstance(error, getattr(dspy, "LMNotConfiguredError", ())):  # DSPy 3.4 and later tell it apart.
            raise CliError(f"{str(error.args[0]).partition(chr(10))[0]} Or add --api-key KEY, or --simulate.") from None
        if show_traceback:
            traceback.print_exception(error)
        else:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            say_error(f"the program failed: {what} (--traceback shows where)")
        return 1
    return 0
