"""Transforms on real runs, from a provider that waits where the test says: for loops and for threads."""

import asyncio
import itertools
import re
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import dspy
import msgspec
import pytest

import fieldstream
from fieldstream import Guard, Redact, RunCancelledError, Smooth, Streamer
from fieldstream.events import CallEnded, Custom, Event, Failure, FieldDelta, RunEnded
from fieldstream.log import MemoryLog
from fieldstream.readers.transformed import TransformedCursor
from fieldstream.simulator import Answer, Provider, simulate
from fieldstream.transforms import Draft
from tests.support.leftovers import DEADLINE, no_requests_left, no_tasks_left, no_threads_left, read_all
from tests.support.order import check_order
from tests.support.values import check_exact

SECRET = "sk-12345"
TEXT = f"the key {SECRET} is here"
redact = Redact(re.compile(r"sk-\d+"))

Way = Literal["async", "sync", "thread"]
ways = pytest.mark.parametrize("way", ["async", "sync", "thread"])


def chat(**fields: str) -> str:
    return "".join(f"[[ ## {name} ## ]]\n{value}\n\n" for name, value in fields.items()) + "[[ ## completed ## ]]"


def cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate() as provider:
        yield provider


@pytest.fixture(autouse=True)
def _lm(provider: Provider) -> Iterator[None]:
    lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=0)
    with no_threads_left(), dspy.context(lm=lm):
        yield
    no_requests_left(provider)


def qa() -> dspy.Predict:
    return dspy.Predict("question -> answer")


def watch(way: Way, *transforms: Any, program: Any = None) -> Streamer:
    return Streamer(program or qa(), mode="auto" if way == "sync" else way, transforms=transforms)


def read(way: Way, streamer: Streamer, **inputs: Any) -> tuple[Any, list[Event], list[str]]:
    """The run, its events and its answer's text."""
    inputs = inputs or {"question": "Why?"}

    async def in_loop() -> tuple[Any, list[Event], list[str]]:
        async with streamer(**inputs) as run:
            events = [event async for event in run]
            pieces = [piece async for piece in run.text("answer")]
        await no_tasks_left()
        return run, events, list(pieces)

    if way != "sync":
        return asyncio.run(in_loop())
    with streamer(**inputs) as run:
        return run, list(run), list(run.text("answer"))


@ways
def test_a_secret_split_anywhere_is_in_no_event(way: Way, provider: Provider) -> None:
    text = chat(answer=TEXT)
    first = text.index(SECRET)
    splits = list(itertools.combinations(range(first - 1, first + len(SECRET) + 2), 2))
    for start, end in splits[:: 1 if way == "async" else 7]:
        provider.script(Answer(chunks=[text[:start], text[start:end], text[end:]]))
        run, events, pieces = read(way, watch(way, redact))
        check_order(events)
        check_exact(events)
        assert "".join(pieces) == "the key […] is here"
        for event in events:
            assert "sk-" not in str(event)
        assert run.result.answer == TEXT, "the result is the program's"


@ways
def test_what_is_not_held_back_comes_at_once(way: Way, provider: Provider) -> None:
    """The reader has the text before the secret while the provider is still in the middle of it."""
    gate = threading.Event()
    text = chat(answer=TEXT)
    at = text.index(SECRET) + 4
    # A parser, too, holds a few characters back: a space may be the field's last.
    provider.script(Answer(chunks=[text[:at], text[at:]], gates={1: gate}))
    shown = ""

    async def in_loop() -> None:
        nonlocal shown
        async with watch(way, redact)(question="Why?") as run:
            async for piece in run.text("answer"):
                shown += piece
                if shown == "the key ":
                    gate.set()

    if way == "sync":
        with watch(way, redact)(question="Why?") as run:
            for piece in run.text("answer"):
                shown += piece
                if shown == "the key ":
                    gate.set()
    else:
        asyncio.run(in_loop())
    assert shown == "the key […] is here"


def test_structured_values_are_redacted_inside(provider: Provider) -> None:
    program = dspy.Predict("question -> answer, keys: list[str], by_name: dict[str, str]")
    value = {"one": f"a {SECRET}", SECRET: "b"}
    text = chat(answer="see keys", keys=f'["x", "{SECRET}", "y{SECRET}"]', by_name=msgspec.json.encode(value).decode())
    for size in (1, 3, 7, 500):
        provider.script(Answer(chunks=cut(text, size)))
        run, events, _ = read("sync", watch("sync", redact, program=program))
        check_order(events)
        check_exact(events)
        ended = next(event for event in events if isinstance(event, CallEnded) and event.fields is not None)
        assert ended.fields == {
            "answer": "see keys",
            "keys": ["x", "[…]", "y[…]"],
            "by_name": {"one": "a […]", "[…]": "b"},
        }
        assert not [event for event in events if "sk-" in str(event)]
        assert run.result["keys"] == ["x", SECRET, f"y{SECRET}"]


