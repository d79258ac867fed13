"""A text field, as it comes: exactly the field's text, and as the provider's chunks have it."""

import asyncio
import itertools
import threading

import dspy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldstream import StreamListener, StreamResponse, streamify
from fieldstream.simulator import Answer, ChatRequest
from tests.streamify.helpers import ADAPTERS, chat, check_ends, chunks, gather, provided, responses, text, written

PROGRAM = dspy.Predict("question -> reasoning, answer")
BOTH = [StreamListener("reasoning", allow_reuse=True), StreamListener("answer", allow_reuse=True)]

# Pieces of texts that look like the formats, or break what reads them carelessly.
ODD = [
    "[[ ## answer ## ]]", "[[", "]]", "[[ ## ", " ## ]]", "[1]", "\n\n", "\n", " ", "\t", "\r\n", "a", "the end.",
    '"', '\\', '\\n', '",', '"}', "{}", '{"answer": "x"}', "</answer>", "<answer>", "&amp;", "&", "<", ">", "<b>x</b>",
    "ä", "日本", "👩‍💻", "\u2028", "```json\n", "```", "'", ": ", ",",
]  # fmt: skip


def texts() -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(ODD), max_size=8).map("".join)


def split(whole: str, places: list[float]) -> list[str]:
    cuts = [0, *sorted({int(place * len(whole)) for place in places}), len(whole)]
    return [whole[one:other] for one, other in itertools.pairwise(cuts) if one < other]


@pytest.mark.parametrize("form", ADAPTERS)
@pytest.mark.timeout(60)
def test_the_chunks_joined_are_the_prediction(form: str) -> None:
    """One provider for all examples: the answer goes along in the question's place."""
    script: list[Answer] = []

    @settings(max_examples=60)
    @given(texts(), texts(), st.lists(st.floats(0, 0.999), max_size=12))
    def check(reasoning: str, answer: str, places: list[float]) -> None:
        whole = written(form, reasoning=reasoning, answer=answer)
        script[:] = [Answer(chunks=split(whole, places))]
        try:
            values = asyncio.run(gather(streamify(PROGRAM, stream_listeners=BOTH)(question="?")))
        except dspy.utils.exceptions.AdapterParseError:
            return
        *_, prediction = values
        check_ends(values)
        assert text(values, "answer") == (prediction.answer or "")
        assert text(values, "reasoning") == (prediction.reasoning or "")

    def answers(request: ChatRequest) -> Answer:
        return script[0]

    with provided(adapter=ADAPTERS[form], answers=answers):
        check()


@pytest.mark.parametrize("form", ADAPTERS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_any_size_of_chunks_gives_the_text(form: str, size: int) -> None:
    answer = 'Say "hi" & [[wave]]\n\nthen <go>, {"a": [1]}'
    whole = written(form, reasoning="It is so.\nIndeed", answer=answer)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    with provided(Answer(chunks=pieces), adapter=ADAPTERS[form]):
        values = await gather(streamify(PROGRAM, stream_listeners=BOTH)(question="?"))
    assert text(values, "answer") == values[-1].answer == answer
    assert text(values, "reasoning") == values[-1].reasoning == "It is so.\nIndeed"
    assert not any(response.reset for response in responses(values))
    check_ends(values)


@pytest.mark.parametrize("form", ADAPTERS)
async def test_plain_chunks_come_as_the_provider_sent_them(form: str) -> None:
    head, tail = written(form, reasoning="r", answer="|").split("|")
    pieces = ["Why", " not", " take", " the", " train", "?"]
    with provided(Answer(chunks=[head, *pieces, tail]), adapter=ADAPTERS[form]):
        values = await gather(streamify(PROGRAM, stream_listeners=[StreamListener("answer")])(question="?"))
    assert [chunk for chunk in chunks(values) if chunk] == pieces
    check_ends(values)


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["one", " two", "\n", "\n\n", " [", "[[", " ## ", "]]", "."]), max_size=10).map("".join),
    st.lists(st.floats(0, 0.999), max_size=12),
)
def test_the_providers_chunks_are_neither_split_nor_merged(middle: str, places: list[float]) -> None:
    answer = f"a{middle}z"
    whole = chat(reasoning="r", answer=answer)
    pieces = split(whole, places)
    begin = whole.index("answer ## ]]\n") + len("answer ## ]]\n")
    expected: list[str] = []
    at = 0
    for piece in pieces:
        part = whole[max(at, begin) : max(begin, min(at + len(piece), begin + len(answer)))]
        expected += [part] if part else []
        at += len(piece)

    with provided(Answer(chunks=pieces)):
        listeners = [StreamListener("answer")]
        values = asyncio.run(gather(streamify(PROGRAM, stream_listeners=listeners)(question="?")))
    assert [chunk for chunk in chunks(values) if chunk] == expected


