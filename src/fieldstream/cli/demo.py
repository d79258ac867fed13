"""``fieldstream demo``: two programs at work, drawn live, with a simulated LM."""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import fieldstream
from fieldstream.cli.errors import CliError

_RATE = 45.0
_FIRST = 0.3

_QUESTIONS = ["Why is the sea salty?", "What makes the tides?", "Why do leaves change colour in autumn?"]

_INTRO = """\
fieldstream shows what a DSPy program is writing, field by field. The LM here is
simulated, by an HTTP server on this machine: no key, no network.

1. dspy.ChainOfThought("question -> answer, sources: list[str]")
"""
_SECOND = """
2. A module that calls a predictor and a tool for each of three questions, and
   says what it is at with fieldstream.emit(...)
"""
_OUTRO = """
Now one of yours:          {command} run FILE:PROGRAM name=value --simulate
And in a browser:          {command} demo --serve
  then open the page:      http://127.0.0.1:8000
"""


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; gives 0 if both programs completed."""
    # Without a network, LiteLLM's price list would be waited for, and missed with a warning.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    if arguments.serve:
        return _serve(arguments)
    _say(_INTRO)
    with fieldstream.simulate(
        rate=None if arguments.fast else _RATE, first=0.0 if arguments.fast else _FIRST
    ) as provider:
        return asyncio.run(_demo(provider.model, provider.lm_kwargs))


def _serve(arguments: argparse.Namespace) -> int:
    """Serve the demo's programs until Ctrl-C, on a page for people."""
    from fieldstream.cli.demo_programs import programs
    from fieldstream.cli.parser import parse
    from fieldstream.cli.serve import serve
    from fieldstream.cli.settings import settings

    served = parse(["serve", "demo", "--simulate", "--port", str(arguments.port)])
    served.fast = arguments.fast
    every = programs()
    with settings(every.values(), served):
        return serve(every, served)


def _command() -> str:
    """How this command is called here."""
    called = Path(os.path.relpath(sys.argv[0]))
    return str(called) if called.name == "fieldstream" and ".." not in called.parts else "fieldstream"


async def _demo(model: str, lm_kwargs: dict[str, Any]) -> int:
    # Imported only here, so that the first words do not wait for it.
    import dspy

    from fieldstream._errors import MissingExtraError
    from fieldstream.cli.demo_programs import Primer, Wording
    from fieldstream.terminal import draw_async

    settings: Any = dspy
    with settings.context(lm=dspy.LM(model, **lm_kwargs, cache=False), adapter=dspy.ChatAdapter()):
        try:
            qa = dspy.ChainOfThought("question -> answer, sources: list[str]")
            first = await draw_async(fieldstream.stream(qa, question="Why is the sky blue?"))
            _say(_SECOND)
            watch = fieldstream.Streamer(Primer(), status_message_provider=Wording())
            second = await draw_async(watch(questions=_QUESTIONS))
        except MissingExtraError as error:
            raise CliError(str(error)) from None
    _say(_OUTRO.format(command=_command()))
    return 0 if first.outcome == second.outcome == "completed" else 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
