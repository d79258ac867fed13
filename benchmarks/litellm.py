"""CPU per provider chunk where LiteLLM is the engine: what watching adds to it."""

import asyncio
import statistics
from collections.abc import Iterator

import dspy

from benchmarks.contenders import WATCHES, checked, contender
from benchmarks.figures import Figure, compare
from benchmarks.plan import Plan
from benchmarks.provider import answer, field_value, model
from benchmarks.timing import alternate

GOAL = 1.05
"""Of its own floor: DSPy's LM with that engine, streaming into nothing."""


def measure(plan: Plan) -> Iterator[Figure]:
    """A chat answer, awaited and called."""
    chunks = 50 if plan.quick else 500
    name = model("chat", "text", chunks)
    pieces = len(answer(name).chunks or ())
    value = field_value("text", chunks)
    lm = plan.lm(name, engine="litellm")
    with asyncio.Runner() as runner, dspy.context(adapter=dspy.ChatAdapter()):
        for way in ("async", "sync"):
            contenders = {
                "fieldstream": checked(contender(runner, WATCHES[way]["fieldstream"], lm), value, chunks * 9 // 10),
                "floor": contender(runner, WATCHES[way]["floor"], lm),
            }
            plan.provider.achieved()
            costs = alternate(contenders, rounds=plan.rounds, per=pieces)
            plan.provider.achieved().check_bursts(min(statistics.median(each) for each in costs.values()))
            yield from compare(
                costs,
                {"floor": GOAL},
                section="LiteLLM as the engine",
                what=f"chat, {way}",
                arrival="bursts",
                unit="µs/chunk",
                scale=1e6,
            )
