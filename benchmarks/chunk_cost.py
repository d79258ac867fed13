"""CPU per provider chunk: the contenders in alternation, in one process, chunks in bursts.

A round runs each contender once. What is compared is the ratio within a round, and what is told its median over the
rounds: the machine's pace drifts, a ratio holds.
"""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dspy

from benchmarks.contenders import Contender, contenders, structured_contenders
from benchmarks.provider import field_models, field_text

GOALS = {True: 1.1, False: 0.3}
"""What fieldstream's cost may be, in floors: for a program that is awaited, and for one that is called in a thread."""


@dataclass
class Figure:
    """What one contender cost in one setting."""

    setting: str
    contender: str
    microseconds: float
    """CPU of this process per provider chunk, median."""
    of_floor: float
    of_streamify: float | None
    goal: float | None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met, where there is one."""
        return None if self.goal is None else self.of_floor <= self.goal


def measure(lm_kwargs: dict[str, Any], *, chunks: int, rounds: int) -> Iterator[Figure]:
    """Chat and JSON, awaited and called: a text field, and a list of models."""
    adapters = {"chat": dspy.ChatAdapter(), "json": dspy.JSONAdapter()}
    for asynchronous in (True, False):
        for name, adapter in adapters.items():
            way = "async" if asynchronous else "sync"
            with dspy.context(adapter=adapter):
                lm = dspy.LM(f"openai/{name}-text-{chunks}", cache=False, **lm_kwargs)
                field = contenders(asynchronous), field_text(chunks)
                yield from _figures(f"{name}, {way}", *field, lm, chunks, rounds, GOALS[asynchronous])
                lm = dspy.LM(f"openai/{name}-models-{chunks}", cache=False, **lm_kwargs)
                field = structured_contenders(asynchronous), field_models(chunks)
                yield from _figures(f"{name} list, {way}", *field, lm, chunks, rounds, None)


def _figures(
    setting: str, contenders: list[Contender], value: Any, lm: dspy.LM, chunks: int, rounds: int, goal: float | None
) -> Iterator[Figure]:
    costs: dict[str, list[float]] = {each.name: [] for each in contenders}
    for turn in range(rounds + 1):
        for each in contenders:
            before = time.process_time()
            seen = each.run(lm)
            cost = (time.process_time() - before) / chunks * 1e6
            if each.name.startswith("fieldstream") and seen != value:
                raise AssertionError(f"{each.name} saw another value in {setting}")
            if turn:  # The first turn warms up.
                costs[each.name].append(cost)
    for each in contenders:
        yield Figure(
            setting=setting,
            contender=each.name,
            microseconds=statistics.median(costs[each.name]),
            of_floor=_ratio(costs[each.name], costs["floor"]),
            of_streamify=_ratio(costs[each.name], others) if (others := costs.get("dspy.streamify")) else None,
            goal=goal if each.name == "fieldstream" else None,
        )


def _ratio(costs: list[float], others: list[float]) -> float:
    return statistics.median(cost / other for cost, other in zip(costs, others, strict=True))
