"""CPU per provider chunk of a long answer against that of a short one: whether the work is linear in the text.

What is compared is the cost of a further chunk: of a run's cost, that of one with hardly any text is subtracted. With
it, a short run's chunks would bear more of what each run costs, and a long answer would look the better for that. As
many short runs are made in a turn as have the long one's chunks, so that both are measured as well.
"""

import asyncio
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dspy

import fieldstream
from benchmarks.contenders import (
    QUESTION,
    TEXT,
    Contender,
    Listed,
    Seen,
    Watch,
    checked,
    contender,
    events_async,
    streamify_async,
)
from benchmarks.figures import Figure
from benchmarks.plan import Plan
from benchmarks.provider import answer, field_value, model
from benchmarks.timing import alternate, ratio
from fieldstream.events import FieldDelta, LmDelta

SECTION = "growth"
GOAL = 1.1
SHORT = 1_000
EMPTY = 4
"""Chunks of a run that is there to be subtracted."""
INTERVAL = 0.05
"""Seconds between two values that the paced reader is given."""
ROUNDS = {"fieldstream": 9, "dspy.streamify": 3}
"""At most."""


class Called(dspy.Signature):
    """Call a tool."""

    question: str = dspy.InputField()
    tools: list[dspy.Tool] = dspy.InputField()
    calls: dspy.ToolCalls = dspy.OutputField()


@dataclass(frozen=True)
class Case:
    """An answer, and who reads it."""

    what: str
    form: str
    kind: str
    adapter: dspy.Adapter
    watch: Watch
    signature: Any = TEXT
    long: int = 64_000
    who: str = "fieldstream"


def measure(plan: Plan) -> Iterator[Figure]:
    """What can be long: a text, a text with escapes, a list, the arguments of a tool call."""
    json, chat = dspy.JSONAdapter(), dspy.ChatAdapter(use_native_function_calling=True)
    listed = "list, values every 50 ms"
    cases = [
        Case("chat text", "chat", "text", dspy.ChatAdapter(), events_async),
        Case("JSON text with escapes", "json", "escapes", json, events_async),
        Case(listed, "json", "models", json, paced_values_async, Listed),
        Case("tool-call arguments", "tool", "text", chat, calls_async, Called, 16_000),
        Case("JSON text with escapes", "json", "escapes", json, streamify_async, long=8_000, who="dspy.streamify"),
    ]
    with asyncio.Runner() as runner:
        for case in cases:
            yield _figure(plan, runner, case, 4 * SHORT if plan.quick else case.long)


def _figure(plan: Plan, runner: asyncio.Runner, case: Case, long: int) -> Figure:
    sizes = {"long": long, "short": SHORT, "empty": EMPTY}
    times = {"long": 1, "short": long // SHORT, "empty": long // SHORT}
    pieces = {name: _pieces(_model(case, size)) for name, size in sizes.items()}
    with dspy.context(adapter=case.adapter):
        turns = {
            name: _repeated(
                _checked(contender(runner, case.watch, plan.lm(_model(case, size)), case.signature), case, size),
                times[name],
            )
            for name, size in sizes.items()
        }
        plan.provider.achieved()
        costs = alternate(turns, rounds=min(plan.rounds, ROUNDS[case.who]))
    costs = {name: [cost / times[name] for cost in each] for name, each in costs.items()}
    at_long, at_short = (_further(costs, name, pieces) for name in ("long", "short"))
    plan.provider.achieved().check_bursts(statistics.median(at_long))
    return Figure(
        section=SECTION,
        what=f"{case.what}, {long:,} chunks",
        arrival="bursts",
        contender=case.who,
        value=statistics.median(at_long) * 1e6,
        unit="µs/chunk",
        against=f"itself at {SHORT:,}",
        ratio=ratio(at_long, at_short),
        goal=GOAL if case.who == "fieldstream" else None,
    )


def _further(costs: Mapping[str, list[float]], name: str, pieces: Mapping[str, int]) -> list[float]:
    """What a further chunk costs in each round, beyond those of an answer that is nearly empty."""
    chunks = pieces[name] - pieces["empty"]
    return [(cost - empty) / chunks for cost, empty in zip(costs[name], costs["empty"], strict=True)]


def _model(case: Case, chunks: int) -> str:
    return model(case.form, case.kind, chunks)


def _pieces(name: str) -> int:
    """How many chunks this model's answer has."""
    said = answer(name)
    return len(said.chunks or ()) + sum(len(call.arguments_text) for call in said.tool_calls)


def _checked(run: Contender, case: Case, size: int) -> Contender:
    """Ours saw the value; and a long text came in many pieces."""
    if case.who != "fieldstream":
        return run
    if case.form == "tool":
        return checked(run, answer(_model(case, size)).tool_calls[0].arguments_text, size // 2)
    return checked(run, field_value(case.kind, size), size * 9 // 10 if case.signature is TEXT else 1)


def _repeated(run: Contender, times: int) -> Callable[[], object]:
    def turn() -> None:
        for _ in range(times):
            run()

    return turn


async def paced_values_async(lm: dspy.LM, program: dspy.Module) -> Seen:
    """A list's value so far, no oftener than every ``INTERVAL``."""
    value, pieces = None, 0
    with dspy.context(lm=lm):
        async with fieldstream.stream(program, question=QUESTION) as run:
            async for each in run.values("answer", interval=INTERVAL):
                value, pieces = each, pieces + 1
    return Seen(value, pieces)


def search(query: str) -> str:
    """Search the library."""
    return query


TOOLS = [dspy.Tool(search)]


async def calls_async(lm: dspy.LM, program: dspy.Module) -> Seen:
    """All that is told of a tool call: the field that holds it, and the LM's own text."""
    deltas, arguments = 0, list[str]()
    with dspy.context(lm=lm):
        streamer = fieldstream.Streamer(program, lm_text=True)
        async with streamer(question=QUESTION, tools=TOOLS) as run:
            async for event in run:
                if isinstance(event, FieldDelta):
                    deltas += 1
                elif isinstance(event, LmDelta):
                    arguments.append(event.text)
    return Seen("".join(arguments), min(deltas, len(arguments)))
