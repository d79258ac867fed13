"""`fieldstream.stream`, as its users have it: under `async with` and under `with`."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import dspy
import pytest

import fieldstream
from fieldstream import RunCancelledError, RunNotEndedError, Streamer, Text, UnknownFieldError
from fieldstream.events import CallStarted, Custom, Event, FieldDelta, RunEnded, RunStarted, Status
from fieldstream.simulator import Answer, ChatRequest, Provider, simulate
from tests.support.leftovers import no_tasks_left, no_threads_left
from tests.support.order import check_order
from tests.support.sameness import HAS_ENGINES


def chat(**fields: str) -> str:
    return "".join(f"[[ ## {name} ## ]]\n{value}\n\n" for name, value in fields.items()) + "[[ ## completed ## ]]"


def say(request: ChatRequest) -> Answer:
    """An answer that repeats the question."""
    asked = request.text("user").partition("[[ ## question ## ]]\n")[2].partition("\n")[0]
    text = chat(answer=f"You ask: {asked}")
    return Answer(chunks=[text[at : at + 8] for at in range(0, len(text), 8)])


@pytest.fixture
def provider() -> Iterator[Provider]:
    with simulate(say) as provider:
        yield provider


@pytest.fixture(autouse=True)
def _lm(provider: Provider) -> Iterator[dspy.LM]:
    lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=0)
    with no_threads_left(), dspy.context(lm=lm):
        yield lm


@pytest.fixture
def gate(provider: Provider) -> threading.Event:
    """Holds back the next answer after its first field's first words."""
    gate = threading.Event()
    answer = say_what("Why?")
    provider.script(Answer(chunks=answer, gates={len(answer) - 2: gate}))
    return gate


def say_what(question: str) -> list[str]:
    text = chat(answer=f"You ask: {question}")
    return [text[at : at + 8] for at in range(0, len(text), 8)]


def qa() -> dspy.Predict:
    return dspy.Predict("question -> answer")