@ways
def test_smooth_and_redact_together(way: Way, provider: Provider) -> None:
    provider.script(Answer(chunks=cut(chat(answer=TEXT), 5)))
    run, events, pieces = read(way, watch(way, redact, Smooth(every=0.001)))
    check_order(events)
    check_exact(events)
    texts = [event.text for event in events if isinstance(event, FieldDelta)]
    assert texts == ["the ", "key ", "[…] ", "is ", "here"]
    assert "".join(pieces) == "the key […] is here"
    assert run.outcome == "completed"


async def test_a_view_has_events_of_its_own(provider: Provider) -> None:
    provider.script(Answer(chunks=cut(chat(answer=TEXT), 4)))
    async with fieldstream.stream(qa(), question="Why?") as run:
        view = run.through(redact, Smooth(every=0.001))
        whole = [event async for event in view]
        plain = [event async for event in run]
        assert SECRET in "".join(event.text or "" for event in plain if isinstance(event, FieldDelta))
        for place in range(-1, len(whole)):
            assert [event async for event in view.events(after=place)] == whole[place + 1 :]
        merged = [event async for event in view.events(merge=True)]
        assert {event.seq for event in merged} <= {event.seq for event in whole}
        assert merged[-1] == whole[-1]
        assert "".join([piece async for piece in view.through(Redact("here", "there")).text("answer")]) == (
            "the key […] is there"
        )
        assert view.id == run.id
        assert await view.wait() is await run.wait()
        assert view.result.answer == TEXT


def test_a_view_in_a_thread(provider: Provider) -> None:
    provider.script(Answer(chunks=cut(chat(answer=TEXT), 4)))
    with fieldstream.stream(qa(), question="Why?") as run:
        view = run.through(redact)
        assert "".join(view.text("answer")) == "the key […] is here"
        whole = list(view)
        assert list(view.events(after=5)) == whole[6:]
        assert "".join(run.text("answer")) == TEXT


async def test_a_reader_that_is_cancelled_loses_nothing(provider: Provider) -> None:
    log = MemoryLog()
    text = log.open_text(FieldDelta, call="c", field="f")
    cursor = TransformedCursor(log, [Smooth("character", every=0.001)], lambda failure: None)
    seen = ""
    for _ in range(20):
        log.append(text, "abc")
        log.flush()
        waiting = asyncio.ensure_future(cursor.next())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        try:
            seen += "".join(event.text or "" for event in await waiting if isinstance(event, FieldDelta))
        except asyncio.CancelledError:
            pass
    log.record(RunEnded, outcome="completed")
    log.flush()
    events: list[Event] = []
    async for event in cursor.follow():
        events.append(event)  # noqa: PERF401 (a comprehension hides what is awaited)
    seen += "".join(event.text or "" for event in events if isinstance(event, FieldDelta))
    assert seen == "abc" * 20
    assert await cursor.next() == []
    assert cursor.next_blocking() == []
    assert not log._waiters


# Guards


@contextmanager
def held(provider: Provider, **fields: str) -> Generator[None]:
    """An answer whose last chunks are not sent before the block is over: who ends before that was stopped."""
    chunks = cut(chat(**fields), 6)
    gate = threading.Event()
    provider.script(Answer(chunks=[*chunks[:-2], "", *chunks[-2:]], gates={len(chunks) - 2: gate}))
    try:
        yield
    finally:
        gate.set()


def no_keys(draft: Draft) -> str | None:
    return "it tells a key" if "sk-" in draft.tail(len(draft.new) + 2) else None


STOPPED = Failure(kind="guard", message="it tells a key")
LONG = f"the key {SECRET} is here, and so on and on and on"


def check_stopped(run: Any, events: list[Event], provider: Provider) -> None:
    check_order(events)
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert (end.outcome, end.error) == ("cancelled", STOPPED)
    assert not [event for event in events if "sk-" in str(event)]
    assert run.outcome == "cancelled"
    with pytest.raises(RunCancelledError, match="it tells a key"):
        _ = run.result
    assert provider.requests[-1].disconnected.wait(DEADLINE)


@ways
def test_a_guard_stops_the_run_and_its_request(way: Way, provider: Provider) -> None:
    with held(provider, answer=LONG):
        run, events, pieces = read(way, watch(way, Guard(no_keys)))
        check_stopped(run, events, provider)
    assert "the key ".startswith("".join(pieces).rstrip("s"))
    raw = read_all(run._log)
    check_order(raw)
    assert isinstance(raw[-1], RunEnded)
    assert raw[-1].error == STOPPED


