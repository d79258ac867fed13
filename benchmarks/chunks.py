"""CPU per provider chunk, chunks in bursts: one text field in three formats, and a list of models in two."""

import asyncio
import statistics
from collections.abc import Callable, Iterator, Mapping

import dspy

from benchmarks.contenders import LIST_WATCHES, WATCHES, Contender, Lines, Listed, checked, contender
from benchmarks.figures import Figure, compare
from benchmarks.plan import Plan
from benchmarks.provider import answer, field_value, model
from benchmarks.timing import alternate

GOALS = {
    "async": {"dspy.streamify": 0.28, "floor": 0.9, "httpx": 1.4},
    "sync": {"dspy.streamify": 0.08, "floor": 0.15, "httpx": 1.4},
}
"""What the events of a text field may cost, in multiples of the others'."""
_CALLS = 30
"""In a turn, where a call is what is measured."""
ADAPTERS: dict[str, dspy.Adapter] = {"chat": dspy.ChatAdapter(), "json": dspy.JSONAdapter(), "xml": dspy.XMLAdapter()}


def measure(plan: Plan) -> Iterator[Figure]:
    """All formats, awaited and called."""
    chunks = 200 if plan.quick else 2000
    with asyncio.Runner() as runner:
        for way in ("async", "sync"):
            for form in ADAPTERS:
                yield from _text(plan, runner, way, form, chunks)
        for way in ("async", "sync"):
            for form in ("chat", "json"):
                yield from _list(plan, runner, way, form, chunks)
        for way in ("async", "sync"):
            yield from _call(plan, runner, way)


def _text(plan: Plan, runner: asyncio.Runner, way: str, form: str, chunks: int) -> Iterator[Figure]:
    name = model(form, "text", chunks)
    pieces = list(answer(name).chunks or ())
    lines = Lines(plan.lm_kwargs, name)
    contenders = text_contenders(plan, runner, way, name)
    contenders["httpx"] = checked(lines.contender(runner, way), "".join(pieces), len(pieces))
    with dspy.context(adapter=ADAPTERS[form]):
        yield from _figures(plan, f"{form}, {way}", contenders, len(pieces), GOALS[way])
    runner.run(lines.aclose())


def _call(plan: Plan, runner: asyncio.Runner, way: str) -> Iterator[Figure]:
    """What a call costs whatever comes: nearly all of one that hardly says anything."""
    with dspy.context(adapter=ADAPTERS["chat"]):
        contenders = text_contenders(plan, runner, way, model("chat", "text", 4))
        turns = {name: _repeated(each, _CALLS) for name, each in contenders.items()}
        costs = alternate(turns, rounds=plan.rounds, per=_CALLS)
    what = f"chat, {way}, 4 chunks in all"
    yield from compare(costs, {"floor": None}, section="a call", what=what, arrival="bursts", unit="µs/call", scale=1e6)


def _repeated(run: Contender, times: int) -> Callable[[], None]:
    def turn() -> None:
        for _ in range(times):
            run()

    return turn


def _list(plan: Plan, runner: asyncio.Runner, way: str, form: str, chunks: int) -> Iterator[Figure]:
    name = model(form, "models", chunks)
    pieces = len(answer(name).chunks or ())
    with dspy.context(adapter=ADAPTERS[form]):
        contenders = list_contenders(plan, runner, way, name)
        yield from _figures(plan, f"{form} list of models, {way}", contenders, pieces, {"floor": None})


def text_contenders(plan: Plan, runner: asyncio.Runner, way: str, name: str) -> dict[str, Contender]:
    """Those that watch the text field of this model's answer; ours say whether it streamed, and was exact."""
    _, kind, chunks, _ = name.split("-")
    made = {each: contender(runner, watch, plan.lm(name)) for each, watch in WATCHES[way].items()}
    value = field_value(kind, int(chunks))
    made["fieldstream"] = checked(made["fieldstream"], value, int(chunks) * 9 // 10)
    made["fieldstream text"] = checked(made["fieldstream text"], value, 1)
    return made


def list_contenders(plan: Plan, runner: asyncio.Runner, way: str, name: str) -> dict[str, Contender]:
    """The same for a list of models."""
    _, kind, chunks, _ = name.split("-")
    made = {each: contender(runner, watch, plan.lm(name), Listed) for each, watch in LIST_WATCHES[way].items()}
    value = field_value(kind, int(chunks))
    made["fieldstream"] = checked(made["fieldstream"], value, int(chunks) // 2)
    made["fieldstream values"] = checked(made["fieldstream values"], value, 1)
    return made


def _figures(
    plan: Plan, what: str, contenders: Mapping[str, Contender], chunks: int, goals: Mapping[str, float | None]
) -> Iterator[Figure]:
    plan.provider.achieved()
    costs = alternate(contenders, rounds=plan.rounds, per=chunks)
    plan.provider.achieved().check_bursts(min(statistics.median(each) for each in costs.values()))
    yield from compare(
        costs, goals, section="chunks in bursts", what=what, arrival="bursts", unit="µs/chunk", scale=1e6
    )
