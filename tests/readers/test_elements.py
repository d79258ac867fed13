"""`run.elements`: each element of a list once, when it is whole."""

import asyncio
import json
from collections.abc import Iterator
from datetime import date
from enum import Enum
from itertools import accumulate
from typing import Any, Literal, cast

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator, model_validator

import fieldstream
from fieldstream import UnknownFieldError
from fieldstream._fields import FieldName
from fieldstream.events import FieldDelta, FieldStarted
from fieldstream.readers.elements import ElementAssembler
from fieldstream.simulator import Answer, Provider, simulate
from tests.support.leftovers import no_threads_left
from tests.support.reading import Gated, chat, cut
from tests.support.sameness import HAS_ENGINES
from tests.test_attempts import Choosing, Program, Run, Sequence, Writing


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate("") as provider:
        yield provider


@pytest.fixture(autouse=True)
def _lm(provider: Provider) -> Iterator[dspy.LM]:
    lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=2)
    with no_threads_left(), dspy.context(lm=lm):
        yield lm


class Point(BaseModel):
    x: int
    name: str = "none"


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def predictor(kind: Any, field: str = "items") -> dspy.Predict:
    fields = {"question": (str, dspy.InputField()), field: (kind, dspy.OutputField())}
    return dspy.Predict(cast("Any", dspy.Signature)(fields))


JSON = dspy.JSONAdapter(use_native_function_calling=False)

PIECES: list[tuple[Any, list[str], list[Any]]] = [
    (list[str], ['["a"', ",", ' "b"', "]"], ["a", "b"]),
    (list[str], ['["a\\"', 'b\\u00e9"', ', ""', "]"], ['a"bé', ""]),
    (list[int], ["[1", ",", " 23", "]"], [1, 23]),
    (list[float | None], ["[1.5", ", ", "null,", "2]"], [1.5, None, 2.0]),
    (list[Point], ['[{"x": 1', "}", ', {"name": "n", "x": 2}', "]"], [Point(x=1), Point(x=2, name="n")]),
    (list[list[int]], ["[[1,2", "]", ", []", ", [3]]"], [[1, 2], [], [3]]),
    (list[dict[str, Any]], ['[{"a": {"b": [1]}', "}", ", {}", "]"], [{"a": {"b": [1]}}, {}]),
    (list[Colour], ['["red",', '"blue"', "]"], [Colour.RED, Colour.BLUE]),
    (list[date], ['["2024-05-06"', "]"], [date(2024, 5, 6)]),
    (list[Literal["yes", "no"]], ['["yes"', ', "no"', "]"], ["yes", "no"]),
    (list[Any], ['[1, "b"', ', {"c": []}', "]"], [1, "b", {"c": []}]),
    (list[Point] | None, ['[{"x": 1}', "]"], [Point(x=1)]),
    (tuple[int, str], ["[1,", ' "b"', "]"], [1, "b"]),
    (tuple[Point, ...], ['[{"x": 1}', ', {"x": 2}', "]"], [Point(x=1), Point(x=2)]),
]
"""A field's type, its text in pieces, and the elements."""


def whole_after(pieces: list[str]) -> list[int]:
    """How many elements are whole after each piece: as many as a list has that ends there.

    A number may go on until something else comes. So may a string: models forget to escape quotes.
    """
    text = "".join(pieces)
    return [max(map(_count, (text[:end] for end in range(length + 1)))) for length in accumulate(map(len, pieces))]


def _count(text: str) -> int:
    ended = text.rstrip().rstrip(",")
    try:
        known = json.loads(ended if ended.count("[") == ended.count("]") else f"{ended}]")
    except ValueError:
        return 0
    sure = text[-1] in ",]}" or not known or isinstance(known[-1], dict | list)
    return len(known) if sure else len(known) - 1


