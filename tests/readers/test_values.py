"""`run.values`: a field's value so far, as it is written."""

import asyncio
import copy
import gc
import json
import re
import weakref
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, cast

import dspy
import pytest
from pydantic import BaseModel

import fieldstream
from fieldstream import Stateful, Streamer, UnknownFieldError, WithState
from fieldstream._fields import FieldName
from fieldstream.events import (
    CallEnded,
    CallStarted,
    Event,
    Failure,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldStarted,
    RunEnded,
)
from fieldstream.log import Completion
from fieldstream.readers.values import ValueAssembler
from fieldstream.simulator import Answer, Provider, simulate
from fieldstream.tap import Answer as CallAnswer
from fieldstream.transforms import Redact
from tests.support.leftovers import no_threads_left
from tests.support.reading import Gated, chat, cut
from tests.support.sameness import HAS_ENGINES


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate("") as provider:
        yield provider


@pytest.fixture(autouse=True)
def _lm(provider: Provider) -> Iterator[dspy.LM]:
    lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=2)
    with no_threads_left(), dspy.context(lm=lm):
        yield lm


class Part(BaseModel):
    name: str
    count: int = 1


class Thing(BaseModel):
    title: str
    made: date | None = None
    parts: list[Part] = []


def predictor(kind: Any, field: str = "thing") -> dspy.Predict:
    fields = {"question": (str, dspy.InputField()), field: (kind, dspy.OutputField())}
    return dspy.Predict(cast("Any", dspy.Signature)(fields))


THING = {"title": "A thing", "made": "2024-05-06", "parts": [{"name": "one", "count": 2}, {"name": "two"}]}


# As it is written


async def test_the_value_so_far(provider: Provider) -> None:
    gated = Gated(
        '[[ ## thing ## ]]\n{"title": "A', ' thing", "parts": [', '{"name": "o', 'ne"}', "]}\n\n[[ ## completed ## ]]"
    )
    provider.script(gated.answer)
    async with fieldstream.stream(predictor(Thing), question="?") as run:
        plain, typed = run.values("thing"), run.values("thing", typed=True)

        async def look() -> tuple[Any, Any]:
            gated.let()
            one, other = await asyncio.wait_for(anext(plain), 10), await asyncio.wait_for(anext(typed), 10)
            assert type(other) is Thing
            return copy.deepcopy(one), other.model_dump(exclude_unset=True)

        assert await look() == ({"title": "A"},) * 2
        assert await look() == ({"title": "A thing", "parts": []},) * 2
        assert await look() == ({"title": "A thing", "parts": [{"name": "o"}]},) * 2
        one, other = await look()
        # A default is known when the object ends; a model knows it as not set by the text.
        assert one == other == {"title": "A thing", "parts": [{"name": "one", "count": 1}]}
        gated.finish()
        plain_rest, typed_rest = [value async for value in plain], [value async for value in typed]
    assert plain_rest[-1] == {"title": "A thing", "made": None, "parts": [{"name": "one", "count": 1}]}
    assert typed_rest[-1] is run.result["thing"]
    assert [value async for value in run.values("thing", typed=True)] == [run.result["thing"]], "late"


def test_the_value_so_far_in_a_thread(provider: Provider) -> None:
    gated = Gated("[[ ## thing ## ]]\n[1,", "2", ",", "3]\n\n[[ ## completed ## ]]")
    provider.script(gated.answer)
    with fieldstream.stream(predictor(list[int]), question="?") as run:
        values = run.values("thing")
        gated.let()
        seen = next(values)
        assert seen == [1]
        gated.let(2)
        assert next(values) is seen
        assert seen == [1, 2], "it is live"
        gated.finish()
        assert list(values)[-1] is run.result["thing"]


async def test_a_slow_reader_is_given_the_newest(provider: Provider) -> None:
    gated = Gated(
        "[[ ## thing ## ]]\n[0", *(f",{number}" for number in range(1, 3_000)), "]", "\n\n[[ ## completed ## ]]"
    )
    provider.script(gated.answer)
    async with fieldstream.stream(predictor(list[int]), question="?") as run:
        values = run.values("thing")
        gated.let(3)
        first = copy.copy(await anext(values))
        gated.let(2_998)
        async for event in run.events(merge=True):
            if isinstance(event, FieldDelta) and event.path == (2_999,):
                break
        second = copy.copy(await anext(values))
        gated.finish()
        rest = [value async for value in values]
    assert len(first) <= 2
    assert second == list(range(3_000))
    assert len(rest) <= 2
    assert rest[-1] is run.result["thing"]


