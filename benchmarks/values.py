"""A structured field with the value so far at every chunk: CPU per chunk, by the size of the JSON.

Nothing is received: the pieces are there. So what is compared is the work on a value alone. Who parses the whole text
again at each chunk pays by its length; who parses on pays the same for each.
"""

import json
import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dspy
import pydantic

from benchmarks import values_ways as ways
from benchmarks.figures import Figure
from benchmarks.plan import Plan
from benchmarks.timing import alternate, ratio
from benchmarks.values_ways import Way, Written

SECTION = "values"

CHUNK = 4
"""Characters in a chunk, as in the tokens of common models."""

GOALS = {500: 2.5, 1_000: 2.5, 2_000: 2.5, 4_000: None, 7_000: 1.0, 15_000: 1.0, 30_000: 0.5}
"""What fieldstream's cost may be, in those of ``jiter`` on the whole text at every chunk, by characters of JSON."""

LARGEST = 30_000
"""The size at which the others are compared with, too."""

PEERS: dict[str, tuple[Way, str]] = {
    "jsonriver": (ways.jsonriver, "fieldstream"),
    "pydantic-ai": (ways.pydantic_ai, "fieldstream typed"),
    "openai": (ways.openai, "fieldstream"),
}
"""The others, each with the way of ours that gives the same: plain data, or objects."""

_LEAST = 2_000
"""A turn takes about so many chunks, so that its time can be measured: small answers are read several times."""


class Source(pydantic.BaseModel):
    """What a list is made of."""

    title: str
    year: int
    open: bool
    quote: str


class Section(pydantic.BaseModel):
    """What a nested model is made of."""

    heading: str
    paragraphs: list[str]
    sources: list[Source]


class Report(pydantic.BaseModel):
    """A nested model."""

    title: str
    score: float
    sections: list[Section]


class Asked(dspy.Signature):
    """Answer with a value."""

    question: str = dspy.InputField()
    answer: Any = dspy.OutputField()


def measure(plan: Plan) -> Iterator[Figure]:
    """A list of models, and a nested model; all sizes against ``jiter``, the largest against the others."""
    sizes = [500, 7_000] if plan.quick else list(GOALS)
    for what, answer in (("list of models", list[Source]), ("nested model", Report)):
        for size in sizes:
            yield from _against_jiter(plan, _titled(what, size), written(answer, size), GOALS[size])
        largest = sizes[-1] if plan.quick else LARGEST
        yield from _against_peers(plan, _titled(what, largest), written(answer, largest))


def _against_jiter(plan: Plan, what: str, answer: Written, goal: float | None) -> Iterator[Figure]:
    known: dict[str, Way] = {
        "jiter": ways.jiter,
        "fieldstream": ways.fieldstream,
        "fieldstream typed": ways.fieldstream_typed,
        "fieldstream in a run": ways.fieldstream_run,
    }
    costs = _costs(known, answer, rounds=plan.rounds)
    for name, cost in costs.items():
        is_jiter = name == "jiter"
        yield Figure(
            section=SECTION,
            what=what,
            arrival="",
            contender=name,
            value=statistics.median(cost) * 1e6,
            unit="µs/chunk",
            against=None if is_jiter else "jiter",
            ratio=None if is_jiter else ratio(cost, costs["jiter"]),
            goal=goal if name == "fieldstream" else None,
        )


def _against_peers(plan: Plan, what: str, answer: Written) -> Iterator[Figure]:
    ours: dict[str, Way] = {"fieldstream": ways.fieldstream, "fieldstream typed": ways.fieldstream_typed}
    # They cost so much more that fewer rounds tell it.
    costs = _costs(ours | {name: way for name, (way, _) in PEERS.items()}, answer, rounds=min(plan.rounds, 3))
    for name, (_, own) in PEERS.items():
        for contender, other in ((name, None), (own, name)):
            yield Figure(
                section=SECTION,
                what=what,
                arrival="",
                contender=contender,
                value=statistics.median(costs[contender]) * 1e6,
                unit="µs/chunk",
                against=other,
                ratio=None if other is None else ratio(costs[contender], costs[other]),
                goal=None if other is None else 1.0,
            )


def _titled(what: str, size: int) -> str:
    return f"{what}, {size / 1000:g} kB"


def _costs(known: Mapping[str, Way], answer: Written, *, rounds: int) -> dict[str, list[float]]:
    """CPU seconds per chunk. Raises ``AssertionError`` where a way does not end with the value that was written."""
    value = json.loads("".join(answer.pieces))["answer"]
    times = max(1, _LEAST // len(answer.pieces))
    turns = {name: _turn(name, way(answer), value, times) for name, way in known.items()}
    return alternate(turns, rounds=rounds, per=len(answer.pieces) * times)


def _turn(name: str, read: Callable[[], Any], value: Any, times: int) -> Callable[[], object]:
    if (seen := plain(read())) != value:
        raise AssertionError(f"{name} saw another value: {str(seen)[:200]} …")

    def turn() -> None:
        for _ in range(times):
            read()

    return turn


def plain(value: Any) -> Any:
    """A value as JSON has it, also where it is made of models."""
    return pydantic.TypeAdapter(Any).dump_python(value, mode="json")


def written(answer: Any, size: int) -> Written:
    """An answer of so many characters, in pieces, with a value of this type."""
    whole = pydantic.create_model("Whole", answer=(answer, ...))
    signature = Asked.with_updated_fields("answer", type_=answer)
    count = 1
    while len(_text(answer, count + 1)) <= size:
        count += 1
    text = _text(answer, count, pad=size - len(_text(answer, count)))
    return Written([text[at : at + CHUNK] for at in range(0, len(text), CHUNK)], signature, whole)


def _text(answer: Any, count: int, *, pad: int = 0) -> str:
    """An answer with so many elements; the last text in it is longer by ``pad`` characters."""
    value: Any = [(_section if answer is Report else _source)(each) for each in range(count)]
    last = value[-1]["sources"][-1] if answer is Report else value[-1]
    last["quote"] += "." * pad
    if answer is Report:
        value = {"title": "How light travels", "score": 0.75, "sections": value}
    return json.dumps({"answer": value}, ensure_ascii=False)


def _section(number: int) -> dict[str, Any]:
    first = f"Section {number} begins where the last one ended, with what was seen then."
    second = "It was called “light”, and it still is:\nnobody has a better word."
    return {"heading": f"On light, part {number}", "paragraphs": [first, second], "sources": [_source(number)]}


def _source(number: int) -> dict[str, Any]:
    return {
        "title": f"The light that we see, volume {number}",
        "year": 1800 + number % 200,
        "open": number % 3 == 0,
        "quote": f'It was on its way for longer than there is anyone to see it, and "{number}" is what we know of it.',
    }
