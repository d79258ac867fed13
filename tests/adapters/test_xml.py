"""Structured fields of the XML adapter: streamed against called, and shown while they are written."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

import threading
from typing import Annotated, Any

import dspy
import pytest
from pydantic import BaseModel, Field

import fieldstream
from fieldstream.events import FieldDelta
from fieldstream.simulator import Answer, simulate
from tests.support.sameness import LITELLM_WARNS, WAYS, Way, same
from tests.support.values import check_exact

pytestmark = LITELLM_WARNS


class Address(BaseModel):
    street: str
    number: int = Field(alias="No")


class Person(BaseModel):
    name: Annotated[str, fieldstream.NotNull]
    age: int = 0
    friends: list["Person"] = []
    address: Address | None = None
    notes: dict[str, str] = {}


class People(dspy.Signature):
    """Say who they are."""

    question: str = dspy.InputField()
    answer: str = dspy.OutputField()
    people: list[Person] = dspy.OutputField()
    best: Person | None = dspy.OutputField()


PERSON = (
    "<age>31</age><name>Ann &amp; <![CDATA[<Co>]]></name>"
    "<friends><item><name>Bob</name><friends /></item></friends>"
    "<address><street>Long\nStreet</street><number>3</number></address>"
    '<notes><entry key="two words">a</entry><b>c</b></notes>'
)
NESTED = f"<answer>\nThem.\n</answer>\n\n<people><item>{PERSON}</item><item>{PERSON}</item></people>\n\n"


def people() -> dspy.Module:
    return dspy.Predict(People)


def xml() -> Any:
    return dspy.context(adapter=dspy.XMLAdapter())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "text",
    [
        f"{NESTED}<best>{PERSON}</best>",
        f"{NESTED}<best />",
        f"<answer>Them.</answer><people>{PERSON}</people><people>{PERSON}</people><best>None</best>",
        '<answer>Them.</answer><people>[{"name": "Ann &lt;"}]</people><best>{"name": "Bob"}</best>',
    ],
)
def test_nested_values(way: Way, text: str) -> None:
    run = same(way, people, [text], around=xml)
    check_exact(run.events)
    assert run.resets() == []
    assert [delta.path for delta in run.of(FieldDelta) if delta.field == "people"][:2] == [(), (0,)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "text",
    [
        # A name that is repeated is no name.
        f"<answer>Them.</answer><people><item><name>A</name><name>B</name></item></people><best>{PERSON}</best>",
        f"{NESTED}<best>{PERSON}",
        f"{NESTED}<best>{PERSON}</worst>",
        f"{NESTED}<best><name>A</name><age>old</age></best>",
    ],
)
def test_what_the_adapter_refuses(way: Way, text: str) -> None:
    again = '{"answer": "Them.", "people": [{"name": "Ann"}], "best": null}'
    run = same(way, people, [text, again], around=xml)
    check_exact(run.events)
    assert ("people", "fallback") in run.resets()


def test_a_member_is_shown_before_the_rest_is_written() -> None:
    gate = threading.Event()
    text = f"{NESTED}<best>{PERSON}</best>"
    at = text.index("Street</street>")
    with simulate([Answer(chunks=[text[:at], text[at:]], gates={1: gate})]) as provider, xml():
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        with dspy.context(lm=lm), fieldstream.stream(people(), question="?") as run:
            for event in run:
                if isinstance(event, FieldDelta) and event.path == (0, "address", "street"):
                    gate.set()
        assert gate.is_set()
        assert run.result.people[0].friends[0].name == "Bob"