ADAPTERS: dict[str, tuple[dspy.Adapter, str, str]] = {
    "json": (JSON, '{"items": ', "}"),
    "chat": (dspy.ChatAdapter(), "[[ ## items ## ]]\n", "\n\n[[ ## completed ## ]]"),
}
if hasattr(dspy, "BAMLAdapter"):
    ADAPTERS["baml"] = (dspy.BAMLAdapter(), '{"items": ', "}")


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize(("kind", "pieces", "elements"), PIECES)
async def test_an_element_comes_as_soon_as_it_is_whole(
    provider: Provider, adapter: str, kind: Any, pieces: list[str], elements: list[Any]
) -> None:
    chosen, before, after = ADAPTERS[adapter]
    gated = Gated(before, *pieces, after)
    provider.script(gated.answer)
    with dspy.context(adapter=chosen):
        async with fieldstream.stream(predictor(kind), question="?") as run:
            reader = run.elements("items")
            gated.let()
            seen: list[Any] = []
            for count in whole_after(pieces):
                gated.let()
                while len(seen) < count:  # Nothing that follows is sent before it is read.
                    seen.append(await asyncio.wait_for(anext(reader), 10))
            gated.finish()
            seen += [element async for element in reader]
            late = [element async for element in run.elements("items")]
    assert seen == elements == late
    assert list(map(type, seen)) == list(map(type, elements)) == list(map(type, late))
    assert run.result["items"] == (tuple(elements) if str(kind).startswith("tuple") else elements)


def test_an_element_comes_as_soon_as_it_is_whole_in_a_thread(provider: Provider) -> None:
    gated = Gated(chat(items='["a",').partition("\n\n")[0], ' "b', '"]', "\n\n[[ ## completed ## ]]")
    provider.script(gated.answer)
    with fieldstream.stream(predictor(list[str]), question="?") as run:
        reader = run.elements("items")
        gated.let()
        assert next(reader) == "a"
        gated.let(2)
        assert next(reader) == "b"
        gated.finish()
        assert list(reader) == []
        assert list(run.elements("items")) == ["a", "b"]
    assert run.outcome == "completed"


@pytest.mark.dspy(">=3.4")
async def test_an_element_in_xml(provider: Provider) -> None:
    gated = Gated("<items><item>1</item>", "<item>2", "</item>", "</items>")
    provider.script(gated.answer)
    with dspy.context(adapter=dspy.XMLAdapter()):
        async with fieldstream.stream(predictor(list[int]), question="?") as run:
            reader = run.elements("items")
            gated.let()
            assert await asyncio.wait_for(anext(reader), 10) == 1
            gated.let(2)
            assert await asyncio.wait_for(anext(reader), 10) == 2
            gated.finish()
            assert [element async for element in reader] == []


# What happens in between


def a_list(*items: Any) -> str:
    return chat(items=json.dumps(list(items)))


async def read(program: Any, field: str = "items", **inputs: Any) -> tuple[list[Any], Any]:
    """The elements that two readers were given, one of them late, and the run."""
    async with fieldstream.stream(program, **(inputs or {"question": "?"})) as run:
        seen = [element async for element in run.elements(field)]
        assert seen == [element async for element in run.elements(field)]
        return seen, run


