"""English about any subject."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.simulator import prose


@given(st.text(), st.integers(), st.none() | st.integers(0, 500))
def test_any_subject_will_do(about: str, seed: int, words: int | None) -> None:
    for write in (prose.reasoning, prose.answer):
        text = write(about, random.Random(seed), words)
        assert text == write(about, random.Random(seed), words)
        assert words is None or len(text.split()) == words
        assert "{" not in text
    assert prose.title(about, random.Random(seed))


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Why is the sky blue?", "scatters"),
        ("What is the capital of France?", "Paris"),
        ("What is 12 * 7?", "12 * 7 = 84."),
        ("And 3 - 10?", "3 - 10 = -7."),
        ("How do violins make sound?", "violins"),
    ],
)
def test_answers_answer(question: str, said: str) -> None:
    assert said.lower() in prose.answer(question, random.Random(0)).lower()


def test_what_a_question_is_about() -> None:
    assert prose.keywords("Why is the sky so blue over Zürich?", 3) == ["sky", "blue", "Zürich"]
    assert prose.keywords("Why?", 3) == ["matter"]
    assert prose.proper_name("What is the weather in New York today?") == "New York"
    assert prose.proper_name("What is it?") == ""
