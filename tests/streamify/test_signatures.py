"""The interface is the one that users of DSPy know: names, order, defaults. And it is typed."""

import dataclasses
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import dspy
import pytest

import fieldstream

METHODS = [
    f"{moment}_status_message" for kind in ("tool", "module", "lm") for moment in (f"{kind}_start", f"{kind}_end")
]


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    return [(each.name, each.kind, each.default) for each in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", ["streamify", "StreamListener", "apply_sync_streaming", "streaming_response"])
def test_callables_take_what_dspys_take(name: str) -> None:
    assert parameters(getattr(fieldstream, name)) == parameters(getattr(dspy.streaming, name))


@pytest.mark.parametrize("name", METHODS)
def test_a_providers_methods_take_what_dspys_take(name: str) -> None:
    ours, theirs = fieldstream.StatusMessageProvider, dspy.streaming.StatusMessageProvider
    assert parameters(getattr(ours, name)) == parameters(getattr(theirs, name))


@pytest.mark.parametrize("name", ["StreamResponse", "StatusMessage"])
def test_values_begin_with_dspys_fields(name: str) -> None:
    theirs = [(each.name, each.default) for each in dataclasses.fields(getattr(dspy.streaming, name))]
    ours = [(each.name, each.default) for each in dataclasses.fields(getattr(fieldstream, name))]
    assert ours[: len(theirs)] == theirs
    assert all(default is not dataclasses.MISSING for _, default in ours[len(theirs) :])


def test_the_defaults_of_dspys_provider_are_ours() -> None:
    ours, theirs = fieldstream.StatusMessageProvider(), dspy.streaming.StatusMessageProvider()
    tool = dspy.Tool(lambda: None, name="search")
    for name in METHODS:
        arguments = (tool, {}) if "start" in name else ("out",)
        assert getattr(ours, name)(*arguments) == getattr(theirs, name)(*arguments)


async def test_a_stream_is_an_iterator() -> None:
    def program() -> str:
        return "over"

    stream = fieldstream.streamify(program)()
    assert isinstance(stream, AsyncIterator)
    assert not isinstance(stream, Iterator)
    assert await anext(aiter(stream)) == "over"


def test_a_synchronous_stream_is_one_too() -> None:
    stream = fieldstream.streamify(lambda: "over", async_streaming=False)()
    assert isinstance(stream, Iterator)
    assert not isinstance(stream, AsyncIterator)
    assert list(stream) == ["over"]


async def test_type_checkers_know_which() -> None:
    """Checked by the type checker, which runs over the tests, too."""
    some: AsyncIterator[Any] = fieldstream.streamify(lambda: "a")()
    others: Iterator[Any] = fieldstream.streamify(lambda: "b", async_streaming=False)()
    assert [value async for value in some] == ["a"]
    assert list(others) == ["b"]