async def test_a_text(provider: Provider) -> None:
    gated = Gated("[[ ## thing ## ]]\nBecause", " it is.", "\n\n[[ ## completed ## ]]")
    provider.script(gated.answer)
    async with fieldstream.stream(predictor(str), question="?") as run:
        values = run.values("thing")
        gated.let()
        assert await anext(values) == "Because"
        gated.let()
        assert await anext(values) == "Because it is."
        gated.finish()
        assert [value async for value in values] == ["Because it is."]


async def test_a_text_that_is_none(provider: Provider) -> None:
    with dspy.context(adapter=dspy.JSONAdapter()):
        provider.script('{"thing": null}', '{"thing": "null"}')
        for _ in range(2):
            async with fieldstream.stream(predictor(str | None), question="?") as run:
                assert [value async for value in run.values("thing")][-1] == run.result["thing"]


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (int, "3"),
        (list[Thing], json.dumps([THING, THING])),
        (dict[str, Thing], json.dumps({"a": THING})),
        (dict[int, str], '{"1": "a"}'),
        (Thing | Part, json.dumps(THING)),
        (date, "2024-05-06"),
        (tuple[int, str], '[1, "a"]'),
        (set[int], "[1, 2]"),
    ],
)
async def test_the_last_value(provider: Provider, kind: Any, text: str, typed: bool) -> None:
    provider.script(Answer(chunks=cut(chat(thing=text), 3)))
    async with fieldstream.stream(predictor(kind), question="?") as run:
        values = [value async for value in run.values("thing", typed=typed)]
        final = [event async for event in run if isinstance(event, CallEnded) and event.fields is not None][-1].fields
    assert final is not None
    if typed:
        assert values[-1] is run.result["thing"]
    else:
        assert values[-1] == final["thing"]


# What happens in between


@pytest.mark.dspy(">=3.4")
async def test_after_a_reset_it_starts_anew(provider: Provider) -> None:
    text = chat(thing="[1, 2, 3]")
    dropped = Gated("[[ ## thing ## ]]\n[1, 2,", "3")
    provider.script(
        Answer(chunks=dropped.answer.chunks, gates=dropped.answer.gates, options={"drop": 2}), chat(thing="[7, 8]")
    )
    async with fieldstream.stream(predictor(list[int]), question="?") as run:
        values = run.values("thing")
        dropped.let()
        assert await anext(values) == [1, 2]
        dropped.finish()
        rest = [value async for value in values]
    assert text != rest
    assert rest[-1] == run.result["thing"] == [7, 8]
    assert all(value[:1] != [1] for value in rest)


async def test_the_programs_error_comes_last(provider: Provider) -> None:
    def program(question: str) -> Any:
        predictor(list[int])(question=question)
        raise LookupError("the program's")

    provider.script(chat(thing="[1, 2]"))
    async with fieldstream.stream(program, question="?") as run:
        values = run.values("thing")
        await asyncio.gather(run.wait(), return_exceptions=True)
        assert await anext(values) == [1, 2]
        for _ in range(2):
            with pytest.raises(LookupError, match="the program's"):
                await anext(values)


async def test_calls_come_one_after_the_other(provider: Provider) -> None:
    ask = predictor(list[int])

    def program(question: str) -> Any:
        return [ask(question=question).thing for _ in range(3)]

    provider.script(*(chat(thing=f"[{number}]") for number in range(3)))
    async with fieldstream.stream(program, question="?") as run:
        await run.wait()
        values = [value async for value in run.values("thing")]
    assert [id(value) for value in values] == [id(value) for value in run.result]


async def test_the_last_value_is_that_of_the_attempt_that_was_chosen(provider: Provider) -> None:
    best = dspy.BestOfN(predictor(list[int]), N=3, reward_fn=lambda _, pred: float(len(pred.thing)), threshold=9.0)
    provider.script(chat(thing="[1]"), chat(thing="[2, 2]"), chat(thing="[]"))
    async with fieldstream.stream(best, question="?") as run:
        values = [value async for value in run.values("thing")]
    assert values[-1] is run.result["thing"]
    assert [value for value in values if not value or value[0] == 1], "all attempts are shown"


