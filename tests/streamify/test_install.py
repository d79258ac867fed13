"""Ours in the place of DSPy's own names."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dspy
import pytest

import fieldstream
from tests.streamify.helpers import chat, gather, provided, text

NAMES = (
    "StatusMessage",
    "StatusMessageProvider",
    "StreamListener",
    "StreamResponse",
    "apply_sync_streaming",
    "streamify",
    "streaming_response",
)


def places() -> dict[tuple[str, str], Any]:
    """Everything of these names in DSPy."""
    return {
        (module, name): vars(sys.modules[module])[name]
        for module in sorted(sys.modules)
        if module == "dspy" or module == "dspy.streaming" or module.startswith("dspy.streaming.")
        for name in NAMES
        if name in vars(sys.modules[module])
    }


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = places()
    yield
    fieldstream.uninstall()
    assert places() == before


def test_every_name_is_ours_and_then_dspys_again() -> None:
    before = places()
    assert ("dspy", "streamify") in before
    assert {name for _, name in before} == set(NAMES)
    for _ in range(2):
        fieldstream.install()
        fieldstream.install()
        assert all(each is getattr(fieldstream, name) for (_, name), each in places().items())
        fieldstream.uninstall()
        fieldstream.uninstall()
        assert places() == before


async def test_a_program_that_uses_dspys_names_runs_on_ours() -> None:
    fieldstream.install()
    program = dspy.Predict("question -> answer")
    wrapped: Any = dspy.streamify(program, stream_listeners=[dspy.streaming.StreamListener("answer")])
    with provided(chat(answer="one two"), chat(answer="one two")):
        for _ in range(2):
            values = await gather(wrapped(question="?"))
            assert isinstance(values[0], fieldstream.StreamResponse)
            assert isinstance(values[0], dspy.streaming.StreamResponse)
            assert text(values) == "one two"


async def test_dspys_listeners_and_providers_work_with_ours() -> None:
    """What a program took from DSPy before."""

    class Provider(dspy.streaming.StatusMessageProvider):
        def lm_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
            return "asking"

    provider: Any = Provider()
    listener: Any = dspy.streaming.StreamListener("answer")
    wrapped = fieldstream.streamify(dspy.Predict("question -> answer"), provider, [listener])
    with provided(chat(answer="one two")):
        first, *values = await gather(wrapped(question="?"))
    assert first == fieldstream.StatusMessage("asking")
    assert text(values) == "one two"


def test_the_package_never_imports_dspys() -> None:
    for source in Path(fieldstream.__file__).parent.rglob("*.py"):
        for line in source.read_text().splitlines():
            assert not line.lstrip().startswith(
                ("import dspy.streaming", "from dspy.streaming", "from dspy import stre")
            )
