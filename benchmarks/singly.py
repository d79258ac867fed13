"""CPU per provider chunk of one stream whose chunks come singly: each wakes a loop, a thread or both."""

import asyncio
from collections.abc import Iterator

import dspy

from benchmarks.chunks import text_contenders
from benchmarks.contenders import Lines, checked
from benchmarks.figures import Figure, compare
from benchmarks.plan import Plan
from benchmarks.provider import answer, model
from benchmarks.timing import alternate

RATE = 50
GOALS = {"async": {"dspy.streamify": 0.6, "floor": None}, "sync": {"dspy.streamify": 0.5, "floor": None}}
LATE = 0.1
"""Seconds by which a stream may end later than its pace says: more, and its chunks did not come singly."""


def measure(plan: Plan) -> Iterator[Figure]:
    """A chat answer, awaited and called. The clock passes here, so that there are fewer rounds."""
    chunks, rounds = (10, 1) if plan.quick else (75, max(3, plan.rounds // 2))
    name = model("chat", "text", chunks, str(RATE))
    pieces = list(answer(name).chunks or ())
    with asyncio.Runner() as runner, dspy.context(adapter=dspy.ChatAdapter()):
        for way in ("async", "sync"):
            lines = Lines(plan.lm_kwargs, name)
            contenders = text_contenders(plan, runner, way, name)
            del contenders["fieldstream text"]
            contenders["httpx"] = checked(lines.contender(runner, way), "".join(pieces), len(pieces))
            plan.provider.achieved()
            costs = alternate(contenders, rounds=rounds, per=len(pieces))
            plan.provider.achieved().check_pace(LATE)
            runner.run(lines.aclose())
            yield from compare(
                costs,
                GOALS[way],
                section="chunks singly",
                what=f"chat, {way}",
                arrival=f"singly, {RATE}/s",
                unit="µs/chunk",
                scale=1e6,
            )