class Forward(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.predict = qa()

    def forward(self, question: str) -> Any:
        return self.predict(question=question)


class Aforward(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.predict = qa()

    async def aforward(self, question: str) -> Any:
        return await self.predict.acall(question=question)


# What a run gives


async def test_a_text_in_a_loop() -> None:
    async with fieldstream.stream(qa(), question="Why?") as run:
        pieces = [piece async for piece in run.text("answer")]
    assert pieces
    assert all(type(piece) is Text and piece.reset is None for piece in pieces)
    assert len({piece.call for piece in pieces}) == 1
    assert "".join(pieces) == run.result.answer == "You ask: Why?"
    assert isinstance(run.result, dspy.Prediction)
    assert run.outcome == "completed"


def test_a_text_in_a_thread() -> None:
    with fieldstream.stream(qa(), question="Why?") as run:
        pieces = list(run.text("answer"))
    assert pieces
    assert all(type(piece) is Text and piece.reset is None for piece in pieces)
    assert "".join(pieces) == run.result.answer == "You ask: Why?"
    assert run.outcome == "completed"


async def test_every_event_in_a_loop() -> None:
    async with fieldstream.stream(Forward(), question="Why?") as run:
        events = [event async for event in run]
    check_order(events)
    check_events(events, run)


def test_every_event_in_a_thread() -> None:
    with fieldstream.stream(Forward(), question="Why?") as run:
        events = list(run)
    check_order(events)
    check_events(events, run)


def check_events(events: list[Event], run: Any) -> None:
    first, last = events[0], events[-1]
    assert isinstance(first, RunStarted)
    assert (first.run, first.program) == (run.id, "Forward")
    assert [(event.kind, event.name) for event in events if isinstance(event, CallStarted)] == [
        ("module", "Forward"),
        ("predictor", "predict"),
        ("lm", "openai/sim"),
    ]
    assert "".join(event.text or "" for event in events if isinstance(event, FieldDelta)) == "You ask: Why?"
    assert isinstance(last, RunEnded)
    assert (last.outcome, last.result) == ("completed", {"answer": "You ask: Why?"})
    assert last.usage == run.usage != {}


async def test_events_after_a_place_and_merged() -> None:
    async with fieldstream.stream(qa(), question="Why?") as run:
        whole = [event async for event in run]
    for place in range(-1, len(whole)):
        assert [event async for event in run.events(after=place)] == whole[place + 1 :]
    merged = [event async for event in run.events(merge=True)]
    assert [event.text for event in merged if isinstance(event, FieldDelta)] == ["You ask: Why?"]
    assert merged[-1] == whole[-1]


def test_events_after_a_place_and_merged_in_a_thread() -> None:
    with fieldstream.stream(qa(), question="Why?") as run:
        whole = list(run)
    for place in range(-1, len(whole)):
        assert list(run.events(after=place)) == whole[place + 1 :]
    assert [event.text for event in run.events(merge=True) if isinstance(event, FieldDelta)] == ["You ask: Why?"]


async def test_the_result_is_there_at_the_end(gate: threading.Event) -> None:
    async with fieldstream.stream(qa(), question="Why?") as run:
        async for _ in run.text("answer"):
            break
        with pytest.raises(RunNotEndedError, match=r"`await run\.wait\(\)`"):
            _ = run.result
        assert run.outcome is None
        gate.set()
        assert (await run.wait()) is run.result
        assert run.result.answer == "You ask: Why?"


def test_the_result_is_there_at_the_end_in_a_thread(gate: threading.Event) -> None:
    with fieldstream.stream(qa(), question="Why?") as run:
        for _ in run.text("answer"):
            break
        with pytest.raises(RunNotEndedError, match=r"`run\.wait\(\)`"):
            _ = run.result
        assert run.outcome is None
        gate.set()
        assert run.wait() is run.result


async def test_a_cancelled_run_has_no_result(gate: threading.Event) -> None:
    async with fieldstream.stream(qa(), question="Why?") as run:
        pass
    assert run.outcome == "cancelled"
    with pytest.raises(RunCancelledError, match="cancelled"):
        _ = run.result
    with pytest.raises(RunCancelledError):
        await run.wait()
    assert [piece async for piece in run.text("answer")] == []


async def test_usage_is_that_of_the_lms() -> None:
    async with fieldstream.stream(Forward(), question="Why?") as run:
        await run.wait()
    (usage,) = run.usage.values()
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


async def test_ids_are_long_and_never_the_same() -> None:
    ids = set()
    for _ in range(3):
        async with fieldstream.stream(lambda: None) as run:
            ids.add(run.id)
    assert len(ids) == 3
    assert min(map(len, ids)) >= 16


# Several readers, late ones, elsewhere


async def test_several_readers_read_the_same() -> None:
    async with fieldstream.stream(qa(), question="Why?") as run:

        async def text() -> str:
            return "".join([piece async for piece in run.text("answer")])

        async def events() -> list[Event]:
            return [event async for event in run]

        text_1, events_1, text_2, events_2 = await asyncio.gather(text(), events(), text(), events())
    assert text_1 == text_2 == "You ask: Why?"
    assert events_1 == events_2
    assert await text() == text_1, "late, after the block"
    assert await events() == events_1


def test_late_readers_in_a_thread() -> None:
    with fieldstream.stream(qa(), question="Why?") as run:
        run.wait()
    assert "".join(run.text("answer")) == "".join(run.text("answer")) == "You ask: Why?"
    assert list(run) == list(run)


async def test_a_run_of_a_loop_is_read_in_others(gate: threading.Event) -> None:
    async with fieldstream.stream(qa(), question="Why?") as run:

        async def text() -> str:
            return "".join([piece async for piece in run.text("answer")])

        elsewhere = [asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(text()))) for _ in range(2)]
        async for _ in run.text("answer"):
            break
        gate.set()
        assert await asyncio.gather(text(), *elsewhere) == ["You ask: Why?"] * 3


def test_a_run_of_a_thread_is_read_in_others(gate: threading.Event) -> None:
    seen: list[str] = []
    with fieldstream.stream(qa(), question="Why?") as run:
        readers = [threading.Thread(target=lambda: seen.append("".join(run.text("answer")))) for _ in range(3)]
        for reader in readers:
            reader.start()
        gate.set()
        for reader in readers:
            reader.join(10)
    assert seen == ["You ask: Why?"] * 3


def test_a_run_of_a_closed_loop_is_still_there() -> None:
    async def main() -> Any:
        async with fieldstream.stream(qa(), question="Why?") as run:
            await run.wait()
        return run

    async def read(run: Any) -> str:
        return "".join([piece async for piece in run.text("answer")])

    run = asyncio.run(main())
    assert asyncio.run(read(run)) == run.result.answer


# Names of fields