async def test_a_last_text_that_the_format_follows_in_its_chunk_is_the_last_itself() -> None:
    pieces = [
        "[[ ## reasoning ## ]]\n",
        "so",
        " it is\n\n[[ ##",
        " answer ## ]]\n",
        "good",
        ".\n\n",
        "[[ ## completed ## ]]",
    ]
    with provided(Answer(chunks=pieces)):
        values = await gather(streamify(PROGRAM, stream_listeners=BOTH)(question="?"))
    shown = [(r.signature_field_name, r.chunk, r.is_last_chunk) for r in responses(values)]
    assert shown == [
        ("reasoning", "so", False),
        ("reasoning", " it is", True),
        ("answer", "good", False),
        ("answer", ".", True),
    ]


async def test_where_the_text_had_gone_out_the_last_chunk_is_empty() -> None:
    pieces = ['{"reasoning": "r", "answer": "one', " two", '"}']
    with provided(Answer(chunks=pieces), adapter=ADAPTERS["json"]):
        values = await gather(streamify(PROGRAM, stream_listeners=[StreamListener("answer")])(question="?"))
    shown = [(r.chunk, r.is_last_chunk) for r in responses(values)]
    assert shown == [("one", False), (" two", False), ("", True)]


async def test_what_may_be_the_formats_is_delivered_when_that_is_decided() -> None:
    gates = {number: threading.Event() for number in (3, 4)}
    pieces = ["[[ ## answer ## ]]\n", "a", " b\n[", "c] d", "\n\n[[ ## completed ## ]]"]
    with provided(Answer(chunks=pieces, gates=gates)):
        listeners = [StreamListener("answer")]
        stream = streamify(dspy.Predict("question -> answer"), stream_listeners=listeners)(question="?")
        assert (await anext(stream)).chunk == "a"
        gates[3].set()
        got = ""
        while not got.endswith("[c] d"):
            got += (await anext(stream)).chunk
        assert got == " b\n[c] d"
        gates[4].set()
        assert chunks(await gather(stream)) in ([""], [])


async def test_of_several_candidates_the_first_is_heard() -> None:
    program = dspy.Predict("question -> answer", n=2)
    with provided(chat(answer="this one"), chat(answer="another")):
        values = await gather(streamify(program, stream_listeners=[StreamListener("answer")])(question="?"))
    assert text(values) == values[-1].answer
    check_ends(values)


async def test_a_lm_that_does_not_stream_gives_the_text_in_one_chunk() -> None:
    with dspy.context(lm=dspy.utils.DummyLM([{"answer": "one two three"}])):
        listeners = [StreamListener("answer")]
        values = await gather(streamify(dspy.Predict("question -> answer"), stream_listeners=listeners)(question="?"))
    assert [chunk for chunk in chunks(values) if chunk] == ["one two three"]
    check_ends(values)


class Upside(dspy.ChatAdapter):
    """An adapter of the user's own, with a format of its own."""

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, object]:
        return dict.fromkeys(signature.output_fields, completion[::-1])


@pytest.mark.parametrize("adapter", [Upside(), dspy.TwoStepAdapter(dspy.utils.DummyLM([]))], ids=["own", "two-step"])
async def test_any_adapter_works(adapter: dspy.Adapter) -> None:
    with provided("txet", chat(answer="extracted")) as provider:
        if isinstance(adapter, dspy.TwoStepAdapter):
            adapter.extraction_model = dspy.LM(provider.model, **provider.lm_kwargs, cache=False)
        with dspy.context(adapter=adapter):
            listeners = [StreamListener("answer")]
            program = dspy.Predict("question -> answer")
            values = await gather(streamify(program, stream_listeners=listeners)(question="?"))
    assert text(values) == values[-1].answer
    check_ends(values)


async def test_a_response_is_what_dspys_is_with_two_attributes_more() -> None:
    assert StreamResponse("predict", "answer", "text", True).call_id == ""
    assert StreamResponse("predict", "answer", "text", True).reset is None