async def test_what_does_not_stream(provider: Provider) -> None:
    with dspy.context(lm=dspy.LM(provider.model, **provider.lm_kwargs, cache=True)):
        provider.script(chat(thing=json.dumps(THING)))
        for _ in range(2):
            async with fieldstream.stream(predictor(Thing), question="?") as run:
                values = [value async for value in run.values("thing", typed=True)]
            assert values[-1] is run.result["thing"]
    assert len(provider.requests) == 1
    provider.script("A thing.", chat(thing=json.dumps(THING)))
    with dspy.context(adapter=dspy.TwoStepAdapter(extraction_model=dspy.settings.lm)):
        async with fieldstream.stream(predictor(Thing), question="?") as run:
            values = [value async for value in run.values("thing", typed=True)]
    assert values[-1] is run.result["thing"]


async def test_the_first_of_several_candidates(provider: Provider) -> None:
    answers = [Answer(chunks=cut(chat(thing="[1, 2]"), 3)), Answer(chunks=cut(chat(thing="[3]"), 3))]
    provider.script(*answers if HAS_ENGINES else [Answer(choices=answers)])
    async with fieldstream.stream(predictor(list[int]), question="?", config={"n": 2}) as run:
        values = [value async for value in run.values("thing")]
    assert values[-1] is run.result["thing"]
    assert 3 not in [item for value in values for item in value]


# With states


class Stated(BaseModel):
    title: Annotated[str, WithState]
    tags: Annotated[list[str], WithState]


@pytest.mark.parametrize("typed", [False, True])
async def test_states(provider: Provider, typed: bool) -> None:
    gated = Gated(
        '[[ ## thing ## ]]\n{"title": "a',
        'b",',
        '"tags": ["t',
        '"]',
        "}\n\n[[ ## completed ## ]]",
    )
    provider.script(gated.answer)
    async with fieldstream.stream(predictor(Stated), question="?") as run:
        values = run.values("thing", typed=typed)

        async def look() -> list[tuple[Any, str]]:
            value = await asyncio.wait_for(anext(values), 10)
            if typed:
                return [(copy.copy(each.value), each.state) for each in (value.title, value.tags)]
            return [(copy.copy(value[name]["value"]), value[name]["state"]) for name in ("title", "tags")]

        gated.let()
        assert await look() == [("a", "incomplete"), (None, "pending")]
        gated.let()
        assert await look() == [("ab", "complete"), (None, "pending")]
        gated.let()
        assert await look() == [("ab", "complete"), (["t"], "incomplete")]
        gated.let()
        assert await look() == [("ab", "complete"), (["t"], "complete")]
        gated.finish()
        last = [value async for value in values][-1]
    if typed:
        assert (last.title, last.tags) == (Stateful("ab", "complete"), Stateful(["t"], "complete"))
    else:
        assert last == {
            "title": {"value": "ab", "state": "complete"},
            "tags": {"value": ["t"], "state": "complete"},
        }


# Through transforms


@pytest.mark.parametrize("typed", [False, True])
async def test_what_was_redacted_stays_so(provider: Provider, typed: bool) -> None:
    redact = Redact([re.compile(r"\d{4}-\d\d-\d\d"), "secret"])
    thing = {"title": "A secret", "made": "2024-05-06", "parts": [{"name": "secret"}, {"name": "b"}]}
    for transforms in ([], [redact]):
        provider.script(Answer(chunks=cut(chat(thing=json.dumps(thing)), 5)))
        async with Streamer(predictor(Thing), transforms=transforms)(question="?") as run:
            through = run if transforms else run.through(redact)
            values = [(value, repr(value)) async for value in through.values("thing", typed=typed)]
            late = [value async for value in through.values("thing", typed=typed)]
        assert all("secret" not in words and "2024" not in words for _, words in values)
        for last in (values[-1][0], late[-1]):
            assert last is not run.result["thing"]
            assert type(last.made if typed else last["made"]) is str, "what cannot be a date is its text"


