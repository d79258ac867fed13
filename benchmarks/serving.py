"""Serving 500 readers at once: what of a field a server delivers for a second of its CPU.

The contenders are processes on one core, and take turns; the provider and the readers are on the other.
"""

import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.figures import Figure
from benchmarks.plan import Plan
from benchmarks.provider import field_text, model
from benchmarks.serving_readers import Readers, readers
from benchmarks.serving_servers import Server, server
from benchmarks.timing import ratio

SECTION = "serving"
ROUNDS = 3
"""At most: a round takes DSPy's own streaming more than a minute."""
PROGRAMS = 10
"""An LM has no more than a hundred connections, so the runs are those of several programs."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is served, and with whom fieldstream is compared."""

    runs: int
    readers: int
    """Of each run."""
    rate: int
    """Chunks a second of each run."""
    chunks: int
    what: str
    """What is counted: "kB of text", "deltas"."""
    other: str
    goal: float | None = None
    """How many times as much as the other one fieldstream delivers."""

    @property
    def name(self) -> str:
        """As in "10 runs, 50 readers each"."""
        return f"{self.runs} runs, {self.readers} reader{'s' * (self.readers > 1)} each"

    @property
    def programs(self) -> dict[str, str]:
        """The names of its programs, and of their models."""
        name = model("chat", "text", self.chunks, str(self.rate))
        return {f"{name}.{number}": name for number in range(PROGRAMS)}


FAST, SLOW = 1_000, 30
"""Chunks a second: more of each run than 500 readers can be sent singly; and as common models have it."""

RUNS = Case(runs=500, readers=1, rate=FAST, chunks=1_000, what="kB of text", other="dspy.streamify", goal=8.0)
FOLLOWED = Case(runs=PROGRAMS, readers=50, rate=FAST, chunks=3_000, what="deltas", other="raw ASGI", goal=2.0)
CASES = (
    RUNS,
    FOLLOWED,
    replace(RUNS, rate=SLOW, chunks=150, goal=None),
    replace(FOLLOWED, rate=SLOW, chunks=150, goal=None),
)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What a server did for all of its readers."""

    cpu: float
    """CPU seconds of its process."""
    text: int
    """Bytes of the field's text."""
    deltas: int
    writes: int


def measure(plan: Plan) -> Iterator[Figure]:
    """Many runs with a reader each, and a few that many follow: fast ones, and slow ones."""
    with readers(plan.provider.core) as reading:
        for case in CASES:
            yield from _case(plan, reading, quick(case) if plan.quick else case)


def quick(case: Case) -> Case:
    """The same, smoke-sized."""
    return replace(case, runs=PROGRAMS, readers=min(case.readers, 2), chunks=40)


def _case(plan: Plan, reading: Readers, case: Case) -> Iterator[Figure]:
    turns = _turns(plan, reading, case)
    delivered = {name: [_delivered(case, each) for each in done] for name, done in turns.items()}
    writes = {name: [each.writes / (case.runs * case.readers) for each in done] for name, done in turns.items()}
    common: dict[str, Any] = {"section": SECTION, "arrival": f"paced, {case.rate:,}/s each"}
    for name, each in delivered.items():
        ours = name == "fieldstream"
        yield Figure(
            **common,
            what=case.name,
            contender=name,
            value=statistics.median(each),
            unit=f"{case.what}/CPU s",
            against=case.other if ours else None,
            ratio=ratio(each, delivered[case.other]) if ours else None,
            goal=case.goal if ours else None,
            at_least=True,
        )
    for name, each in writes.items():
        value = statistics.median(each)
        yield Figure(**common, what=f"{case.name}: writes", contender=name, value=value, unit="writes/reader")


def _turns(plan: Plan, reading: Readers, case: Case) -> dict[str, list[Turn]]:
    """What fieldstream and the other one did in each round."""
    turns: dict[str, list[Turn]] = {"fieldstream": [], case.other: []}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(server(name, plan.lm_kwargs, case.programs)) for name in turns}
        for each in servers.values():
            turn(each, reading, replace(case, runs=PROGRAMS))  # what the first requests cost is no other's
        for number in range(min(plan.rounds, ROUNDS)):
            for name in sorted(servers, reverse=number % 2 == 1):
                plan.provider.achieved()
                done = turn(servers[name], reading, case)
                achieved = plan.provider.achieved()
                if achieved.requests:
                    achieved.check_bursts(done.cpu / achieved.chunks)
                turns[name].append(done)
    return turns


def _delivered(case: Case, done: Turn) -> float:
    return (done.deltas if case.what == "deltas" else done.text / 1e3) / done.cpu


def turn(server: Server, reading: Readers, case: Case) -> Turn:
    """All runs of a case at once, to their ends. Raises ``AssertionError`` where a reader has another text."""
    programs = list(case.programs)
    server.collect()
    before = server.cpu()
    reading.read(server.port, [programs[run % PROGRAMS] for run in range(case.runs)], per_run=case.readers)
    cpu = server.cpu() - before
    seen = reading.delivered()
    text = field_text(case.chunks)
    for each in seen:
        # Before DSPy 3.4 its own streaming leaves blanks at the end.
        if each.text.rstrip() != text or each.deltas < case.chunks * 9 // 10:
            raise AssertionError(f"{each.deltas} deltas, {each.writes} writes of {each.text[:200]!r}")
    return Turn(
        cpu=cpu,
        text=len(text.encode()) * len(seen),
        deltas=sum(each.deltas for each in seen),
        writes=sum(each.writes for each in seen),
    )
