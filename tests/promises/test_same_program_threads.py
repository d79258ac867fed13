"""P2: in every thread and event loop that the program uses."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportReturnType=false, reportUnnecessaryComparison=false

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dspy
import pytest
from tests.support.sameness import LITELLM_WARNS, WAYS, Streamed, Way, chat, same

from fieldstream.events import CallStarted, FieldDelta
from fieldstream.simulator import ChatRequest

pytestmark = LITELLM_WARNS

SYNC: tuple[Way, ...] = ("sync", "thread")
QUESTIONS = ["one", "two", "three", "four", "five"]


def echo(request: ChatRequest) -> str:
    """An answer that shows which question it answers."""
    asked = next(question for question in QUESTIONS if f"\n{question}\n" in request.text("user"))
    return chat(answer=f"You asked for {asked}, and this is all about {asked}.")


class Asking(dspy.Module):
    """Asks the questions, in the way that it is made with."""

    def __init__(self, how: Callable[[dspy.Predict], Any]) -> None:
        super().__init__()
        self.predict = dspy.Predict("question -> answer")
        self.how = how

    def forward(self, question: str) -> Any:
        return self.how(self.predict)

    async def aforward(self, question: str) -> Any:
        return await self.how(self.predict)


def check_each_streamed(run: Streamed) -> None:
    predictors = run.calls("predictor")
    assert [call.name for call in predictors] == ["predict"] * len(QUESTIONS)
    root = run.calls("module")[0].call
    for call in predictors:
        assert call.parent is not None
        assert _within(run, call, root)
        assert sum(event.call == call.call for event in run.of(FieldDelta)) > 5


def _within(run: Streamed, call: CallStarted, root: str) -> bool:
    parents = {each.call: each.parent for each in run.of(CallStarted)}
    at: str | None = call.call
    while at is not None and at != root:
        at = parents[at]
    return at == root


def examples() -> list[dspy.Example]:
    return [dspy.Example(question=question).with_inputs("question") for question in QUESTIONS]


def parallel(predict: dspy.Predict) -> Any:
    run = dspy.Parallel(num_threads=3, disable_progress_bar=True)
    return [each.answer for each in run([(predict, example) for example in examples()])]


def batch(predict: dspy.Predict) -> Any:
    return [each.answer for each in predict.batch(examples(), num_threads=3, disable_progress_bar=True)]


def own_loop(predict: dspy.Predict) -> Any:
    async def gather() -> list[dspy.Prediction]:
        return await asyncio.gather(*(predict.acall(question=question) for question in QUESTIONS))

    return [each.answer for each in asyncio.run(gather())]


def pool_with_context(predict: dspy.Predict) -> Any:
    with ThreadPoolExecutor(3) as pool:
        futures = [
            pool.submit(contextvars.copy_context().run, lambda question=question: predict(question=question))
            for question in QUESTIONS
        ]
        return [future.result().answer for future in futures]


def threads_with_context(predict: dspy.Predict) -> Any:
    answers: dict[str, str] = {}

    def ask(question: str) -> None:
        answers[question] = predict(question=question).answer

    threads = [threading.Thread(target=contextvars.copy_context().run, args=(ask, question)) for question in QUESTIONS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[question] for question in QUESTIONS]


def asyncify(predict: dspy.Predict) -> Any:
    async def gather() -> list[dspy.Prediction]:
        return await asyncio.gather(*(dspy.asyncify(predict)(question=question) for question in QUESTIONS))

    return [each.answer for each in asyncio.run(gather())]


@pytest.mark.parametrize("way", SYNC)
@pytest.mark.parametrize("how", [parallel, batch, own_loop, pool_with_context, threads_with_context, asyncify])
def test_a_sync_program_at_once(way: Way, how: Callable[[dspy.Predict], Any]) -> None:
    run = same(way, lambda: Asking(how), echo, ordered=False, tracked=how not in (parallel, batch))
    assert run.result == [f"You asked for {question}, and this is all about {question}." for question in QUESTIONS]
    check_each_streamed(run)


async def gathered(predict: dspy.Predict) -> Any:
    answers = await asyncio.gather(*(predict.acall(question=question) for question in QUESTIONS))
    return [each.answer for each in answers]


async def to_thread(predict: dspy.Predict) -> Any:
    answers = await asyncio.gather(*(asyncio.to_thread(predict, question=question) for question in QUESTIONS))
    return [each.answer for each in answers]


async def called_without_await(predict: dspy.Predict) -> Any:
    return [predict(question=question).answer for question in QUESTIONS]


async def task_group(predict: dspy.Predict) -> Any:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(predict.acall(question=question)) for question in QUESTIONS]
    return [task.result().answer for task in tasks]


async def parallel_in_async(predict: dspy.Predict) -> Any:
    return parallel(predict)


@pytest.mark.parametrize("how", [gathered, to_thread, called_without_await, task_group, parallel_in_async])
def test_an_async_program_at_once(how: Callable[[dspy.Predict], Any]) -> None:
    run = same("async", lambda: Asking(how), echo, ordered=False, tracked=how is not parallel_in_async)
    assert run.result == [f"You asked for {question}, and this is all about {question}." for question in QUESTIONS]
    check_each_streamed(run)


@pytest.mark.parametrize("way", SYNC)
def test_a_thread_without_the_context_works_unseen(way: Way) -> None:
    def ask(predict: dspy.Predict) -> Any:
        answers: list[Any] = []
        lm = dspy.settings.lm

        def work() -> None:
            with dspy.context(lm=lm):
                answers.append(predict(question="one").answer)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return answers

    run = same(way, lambda: Asking(ask), echo, tracked=False)
    assert run.result == ["You asked for one, and this is all about one."]
    assert run.calls("predictor") == []


@pytest.mark.parametrize("way", WAYS)
def test_one_branch_fails(way: Way) -> None:
    def some(request: ChatRequest) -> str:
        return "no format" if "\ntwo\n" in request.text("user") else echo(request)

    async def all_then_raise(predict: dspy.Predict) -> Any:
        asked = (predict.acall(question=question) for question in QUESTIONS)
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        raise next(outcome for outcome in outcomes if isinstance(outcome, Exception))

    adapter = dspy.ChatAdapter(use_json_adapter_fallback=False)
    how = all_then_raise if way == "async" else lambda predict: asyncio.run(all_then_raise(predict))
    run = same(way, lambda: Asking(how), some, ordered=False, around=lambda: dspy.context(adapter=adapter))
    assert type(run.error).__name__ == "AdapterParseError"


@pytest.mark.parametrize("way", WAYS)
def test_callbacks_and_settings_see_the_same_threads(way: Way) -> None:
    """What the program finds in DSPy's settings is what it would find without us."""

    def look(predict: dspy.Predict) -> Any:
        keys = ("callbacks", "trace", "adapter", "track_usage", "num_threads")
        return {key: repr(dspy.settings[key]) for key in keys} | {"get": repr(dspy.settings.get("callbacks"))}

    async def alook(predict: dspy.Predict) -> Any:
        return look(predict)

    same(way, lambda: Asking(alook if way == "async" else look), echo)