async def test_an_unknown_field_in_a_loop(provider: Provider) -> None:
    with pytest.raises(UnknownFieldError, match="it has: self/answer"):
        async with fieldstream.stream(qa(), question="Why?") as run:
            run.text("nope")
    await no_tasks_left()
    assert not provider.requests


@pytest.mark.parametrize("mode", ["auto", "async", "thread"])
def test_an_unknown_field_in_a_thread(provider: Provider, mode: Any) -> None:
    stream = Streamer(qa(), mode=mode)(question="Why?")
    with no_threads_left(), pytest.raises(ValueError, match="it has: self/answer"), stream as run:
        run.text("nope")
    assert not provider.requests


async def test_an_ambiguous_field(provider: Provider) -> None:
    class Twice(Forward):
        def __init__(self) -> None:
            super().__init__()
            self.again = qa()

        def forward(self, question: str) -> Any:
            return self.again(question=self.predict(question=question).answer)

    async with fieldstream.stream(Twice(), question="Why?") as run:
        with pytest.raises(UnknownFieldError, match="'predict/answer' or 'again/answer'"):
            run.text("answer")
        assert not provider.requests
        assert "".join([piece async for piece in run.text("predict/answer")]) == "You ask: Why?"
        assert "".join([piece async for piece in run.text("again/answer")]) == "You ask: You ask: Why?"


async def test_a_field_of_a_function_is_known_when_it_is_written() -> None:
    predict = qa()

    def ask(question: str) -> str:
        return predict(question=question).answer

    async with fieldstream.stream(ask, question="Why?") as run:
        assert "".join([piece async for piece in run.text("answer")]) == run.result == "You ask: Why?"
        assert [piece async for piece in run.text("nope")] == []


# Kinds of programs


def in_a_loop(watch: Streamer, *args: Any, **inputs: Any) -> Any:
    async def main() -> Any:
        async with watch(*args, **inputs) as run:
            return await run.wait()

    return asyncio.run(main())


def in_a_thread(watch: Streamer, *args: Any, **inputs: Any) -> Any:
    with watch(*args, **inputs) as run:
        return run.wait()


both = pytest.mark.parametrize("go", [in_a_loop, in_a_thread])


