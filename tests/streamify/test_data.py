"""Fields that are no texts: their literal text as it comes, or their value as JSON."""

import json
from typing import Any

import dspy
import pydantic
import pytest

from fieldstream import StreamListener, streamify
from fieldstream.simulator import Answer
from tests.streamify.helpers import ADAPTERS, chat, check_ends, chunks, gather, provided, responses, text


class City(pydantic.BaseModel):
    name: str
    size: int


VALUES: dict[str, tuple[Any, str, Any]] = {
    "int": (int, "42", 42),
    "float": (float, "1.50", 1.5),
    "bool": (bool, "true", True),
    "list": (list[str], '["a", "b\\n", ""]', ["a", "b\n", ""]),
    "empty": (list[str], "[]", []),
    "dict": (dict[str, int], '{"a": 1,  "b": 2}', {"a": 1, "b": 2}),
    "model": (City, '{"name": "Zürich", "size": 3}', City(name="Zürich", size=3)),
    "null": (int | None, "null", None),
}


def program(annotation: Any) -> dspy.Module:
    made: Any = dspy.Signature
    return dspy.Predict(made("question -> value, note").with_updated_fields("value", type_=annotation))


def cut(whole: str, size: int) -> Answer:
    return Answer(chunks=[whole[at : at + size] for at in range(0, len(whole), size)])


async def values_of(adapter: str, annotation: Any, answer: Answer) -> list[Any]:
    with provided(answer, adapter=ADAPTERS[adapter]):
        return await gather(streamify(program(annotation), stream_listeners=[StreamListener("value")])(question="?"))


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize("name", VALUES)
async def test_in_chat_the_chunks_are_the_literal_text(name: str, size: int) -> None:
    annotation, literal, value = VALUES[name]
    values = await values_of("chat", annotation, cut(chat(value=literal, note="n"), size))
    assert values[-1].value == value
    assert text(values) == literal
    check_ends(values)


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize("name", VALUES)
async def test_in_json_the_chunks_joined_parse_to_the_value(name: str, size: int) -> None:
    annotation, literal, value = VALUES[name]
    values = await values_of("json", annotation, cut(f'{{"value": {literal}, "note": "n"}}', size))
    assert values[-1].value == value
    assert text(values) == literal
    assert json.loads(text(values)) == pydantic.TypeAdapter(annotation).dump_python(value, mode="json")
    assert not any(response.reset for response in responses(values))
    check_ends(values)


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("name", ["int", "bool", "float"])
async def test_in_xml_the_chunks_of_a_scalar_are_its_literal_text(name: str, size: int) -> None:
    annotation, literal, value = VALUES[name]
    values = await values_of("xml", annotation, cut(f"<value>{literal}</value>\n<note>n</note>", size))
    assert values[-1].value == value
    assert text(values) == literal
    check_ends(values)


@pytest.mark.parametrize("size", [1, 1000])
async def test_in_xml_a_nested_value_comes_and_ends_once(size: int) -> None:
    whole = "<value><name>Bern</name><size>3</size></value>\n<note>n</note>"
    values = await values_of("xml", City, cut(whole, size))
    assert values[-1].value == City(name="Bern", size=3)
    assert "Bern" in text(values)
    check_ends(values)


async def test_a_literal_comes_while_it_is_written() -> None:
    pieces = ['{"value": ["a"', ', "b', '"]', ', "note": "n"}']
    values = await values_of("json", list[str], Answer(chunks=pieces))
    assert [chunk for chunk in chunks(values) if chunk] == ['["a"', ', "b', '"]']


async def test_without_literal_text_the_value_comes_as_json_in_one_chunk() -> None:
    class Shouting(dspy.ChatAdapter):
        def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
            return {"value": ["Zürich", "b"], "note": "n"}

    with provided("zürich b", adapter=Shouting()):
        listeners = [StreamListener("value")]
        values = await gather(streamify(program(list[str]), stream_listeners=listeners)(question="?"))
    (response,) = responses(values)
    assert (response.chunk, response.is_last_chunk) == ('["Zürich", "b"]', True)


async def test_after_a_dropped_connection_a_literal_begins_anew() -> None:
    pieces = ['{"value": ["a"', ', "b', '"]', ', "note": "n"}']
    with provided(Answer(chunks=pieces, options={"drop": 2}), Answer(chunks=pieces), adapter=ADAPTERS["json"]):
        listeners = [StreamListener("value")]
        values = await gather(streamify(program(list[str]), stream_listeners=listeners)(question="?"))
    assert [response.reset for response in responses(values) if response.reset] == ["retry"]
    assert json.loads(text(values)) == values[-1].value == ["a", "b"]
    check_ends(values)


async def test_of_several_candidates_the_first_ones_literal_is_heard() -> None:
    made: Any = program(list[str])
    made.config["n"] = 2
    with provided('{"value": ["a"], "note": "n"}', '{"value": ["b"], "note": "n"}', adapter=ADAPTERS["json"]):
        values = await gather(streamify(made, stream_listeners=[StreamListener("value")])(question="?"))
    assert json.loads(text(values)) == values[-1].value
    check_ends(values)
