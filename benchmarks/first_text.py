"""The provider chunk at which the first text of a field is shown: exact, by a provider that waits for its reader.

The first possible one is the chunk with the field's first character, as soon as nothing that may follow can make it
part of the format: ``[`` at the beginning of a chat answer's section may begin the next header, and half of an escape
is no character. Who shows something of the format first (as ``dspy.streamify`` does, with small chunks) has not shown
the field's text by that. A field that never streams is shown with the answer's end.
"""

import json
import statistics
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dspy
from dspy.streaming import StreamListener, streamify

import fieldstream
from benchmarks.contenders import QUESTION
from benchmarks.figures import Figure
from benchmarks.plan import Plan
from benchmarks.turns import Turns
from fieldstream.simulator.tokens import tokenize

SECTION = "first text"
FIELDS = ("reasoning", "answer")
SIGNATURE = f"question -> {', '.join(FIELDS)}"


def _each(size: int) -> Callable[[str], list[str]]:
    return lambda text: [text[at : at + size] for at in range(0, len(text), size)]


CHUNKINGS: dict[str, Callable[[str], list[str]]] = {
    "1 character": _each(1),
    "3 characters": _each(3),
    "4 characters": _each(4),
    "7 characters": _each(7),
    "tokens": tokenize,
}
"""Where an answer is cut: as often as can be, as the tokens of common models are long, and as they are."""

ADAPTERS: dict[str, dspy.Adapter] = {"chat": dspy.ChatAdapter(), "json": dspy.JSONAdapter(), "xml": dspy.XMLAdapter()}


@dataclass(frozen=True)
class Beginning:
    """How a field's text begins."""

    text: str
    sign: str
    """The first character of it that no format has. Who has shown it has shown the field's text."""
    written: str
    """What must have come of the answer, before it can be known that it is that: up to ``sign``, as it is written."""


BEGINNINGS: dict[str, Sequence[Beginning]] = {
    "chat": (Beginning("Zest and more of it.", "Z", "Z"), Beginning("[1] says so.", "1", "[1")),
    "json": (Beginning("Zest and more of it.", "Z", "Z"), Beginning("étude in blue.", "é", "\\u00e9")),
    "xml": (Beginning("Zest and more of it.", "Z", "Z"), Beginning("étude in blue.", "é", "&#233;")),
}
"""A letter, and something that takes longer to be sure of."""


@dataclass(frozen=True)
class Case:
    """An answer in chunks, and the field of it that is waited for."""

    form: str
    chunks: Sequence[str]
    field: str
    beginning: Beginning

    @property
    def first_possible(self) -> int:
        """The chunk, counted from 1, with which the field's first character is known."""
        whole = "".join(self.chunks)
        begins = whole.index(self.beginning.written, whole.index(_SECTION[self.form].format(self.field)))
        known = begins + len(self.beginning.written)
        read = 0
        for number, chunk in enumerate(self.chunks, 1):
            read += len(chunk)
            if read >= known:
                return number
        raise AssertionError("the answer has no such field")


_SECTION = {"chat": "[[ ## {} ## ]]\n", "json": '"{}": "', "xml": "<{}>\n"}


def measure(plan: Plan) -> Iterator[Figure]:
    """All formats and ways to cut."""
    for form in ADAPTERS:
        for cut, pieces in CHUNKINGS.items():
            if not plan.quick or cut == "tokens":
                yield from _figures(form, cut, list(cases(form, pieces)))


def cases(form: str, pieces: Callable[[str], list[str]]) -> Iterator[Case]:
    """Every field with every beginning."""
    for beginning in BEGINNINGS[form]:
        chunks = pieces(_answer(form, beginning.text))
        for field in FIELDS:
            yield Case(form, chunks, field, beginning)


def _figures(form: str, cut: str, known: Sequence[Case]) -> Iterator[Figure]:
    shown = {name: [shown_at(case, watch) for case in known] for name, watch in WATCHES.items()}
    shown["first possible"] = [case.first_possible for case in known]
    compared: dict[str, dict[str | None, float | None]] = {
        "fieldstream": {"first possible": 1.0 if form in ("chat", "json") else None, "dspy.streamify": 1.0},
        "dspy.streamify": {"first possible": None},
        "first possible": {None: None},
    }
    for contender, others in compared.items():
        for other, goal in others.items():
            yield Figure(
                section=SECTION,
                what=f"{form}, {cut}",
                arrival="one by one",
                contender=contender,
                value=statistics.median(shown[contender]),
                unit="chunk",
                against=other,
                ratio=None if other is None else _worst(shown[contender], shown[other]),
                goal=goal,
            )


def _worst(numbers: Sequence[int], others: Sequence[int]) -> float:
    return max(number / other for number, other in zip(numbers, others, strict=True))


def _answer(form: str, text: str) -> str:
    """An answer in which both fields begin so."""
    match form:
        case "chat":
            return "\n\n".join([*(f"[[ ## {field} ## ]]\n{text}" for field in FIELDS), "[[ ## completed ## ]]"])
        case "json":
            return json.dumps(dict.fromkeys(FIELDS, text))
        case _:
            escaped = text.encode("ascii", "xmlcharrefreplace").decode()
            return "\n\n".join(f"<{field}>\n{escaped}\n</{field}>" for field in FIELDS)


def shown_at(case: Case, watch: "Watch") -> int:
    """The chunk, counted from 1, with which a contender has shown the field's first text.

    Where it never shows it, that is one after the last.
    """
    turns = Turns(case.chunks)
    at: list[int] = []

    def show(text: str) -> None:
        if not at and case.beginning.sign in text:
            at.append(turns.sent)
            turns.let_go()

    async def main(lm_kwargs: Mapping[str, Any]) -> None:
        lm = dspy.LM("openai/m", cache=False, **lm_kwargs)
        with dspy.context(lm=lm, adapter=ADAPTERS[case.form]):
            await watch(case.field, show)

    turns.run(main)
    return min([*at, len(case.chunks) + 1])


async def _watch_fieldstream(field: str, show: Callable[[str], None]) -> None:
    async with fieldstream.stream(dspy.Predict(SIGNATURE), question=QUESTION) as run:
        async for text in run.text(field):
            show(text)


async def _watch_streamify(field: str, show: Callable[[str], None]) -> None:
    listeners = [StreamListener(each) for each in FIELDS]
    watched: Any = streamify(dspy.Predict(SIGNATURE), stream_listeners=listeners, is_async_program=True)
    async for value in watched(question=QUESTION):
        if not isinstance(value, dspy.Prediction) and value.signature_field_name == field:
            show(value.chunk)


Watch = Callable[[str, Callable[[str], None]], Awaitable[None]]
"""Runs the program, and hands over what it is shown of a field."""

WATCHES: dict[str, Watch] = {"fieldstream": _watch_fieldstream, "dspy.streamify": _watch_streamify}