@ways
def test_a_guard_needs_no_reader(way: Way, provider: Provider) -> None:
    async def in_loop() -> Any:
        async with watch(way, Smooth(every=9, most_behind=99), Guard(no_keys))(question="Why?") as run:
            with pytest.raises(RunCancelledError, match="it tells a key"):
                await run.wait()
        return run

    with held(provider, answer=LONG):
        if way == "sync":
            with watch(way, Guard(no_keys))(question="Why?") as run, pytest.raises(RunCancelledError, match="a key"):
                run.wait()
        else:
            run = asyncio.run(in_loop())
        assert provider.requests[-1].disconnected.wait(DEADLINE)
    assert run.outcome == "cancelled"


def test_a_guard_of_a_view_stops_the_run_when_it_is_read(provider: Provider) -> None:
    with held(provider, answer=LONG), fieldstream.stream(qa(), question="Why?") as run:
        check_stopped(run, list(run.through(Guard(no_keys))), provider)


async def test_a_guard_of_a_view_in_a_loop(provider: Provider) -> None:
    with held(provider, answer=LONG):
        async with fieldstream.stream(qa(), question="Why?") as run:
            view = run.through(Guard(no_keys))
            pieces = [piece async for piece in view.text("answer")]
            assert "sk" not in "".join(pieces)
            events = [event async for event in view]
        await no_tasks_left()
        check_stopped(run, events, provider)


def test_a_guard_that_comes_too_late_stops_the_view_alone(provider: Provider) -> None:
    provider.script(Answer(chunks=cut(chat(answer=TEXT), 6)))
    with fieldstream.stream(qa(), question="Why?") as run:
        assert run.wait().answer == TEXT
        events = list(run.through(Guard(no_keys)))
    check_order(events)
    assert isinstance(events[-1], RunEnded)
    assert events[-1].error == STOPPED
    assert run.outcome == "completed"
    assert run.result.answer == TEXT


def test_a_guard_that_lets_all_pass_changes_nothing(provider: Provider) -> None:
    chunks = cut(chat(answer=TEXT), 6)
    provider.script(Answer(chunks=chunks), Answer(chunks=chunks))
    run, events, pieces = read("sync", watch("sync", Guard(lambda draft: None)))
    assert events == read_all(run._log)
    assert "".join(pieces) == run.result.answer == TEXT
    assert not run._log._waiters


@ways
def test_a_guard_that_fails_stops_the_run(way: Way, provider: Provider) -> None:
    def check(draft: Draft) -> None:
        raise ValueError(f"no {draft.field}")

    provider.script(Answer(chunks=cut(chat(answer=LONG), 6)))
    run, events, pieces = read(way, watch(way, Guard(check)))
    check_order(events)
    assert pieces == []
    with pytest.raises(RunCancelledError, match="the guard's check raised ValueError: no answer"):
        _ = run.result


@ways
def test_a_guard_in_a_program_of_threads(way: Way, provider: Provider) -> None:
    """It is asked in the threads that write, one at a time."""
    inside = 0

    def check(draft: Draft) -> str | None:
        nonlocal inside
        inside += 1
        assert inside == 1
        inside -= 1
        return "enough" if draft.length > 40 else None

    class Program(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.predict = qa()

        def forward(self, question: str) -> Any:
            asks = [(self.predict, dspy.Example(question=f"{question}{n}").with_inputs("question")) for n in range(4)]
            return dspy.Parallel(num_threads=4, disable_progress_bar=True)(asks)

    provider.options = provider.options.updated({"length": 60})
    streamer = watch("sync" if way == "sync" else "thread", Guard(check), program=Program())
    _, events, _ = read("sync" if way == "sync" else "thread", streamer)
    check_order(events)
    assert isinstance(events[-1], RunEnded)
    assert events[-1].error == Failure(kind="guard", message="enough")


# A user's own


class Broken:
    def start(self) -> "Broken":
        return self

    def feed(self, event: Event) -> list[Event]:
        if isinstance(event, Custom):
            raise ValueError("broken")
        return [event]


class BrokenWatch(Broken):
    watches = True


def says(question: str) -> str:
    fieldstream.emit(question)
    return question


async def test_an_exception_of_a_transform_is_its_readers(provider: Provider) -> None:
    async with Streamer(says, transforms=[Broken()])(question="x") as run:
        events = aiter(run)
        for _ in range(2):
            with pytest.raises(ValueError, match="broken"):
                _ = [event async for event in events]
        assert await run.wait() == "x", "the program has nothing to do with it"


def test_one_that_watches_and_breaks_stops_the_run(provider: Provider) -> None:
    with Streamer(says, transforms=[BrokenWatch()])(question="x") as run:
        with pytest.raises(RunCancelledError, match="a transform raised ValueError: broken"):
            run.wait()
        end = read_all(run._log)[-1]
    assert isinstance(end, RunEnded)
    assert end.error == Failure(kind="guard", message="a transform raised ValueError: broken")