async def test_elements_that_were_redacted_stay_so(provider: Provider) -> None:
    redact = Redact([re.compile(r"\d{4}-\d\d-\d\d"), "secret"])
    for kind, items in [
        (list[Part], [{"name": "a secret"}, {"name": "b"}]),
        (list[date], ["2024-05-06", "2024-05-07"]),
    ]:
        provider.script(Answer(chunks=cut(chat(thing=json.dumps(items)), 5)))
        async with fieldstream.stream(predictor(kind), question="?") as run:
            seen = [element async for element in run.through(redact).elements("thing")]
            own = [element async for element in run.elements("thing")]
        assert len(seen) == 2
        assert own == run.result["thing"]
        assert "secret" not in repr(seen)
        assert "2024" not in repr(seen)
        assert all(element is not other for element in seen for other in run.result["thing"])


# Made of events


def event(made: Any, /, **members: Any) -> Event:
    return made(seq=0, at=0.0, **members)


def begin(call: str) -> list[Event]:
    return [
        event(CallStarted, call=call, kind="predictor", name="p"),
        event(FieldStarted, call=call, field="f", kind="data"),
    ]


def delta(call: str, path: tuple[str | int, ...] = (), **members: Any) -> Event:
    return event(FieldDelta, call=call, field="f", path=path, **members)


def end(call: str, error: Failure | None = None) -> list[Event]:
    return [event(FieldEnded, call=call, field="f"), event(CallEnded, call=call, seconds=0.0, error=error)]


class StatedList(dspy.Signature):
    q: str = dspy.InputField()
    f: Annotated[list[str], WithState] = dspy.OutputField()


def test_a_call_that_fails_is_shown_as_far_as_it_came() -> None:
    assembler = ValueAssembler(FieldName("p", "f"), {"c1": CallAnswer(StatedList)})
    assembler.feed([*begin("c1"), delta("c1", value=[]), delta("c1", (0,), text="a")])
    assert assembler.take() == {"value": ["a"], "state": "incomplete"}
    assert not assembler.news
    assembler.feed([delta("c1", (0,), text="b"), *end("c1", Failure(kind="LMError", message="gone"))])
    assert assembler.news
    assert assembler.take() == {"value": ["ab"], "state": "incomplete"}
    assert not assembler.news
    assert not assembler.ended
    assembler.feed([event(RunEnded, outcome="failed")])
    assert assembler.ended


def test_a_completion_is_news_where_there_are_states() -> None:
    assembler = ValueAssembler(FieldName("p", "f"), {"c1": CallAnswer(StatedList)})
    assembler.feed([*begin("c1"), delta("c1", value=[])])
    assembler.take()
    assembler.feed([Completion(3, "c1", "f", 0, ())])
    assert assembler.news
    assert assembler.take() == {"value": [], "state": "complete"}


def test_calls_at_once_are_read_one_after_the_other() -> None:
    assembler = ValueAssembler(FieldName("p", "f"), {})
    assembler.feed([*begin("c1"), *begin("c2"), delta("c2", value=2), delta("c2", value=22)])
    assert not assembler.news
    assembler.feed([delta("c1", value=1)])
    assert assembler.take() == 1
    assembler.feed(end("c2"))
    assert not assembler.news
    assembler.feed([event(FieldReset, call="c1", field="f", reason="retry")])
    assert not assembler.news
    assembler.feed([*begin("c3"), delta("c3", value=3), *end("c1")])
    assert assembler.take() == 22
    assert assembler.take() == 3
    assert not assembler.news


# Words for mistakes, and what is left


async def test_mistakes(provider: Provider) -> None:
    async with fieldstream.stream(predictor(Thing), question="?") as run:
        with pytest.raises(UnknownFieldError, match="Predict has no field 'nope'; it has: self/thing"):
            run.values("nope")
        with pytest.raises(ValueError, match="interval is -1; it must be a number of seconds, 0 or more"):
            run.values("thing", interval=-1)
    assert not provider.requests


async def test_a_run_that_is_dropped_leaves_nothing(provider: Provider) -> None:
    provider.script(chat(thing=json.dumps(THING)))
    async with fieldstream.stream(predictor(Thing), question="?") as run:
        values = [value async for value in run.values("thing", typed=True)]
    assert values
    kept = weakref.ref(run._execution)  # pyright: ignore[reportPrivateUsage]  # It holds all predictions.
    del run
    gc.collect()
    assert kept() is None
