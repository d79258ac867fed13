"""When a field's first text is shown: the answers, what is possible, and that a reader who is late is seen to be."""

from collections.abc import Callable

import dspy
import pytest

import fieldstream
from benchmarks.first_text import ADAPTERS, BEGINNINGS, CHUNKINGS, FIELDS, SIGNATURE, WATCHES, Case, cases, shown_at


class Reasoned(dspy.Signature):
    """As ``SIGNATURE``."""

    question: str = dspy.InputField()
    reasoning: str = dspy.OutputField()
    answer: str = dspy.OutputField()


FORMS = pytest.mark.parametrize("form", list(ADAPTERS))
pytestmark = pytest.mark.dspy(">=3.4")  # XML's entities


@FORMS
def test_the_answers_are_read_by_their_adapters_as_they_are_meant(form: str) -> None:
    for case in cases(form, CHUNKINGS["tokens"]):
        parsed = ADAPTERS[form].parse(Reasoned, "".join(case.chunks))
        assert parsed == dict.fromkeys(FIELDS, case.beginning.text)


@FORMS
def test_the_first_possible_chunk_has_the_last_character_that_must_be_known(form: str) -> None:
    for case in cases(form, CHUNKINGS["1 character"]):
        whole = "".join(case.chunks[: case.first_possible])
        assert whole.endswith(case.beginning.written)
        assert whole.count(case.beginning.written) == FIELDS.index(case.field) + 1


@pytest.mark.parametrize(
    ("form", "other"),
    [
        ("chat", "[ ## answer ## ]]\nyes\n"),  # a section without a text
        ("json", 'a", "answer": "yes"}'),  # half an escape, of another character
        ("xml", "4;</reasoning>\n<answer>yes</answer>"),
    ],
)
def test_before_that_the_field_might_begin_otherwise(form: str, other: str) -> None:
    beginning = BEGINNINGS[form][1]
    case = next(case for case in cases(form, CHUNKINGS["1 character"]) if case.beginning == beginning)
    before = "".join(case.chunks[: case.first_possible - 1])
    parsed = ADAPTERS[form].parse(Reasoned, before + other)
    assert parsed["answer"] == "yes"
    assert not parsed[case.field].startswith(beginning.text[0])


@FORMS
@pytest.mark.parametrize("cut", ["1 character", "tokens"])
def test_ours_shows_the_first_text_with_the_first_possible_chunk(form: str, cut: str) -> None:
    for case in cases(form, CHUNKINGS[cut]):
        assert shown_at(case, WATCHES["fieldstream"]) == case.first_possible


def test_who_shows_a_text_one_chunk_later_is_seen_to_be_later() -> None:
    async def late(field: str, show: Callable[[str], None]) -> None:
        held = ""
        async with fieldstream.stream(dspy.Predict(SIGNATURE), question="?") as run:
            async for text in run.text(field):
                show(held)
                held = text

    case = Case("chat", ["[[ ## reasoning ## ]]\n", "Ze", "st", "\n[[ ## answer ## ]]\nyes"], "reasoning", _PLAIN)
    assert case.first_possible == 2
    assert shown_at(case, WATCHES["fieldstream"]) == 2
    assert shown_at(case, late) == 3


def test_who_never_shows_it_shows_it_with_the_end() -> None:
    async def blind(field: str, show: Callable[[str], None]) -> None:
        async with fieldstream.stream(dspy.Predict(SIGNATURE), question="?") as run:
            await run.wait()

    case = next(cases("json", CHUNKINGS["tokens"]))
    assert shown_at(case, blind) == len(case.chunks) + 1


_PLAIN = BEGINNINGS["chat"][0]