@pytest.mark.dspy(">=3.4")
async def test_what_was_given_stays_when_the_provider_drops_the_stream(provider: Provider) -> None:
    text = a_list({"x": 1}, {"x": 2}, {"x": 3})
    dropped = Answer(chunks=cut(text, 8), options={"drop": text.index("3") // 8})
    provider.script(dropped, a_list({"x": 7}, {"x": 8}, {"x": 3}))
    async with fieldstream.stream(predictor(list[Point]), question="?") as run:
        seen = [element async for element in run.elements("items")]
    assert len(provider.requests) == 2
    assert [point.x for point in seen] == [1, 2, 3]
    assert [point.x for point in run.result["items"]] == [7, 8, 3]


async def test_what_was_given_stays_when_the_adapter_asks_again(provider: Provider) -> None:
    provider.script(chat(items='[{"x": 1}, {"x": "one"}]'), '{"items": [{"x": 1}, {"x": 2}]}')
    seen, run = await read(predictor(list[Point]))
    assert seen == run.result["items"] == [Point(x=1), Point(x=2)]
    assert seen[0] is not run.result["items"][0]


async def test_a_list_that_breaks_off_is_repaired(provider: Provider) -> None:
    provider.script('[[ ## items ## ]]\n[{"x": 1}, {"x": 2, "name": "n')
    seen, run = await read(predictor(list[Point]))
    assert seen == run.result["items"] == [Point(x=1), Point(x=2, name="n")]


async def test_an_element_that_breaks_off_is_none(provider: Provider) -> None:
    text = '[[ ## items ## ]]\n[{"x": 1}, {"x": 2'
    with dspy.context(lm=dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=0)):
        provider.script(Answer(chunks=cut(text, 4), options={"drop": len(cut(text, 4))}))
        async with fieldstream.stream(predictor(list[Point]), question="?") as run:
            reader = run.elements("items")
            assert await anext(reader) == Point(x=1)
            with pytest.raises(dspy.LMError) as raised:
                await anext(reader)
    with pytest.raises(dspy.LMError) as result:
        _ = run.result
    assert raised.value is result.value


class Checked(BaseModel):
    """Its text is not what it holds, and a second look at it fails, in its author's own way."""

    name: str

    @field_validator("name")
    @classmethod
    def upper(cls, name: str) -> str:
        if not name.islower():
            raise KeyError(name)
        return name.upper()


class Before(BaseModel):
    """Whatever stands in the text, its author makes something else of it."""

    name: str

    @model_validator(mode="before")
    @classmethod
    def rename(cls, value: Any) -> Any:
        return {"name": f"{value['called']}!"}


async def test_what_its_author_decides(provider: Provider) -> None:
    provider.script(Answer(chunks=cut(a_list({"name": "a"}, {"name": "b"}), 4)))
    seen, run = await read(predictor(list[Checked]))
    assert [checked.name for checked in seen] == ["A", "B"]
    assert seen == run.result["items"]
    provider.script(Answer(chunks=cut(a_list({"called": "a"}, {"called": "b"}), 4)))
    seen, run = await read(predictor(list[Before]))
    assert [before.name for before in seen] == ["a!", "b!"]
    assert all(one is other for one, other in zip(seen, run.result["items"], strict=True)), "they were made once"


async def test_a_member_that_cannot_be_told_is_not_left_out(provider: Provider) -> None:
    """Which list is meant is known when it was parsed: until then no element has the default in its place."""

    class Either(BaseModel):
        tags: list[int] | list[str] = Field(default=[0])

    provider.script(a_list({"tags": ["a"]}, {"tags": [1]}))
    seen, run = await read(predictor(list[Either]))
    assert [either.tags for either in seen] == [["a"], [1]]
    assert all(one is other for one, other in zip(seen, run.result["items"], strict=True))


async def test_a_cached_answer(provider: Provider) -> None:
    program = predictor(list[Point])
    with dspy.context(lm=dspy.LM(provider.model, **provider.lm_kwargs, cache=True)):
        provider.script(a_list({"x": 1}, {"x": 2}))
        first, _ = await read(program)
        again, run = await read(program)
    assert len(provider.requests) == 1
    assert first == again == run.result["items"]


class Silent(dspy.ChatAdapter):
    """An adapter with a format of its own."""

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        return super().parse(signature, completion.replace("<<", "[[").replace(">>", "]]"))


async def test_adapters_that_tell_only_at_the_end(provider: Provider) -> None:
    provider.script(a_list({"x": 1}, {"x": 2}).replace("[[ ", "<< ").replace(" ]]", " >>"))
    with dspy.context(adapter=Silent()):
        seen, run = await read(predictor(list[Point]))
    assert seen == run.result["items"] == [Point(x=1), Point(x=2)]
    provider.script("One is one, two is two.", a_list({"x": 1}, {"x": 2}))
    with dspy.context(adapter=dspy.TwoStepAdapter(extraction_model=dspy.settings.lm)):
        seen, run = await read(predictor(list[Point]))
    assert seen == run.result["items"] == [Point(x=1), Point(x=2)]


async def test_the_first_of_several_candidates(provider: Provider) -> None:
    answers = [Answer(chunks=cut(a_list("a", "b"), 3)), Answer(chunks=cut(a_list("c"), 3))]
    # An engine asks once for each.
    provider.script(*answers if HAS_ENGINES else [Answer(choices=answers)])
    async with fieldstream.stream(predictor(list[str]), question="?", config={"n": 2}) as run:
        seen = [element async for element in run.elements("items")]
    assert seen == run.result["items"] == ["a", "b"]


async def test_no_list_at_all(provider: Provider) -> None:
    provider.script(chat(items="null"), a_list())
    assert (await read(predictor(list[str] | None)))[0] == []
    assert (await read(predictor(list[str])))[0] == []


async def test_more_elements_than_are_told_in_one_look(provider: Provider) -> None:
    provider.script(Answer(chunks=cut(a_list(*({"x": number} for number in range(3_000))), 500)))
    seen, run = await read(predictor(list[Point]))
    assert seen == run.result["items"] == [Point(x=number) for number in range(3_000)]


# Several calls


class Calls(dspy.Module):
    """Asks several times: one after the other, at once, or in threads."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.ask = predictor(list[str])

    def forward(self, questions: list[str]) -> Any:
        if self.how == "threads":
            examples = [dspy.Example(question=question).with_inputs("question") for question in questions]
            return dspy.Parallel(num_threads=2, disable_progress_bar=True)([(self.ask, each) for each in examples])
        return [self.ask(question=question) for question in questions]


class CallsAtOnce(Calls):
    async def aforward(self, questions: list[str]) -> Any:
        return await asyncio.gather(*(self.ask.acall(question=question) for question in questions))


def repeat(request: Any) -> Answer:
    asked = request.text("user").partition("[[ ## question ## ]]\n")[2].partition("\n")[0]
    return Answer(chunks=cut(a_list(asked, asked.upper()), 3))


@pytest.mark.parametrize("kind", ["in turn", "threads", "at once"])
async def test_calls_are_read_one_after_the_other(kind: str) -> None:
    program = CallsAtOnce(kind) if kind == "at once" else Calls(kind)
    with simulate(repeat) as provider, dspy.context(lm=dspy.LM(provider.model, **provider.lm_kwargs, cache=False)):
        seen, _ = await read(program, questions=["a", "b", "c"])
    pairs = [tuple(seen[at : at + 2]) for at in range(0, 6, 2)]
    assert len(seen) == 6
    assert sorted(pairs) == [("a", "A"), ("b", "B"), ("c", "C")]
    if kind == "in turn":
        assert seen == ["a", "A", "b", "B", "c", "C"]


async def test_a_field_of_a_function_and_of_a_call_s_own_signature(provider: Provider) -> None:
    other = predictor(str)
    points = predictor(list[Point]).signature

    def program(question: str) -> Any:
        return other(question=question, signature="question -> items: list[int]"), other(
            question=question, signature=points
        )

    provider.script(Answer(chunks=cut(a_list(1, 2), 4)), Answer(chunks=cut(a_list({"x": 1}), 4)))
    seen, run = await read(program)
    assert seen == [1, 2, Point(x=1)] == [*run.result[0]["items"], *run.result[1]["items"]]


async def test_a_field_named_by_its_path(provider: Provider) -> None:
    class Two(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = predictor(list[str])
            self.two = predictor(list[str])

        def forward(self, question: str) -> Any:
            return [self.one(question=question), self.two(question=question), self.one(question=question)]

    provider.script(a_list("a"), a_list("b"), a_list("c"))
    async with fieldstream.stream(Two(), question="?") as run:
        assert [element async for element in run.elements("one/items")] == ["a", "c"]
        assert [element async for element in run.elements("two/items")] == ["b"]


async def test_a_module_that_is_there_twice(provider: Provider) -> None:
    class Twice(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = self.other = predictor(list[str])

        def forward(self, question: str) -> Any:
            self.one(question=question)
            return self.other(question=question)

    provider.script(a_list("a"), a_list("b"))
    assert (await read(Twice()))[0] == ["a", "b"]


async def test_an_agent(provider: Provider) -> None:
    def search(q: str) -> str:
        return q

    provider.script(
        chat(next_thought="Look.", next_tool_name="search", next_tool_args='{"q": "a"}'),
        chat(next_thought="Enough.", next_tool_name="finish", next_tool_args="{}"),
        chat(reasoning="So.", items="[1, 2]"),
    )
    async with fieldstream.stream(
        dspy.ReAct(cast("Any", predictor(list[int]).signature), tools=[search]), question="?"
    ) as run:
        assert [element async for element in run.elements("items")] == [1, 2]
        assert [value async for value in run.values("react/next_tool_args")][-1] == {}


async def test_the_elements_of_the_attempt_that_was_chosen(provider: Provider) -> None:
    best = dspy.BestOfN(predictor(list[str]), N=3, reward_fn=lambda _, pred: float(len(pred["items"])), threshold=9.0)
    provider.script(a_list("a"), a_list("b", "c"), a_list())
    async with fieldstream.stream(best, question="?") as run:
        seen = [element async for element in run.elements("items")]
    assert seen == run.result["items"] == ["b", "c"]


LETTERS = st.lists(st.sampled_from("abc"), max_size=2)
PROGRAMS: st.SearchStrategy[Program] = st.recursive(
    st.builds(Writing, LETTERS),
    lambda below: (
        st.builds(Sequence, st.lists(below, max_size=3))
        | st.lists(below, min_size=1, max_size=3).flatmap(
            lambda attempts: st.builds(
                Choosing,
                st.just(attempts),
                st.none() | st.integers(0, len(attempts) - 1),
                st.just(value=False),
            )
        )
    ),
    max_leaves=10,
)


class Made:
    """What a predictor's call came to; it stands for a ``tap.Answer``."""

    def __init__(self, items: list[str]) -> None:
        self.items = items

    def value(self, field: str) -> list[str]:
        return self.items


def stays(program: Program) -> list[str]:
    """The elements of all that was not discarded."""
    match program:
        case Writing(pieces):
            return pieces
        case Sequence(parts):
            return [element for part in parts for element in stays(part)]
        case Choosing(attempts, chosen):
            return stays(attempts[chosen]) if chosen is not None else []


@given(PROGRAMS)
def test_what_was_discarded_has_no_elements(program: Program) -> None:
    events = list(Run().events(program))
    written: dict[str, list[str]] = {}
    for event in events:
        if isinstance(event, FieldStarted):
            written[event.call] = []
        elif isinstance(event, FieldDelta):
            written[event.call].append(event.text or "")
    answers = cast("dict[str, Any]", {call: Made(items) for call, items in written.items()})
    assembler = ElementAssembler(FieldName("p", "answer"), answers)
    assert [element for event in events for element in assembler.feed([event])] == stays(program)


# Words for mistakes


@pytest.mark.parametrize(
    ("kind", "words"),
    [(str, "str"), (int, "int"), (dict[str, int], "dict[str, int]"), (Point, "Point"), (str | None, "str | None")],
)
async def test_a_field_that_has_no_elements(provider: Provider, kind: Any, words: str) -> None:
    async with fieldstream.stream(predictor(kind), question="?") as run:
        with pytest.raises(UnknownFieldError) as raised:
            run.elements("items")
    assert str(raised.value) == (
        f"field 'items' of Predict is of type {words}, which has no elements; "
        "elements() reads lists, values() reads any field"
    )
    assert not provider.requests


async def test_an_unknown_field() -> None:
    async with fieldstream.stream(predictor(list[str]), question="?") as run:
        with pytest.raises(UnknownFieldError, match="Predict has no field 'nope'; it has: self/items"):
            run.elements("nope")
