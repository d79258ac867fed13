"""DSPy's settings for a command: the LM and the adapter that the command line names, else those that there are."""

import argparse
import contextlib
import os
from collections.abc import Callable, Generator, Iterable
from typing import Any

from fieldstream.cli.errors import CliError

NO_LM = "there is no LM; add --lm MODEL, or --simulate, or call dspy.configure(lm=...) in the program's file"


def prepare(arguments: argparse.Namespace) -> None:
    """What has to be known before DSPy is imported. Raises ``CliError`` for options that do not go together."""
    if arguments.lm is None and (arguments.api_base or arguments.api_key):
        raise CliError("--api-base and --api-key say where the LM of --lm is; add --lm MODEL")
    if arguments.simulate:
        if arguments.lm is not None:
            raise CliError("--simulate stands in for an LM; leave out either it or --lm")
        # The simulator is on no price list, so that there is no reason to ask the network for one.
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")


@contextlib.contextmanager
def settings(programs: Iterable[Callable[..., Any]], arguments: argparse.Namespace) -> Generator[None]:
    """DSPy's settings within the block."""
    import dspy

    dspy_: Any = dspy
    every = list(programs)
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
        elif not all(map(_has_lm, every)):
            raise CliError(NO_LM)
        if "lm" in chosen:
            for program in every:
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
