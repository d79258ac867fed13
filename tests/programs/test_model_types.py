"""The three ways in which a provider can be asked: chats, plain texts, responses."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

import gc
from collections.abc import Generator
from typing import Any

import dspy
import pytest

from tests.support.sameness import HAS_ENGINES, LITELLM_WARNS, WAYS, Way, chat, same

pytestmark = [
    pytest.mark.parametrize("way", WAYS),
    *LITELLM_WARNS,
    # LiteLLM's clients of a loop stay open when the loop ends, in plain calls, too.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SKY = chat(answer="Because air scatters blue light the most.")
ENGINES = ["auto", "litellm"] if HAS_ENGINES else ["auto"]


@pytest.fixture(autouse=True)
def _nothing_left_for_later_tests() -> Generator[None]:
    """What stays open is found here, and not by a test that has nothing to do with it."""
    yield
    gc.collect()


def qa() -> dspy.Module:
    return dspy.Predict("question -> answer")


def options(model_type: str, engine: str) -> dict[str, Any]:
    return {"model_type": model_type} if engine == "auto" else {"model_type": model_type, "engine": engine}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model_type", ["chat", "text", *(["responses"] if HAS_ENGINES else [])])
def test_each(way: Way, model_type: str, engine: str) -> None:
    run = same(way, qa, [SKY], lm=options(model_type, engine))
    assert run.result.answer == "Because air scatters blue light the most."
    assert "".join(run.texts("answer")) == run.result.answer
    assert ("input" in run.requests[0]) == (model_type == "responses")
    assert ("prompt" in run.requests[0]) == (model_type == "text")