def where() -> tuple[str, bool]:
    """The thread's name, and whether a loop runs in it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return threading.current_thread().name, False
    return threading.current_thread().name, True


@both
def test_a_module_with_forward(go: Callable[..., Any]) -> None:
    assert go(Streamer(Forward()), question="Why?").answer == "You ask: Why?"


def test_a_module_with_aforward() -> None:
    assert in_a_loop(Streamer(Aforward()), question="Why?").answer == "You ask: Why?"
    assert in_a_thread(Streamer(Aforward(), mode="async"), question="Why?").answer == "You ask: Why?"


@both
def test_a_function(go: Callable[..., Any]) -> None:
    def program(a: int, b: int = 0, *, c: int) -> tuple[int, int, int, str]:
        return a, b, c, where()[0]

    assert go(Streamer(program), 1, 2, c=3) == (1, 2, 3, "fieldstream program")


@both
def test_a_coroutine_function(go: Callable[..., Any]) -> None:
    async def program(a: int, *, b: int) -> tuple[int, int, bool]:
        await asyncio.sleep(0)
        return a, b, where()[1]

    assert go(Streamer(program), 1, b=2) == (1, 2, True)


@both
def test_a_callable_object(go: Callable[..., Any]) -> None:
    class Plain:
        def __call__(self, a: int) -> int:
            return a

    class Awaited:
        async def __call__(self, a: int) -> int:
            return a

    assert go(Streamer(Plain()), 1) == 1
    assert go(Streamer(Awaited()), 1) == 1
    assert go(Streamer(lambda a: Awaited()(a)), 1) == 1, "whoever returns a coroutine means to be awaited"


def test_who_runs_where() -> None:
    def program() -> Any:
        return where()

    async def awaited() -> Any:
        return where()

    main = threading.current_thread().name
    thread = "fieldstream program"
    assert in_a_loop(Streamer(program)) == (thread, False)
    assert in_a_loop(Streamer(awaited)) == (main, True)
    assert in_a_loop(Streamer(awaited, mode="async")) == (main, True)
    assert in_a_loop(Streamer(awaited, mode="thread")) == (thread, True)
    assert in_a_thread(Streamer(program)) == (thread, False)
    assert in_a_thread(Streamer(awaited)) == (thread, True)
    assert in_a_thread(Streamer(awaited, mode="thread")) == (thread, True)


def test_an_invalid_mode() -> None:
    with pytest.raises(ValueError, match="mode is 'threads'; it must be 'auto', 'async' or 'thread'"):
        Streamer(qa(), mode="threads")  # type: ignore[arg-type]


@both
def test_no_input_has_a_name_that_is_taken(go: Callable[..., Any]) -> None:
    def program(**inputs: Any) -> Any:
        return inputs

    inputs = dict.fromkeys(["program", "mode", "self", "args", "inputs", "lm_text", "until", "question", "launch"], 1)
    assert go(Streamer(program), **inputs) == inputs
    assert go(lambda **inputs: fieldstream.stream(program, **inputs), **inputs) == inputs


@both
def test_a_program_with_inputs_called_program_and_mode(go: Callable[..., Any], provider: Provider) -> None:
    go(Streamer(dspy.Predict("program, mode, question -> answer")), program="p", mode="m", question="Why?")
    assert "[[ ## mode ## ]]\nm" in provider.requests[0].text("user")


@both
def test_an_exception_is_itself(go: Callable[..., Any]) -> None:
    error = LookupError("mine")

    def program() -> None:
        raise error

    with pytest.raises(LookupError) as raised:
        go(Streamer(program))
    assert raised.value is error


async def test_events_never_raise_and_texts_do(provider: Provider) -> None:
    class Broken(Forward):
        def forward(self, question: str) -> Any:
            super().forward(question)
            raise LookupError("after all")

    async with fieldstream.stream(Broken(), question="Why?") as run:
        events = [event async for event in run]
        assert isinstance(events[-1], RunEnded)
        assert events[-1].error is not None
        assert (events[-1].error.kind, events[-1].error.message) == ("LookupError", "after all")
        text = run.text("answer")
        assert await anext(text) == "You ask: Why?"
        for _ in range(2):
            with pytest.raises(LookupError, match="after all"):
                await anext(text)
        with pytest.raises(LookupError):
            _ = run.result
    assert run.outcome == "failed"

    with fieldstream.stream(Broken(), question="Why?") as run_2:
        assert isinstance(list(run_2)[-1], RunEnded)
        text_2 = run_2.text("answer")
        assert next(text_2) == "You ask: Why?"
        with pytest.raises(LookupError, match="after all"):
            next(text_2)


# Context


@both
def test_settings_are_those_of_the_call(go: Callable[..., Any], provider: Provider) -> None:
    other = dspy.LM(provider.model, **provider.lm_kwargs, cache=False, temperature=0.7)

    def begin(**inputs: Any) -> Any:
        with dspy.context(lm=other):
            return fieldstream.stream(qa(), **inputs)

    go(begin, question="Why?")
    assert provider.requests[0].body["temperature"] == 0.7


@both
def test_context_variables_are_those_of_the_call(go: Callable[..., Any]) -> None:
    import contextvars

    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    def program() -> str:
        before = variable.get()
        variable.set("by the program")
        return before

    async def awaited() -> str:
        return program()

    def begin(program: Any) -> Any:
        token = variable.set("at the call")
        stream = fieldstream.stream(program)
        variable.reset(token)
        return stream

    assert go(begin, program) == "at the call"
    assert go(begin, awaited) == "at the call"
    assert variable.get() == "unset"


async def test_a_stream_is_entered_once() -> None:
    stream = fieldstream.stream(lambda: 1)
    async with stream as run:
        assert await run.wait() == 1
    with pytest.raises(RuntimeError, match="entered before"):
        await stream.__aenter__()
    with pytest.raises(RuntimeError, match="call stream"):
        stream.__enter__()
    assert run.result == 1


def test_nothing_happens_until_it_is_entered(provider: Provider) -> None:
    fieldstream.stream(qa(), question="Why?")
    assert not provider.requests


def test_a_loop_with_eager_tasks(provider: Provider) -> None:
    factory = getattr(asyncio, "eager_task_factory", None)  # from Python 3.12 on

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(factory)
        with pytest.raises(UnknownFieldError):
            async with fieldstream.stream(qa(), question="Why?") as run:
                run.text("nope")
        assert not provider.requests
        async with fieldstream.stream(qa(), question="Why?") as run:
            assert "".join([piece async for piece in run.text("answer")]) == "You ask: Why?"

    asyncio.run(main())


# Several calls of one field


@pytest.mark.parametrize("at_once", [False, True])
async def test_several_calls_of_a_field_come_one_after_the_other(at_once: bool) -> None:
    class Several(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.predict = qa()

        async def aforward(self) -> list[str]:
            calls = [self.predict.acall(question=f"{number}?") for number in range(4)]
            if at_once:
                return [prediction.answer for prediction in await asyncio.gather(*calls)]
            return [(await call).answer for call in calls]

    async with fieldstream.stream(Several()) as run:
        pieces = [piece async for piece in run.text("answer")]
    texts: dict[str, str] = {}
    for piece in pieces:
        texts[piece.call] = texts.get(piece.call, "") + piece
    assert sorted(texts.values()) == sorted(run.result)
    assert "".join(pieces) == "".join(texts.values()), "none in the midst of another"


async def test_a_retry_resets_the_text(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    if HAS_ENGINES:  # Before, LiteLLM retries, in its own time.
        monkeypatch.setattr("dspy.clients.execution._delay", lambda error, attempt: 0)
    text = chat(answer="It was cut off")
    provider.options = provider.options.updated({"drop": 5, "fault_times": 1})
    provider.script(Answer(chunks=[text[at : at + 8] for at in range(0, len(text), 8)]))
    with dspy.context(lm=dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=2)):
        async with fieldstream.stream(qa(), question="Why?") as run:
            pieces = [piece async for piece in run.text("answer")]
    resets = [piece.reset for piece in pieces if piece.reset]
    assert resets == ["retry"]
    at = next(place for place, piece in enumerate(pieces) if piece.reset)
    assert at > 0
    assert "".join(pieces[at:]) == run.result.answer == "It was cut off"
    assert len({piece.call for piece in pieces}) == 1


# What the program says itself


@both
def test_emit(go: Callable[..., Any]) -> None:
    class Telling(Forward):
        def forward(self, question: str) -> Any:
            fieldstream.emit({"step": 1}, name="progress")
            fieldstream.emit("plain")
            return super().forward(question)

    seen: list[Event] = []

    def begin(**inputs: Any) -> Any:
        return Collecting(fieldstream.stream(Telling(), **inputs), seen)

    go(begin, question="Why?")
    customs = [event for event in seen if isinstance(event, Custom)]
    assert [(event.value, event.name) for event in customs] == [({"step": 1}, "progress"), ("plain", None)]
    (module,) = [event.call for event in seen if isinstance(event, CallStarted) and event.kind == "module"]
    assert {event.call for event in customs} == {module}


def test_emit_outside_of_a_run_is_nothing() -> None:
    fieldstream.emit({"step": 1})


class Collecting:
    """A stream whose events are kept when it is left."""

    def __init__(self, stream: Any, seen: list[Event]) -> None:
        self.stream = stream
        self.seen = seen

    async def __aenter__(self) -> Any:
        self.run = await self.stream.__aenter__()
        return self.run

    async def __aexit__(self, *error: Any) -> None:
        self.seen += [event async for event in self.run]
        await self.stream.__aexit__(*error)

    def __enter__(self) -> Any:
        self.run = self.stream.__enter__()
        return self.run

    def __exit__(self, *error: Any) -> None:
        self.seen += list(self.run)
        self.stream.__exit__(*error)


@both
def test_status_messages(go: Callable[..., Any]) -> None:
    class Provider(fieldstream.StatusMessageProvider):
        def module_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
            return f"asking {type(instance).__name__}"

        async def lm_end_status_message(self, outputs: Any) -> str:
            await asyncio.sleep(0)
            return "answered"

    seen: list[Event] = []
    watch = Streamer(qa(), status_message_provider=Provider())
    go(lambda **inputs: Collecting(watch(**inputs), seen), question="Why?")
    assert [event.message for event in seen if isinstance(event, Status)] == ["asking Predict", "answered"]


@pytest.mark.parametrize("way", ["async", "sync"])
def test_a_programs_thread_is_an_anyio_worker(way: str) -> None:
    """``anyio.from_thread.run`` reaches the reader's loop, or one of ours where the reader has none."""
    import anyio.from_thread

    async def called(value: int) -> tuple[int, bool]:
        await asyncio.sleep(0)
        return value, threading.current_thread() is threading.main_thread()

    def program() -> Any:
        return anyio.from_thread.run(called, 3)

    go = in_a_loop if way == "async" else in_a_thread
    assert go(Streamer(program)) == (3, way == "async")
