"""What a stream yields, and in which order."""

import threading

import dspy
import pytest

from fieldstream import StatusMessage, StreamListener, StreamResponse, streamify
from fieldstream.simulator import Answer
from tests.streamify.helpers import chat, check_ends, chunks, gather, provided, read, responses, text


class Two(dspy.Module):
    def __init__(self) -> None:
        self.first = dspy.Predict("question -> draft")
        self.second = dspy.Predict("draft -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        return self.second(draft=self.first(question=question).draft)

    async def aforward(self, question: str) -> dspy.Prediction:
        return await self.second.acall(draft=(await self.first.acall(question=question)).draft)


async def test_without_listeners_every_chunk_of_every_call_comes_as_dspy_hands_it_over() -> None:
    pieces = ["[[ ## draft ## ]]\n", "one", " two\n\n", "[[ ## completed ## ]]"]
    others = ["[[ ## answer ## ]]\n", "three\n\n[[ ## completed ## ]]"]
    with provided(Answer(chunks=pieces), Answer(chunks=others)):
        *values, last = await gather(streamify(Two())(question="?"))
    assert isinstance(last, dspy.Prediction)
    assert [v.choices[0].delta.content for v in values if v.choices[0].delta.get("content")] == pieces + others


async def test_a_chunk_names_the_predictor_by_dspys_id_of_it() -> None:
    program = dspy.Predict("question -> answer")
    with provided(chat(answer="x")):
        values = await gather(streamify(program)(question="?"))
    assert {value.predict_id for value in values[:-1]} == {id(program)}


async def test_with_listeners_only_what_they_listen_to_comes_and_then_the_prediction() -> None:
    with provided(chat(draft="one two"), chat(answer="three four")):
        stream = streamify(Two(), stream_listeners=[StreamListener("answer")])(question="?")
        *values, last = await gather(stream)
    assert all(isinstance(value, StreamResponse) for value in values)
    assert {(value.predict_name, value.signature_field_name) for value in values} == {("second", "answer")}
    assert text(values) == last.answer == "three four"
    check_ends(values)


async def test_fields_come_in_the_order_in_which_they_are_written() -> None:
    with provided(chat(draft="one two"), chat(answer="three four")):
        listeners = [StreamListener("answer"), StreamListener("draft")]
        values = await gather(streamify(Two(), stream_listeners=listeners)(question="?"))
    fields = [response.signature_field_name for response in responses(values)]
    assert fields == sorted(fields, reverse=True)
    check_ends(values)


async def test_everything_comes_as_it_happens() -> None:
    gate = threading.Event()
    answer = Answer(chunks=["[[ ## answer ## ]]\n", "one ", "two", "\n\n[[ ## completed ## ]]"], gates={2: gate})

    def tool(topic: str) -> str:
        return topic.upper()

    def program(question: str) -> str:
        dspy.Tool(tool)(topic="a")
        found = dspy.Predict("question -> answer")(question=question).answer
        dspy.Tool(tool)(topic="b")
        return found

    seen: list[object] = []
    with provided(answer):
        async for value in streamify(program, stream_listeners=[StreamListener("answer")])(question="?"):
            seen.append(value.message if isinstance(value, StatusMessage) else getattr(value, "chunk", value))
            gate.set()
    called = "Calling tool tool..."
    finished = "Tool calling finished! Querying the LLM with tool calling results..."
    spoken = [value for value in seen if value]
    assert [*spoken[:2], *spoken[-3:]] == [called, finished, called, finished, "one two"]
    assert "".join(map(str, spoken[2:-3])) == "one two"


async def test_a_text_comes_before_the_provider_says_more() -> None:
    gate = threading.Event()
    answer = Answer(chunks=["[[ ## answer ## ]]\n", "now", " then\n\n[[ ## completed ## ]]"], gates={2: gate})
    with provided(answer):
        listeners = [StreamListener("answer")]
        stream = streamify(dspy.Predict("question -> answer"), stream_listeners=listeners)(question="?")
        first = await anext(stream)
        assert (first.chunk, first.is_last_chunk) == ("now", False)
        gate.set()
        rest = await gather(stream)
    assert chunks(rest) == [" then"]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("returned", ["a string", None, ("a", 1), 0, {"b": []}], ids=repr)
async def test_what_the_program_returns_comes_whatever_it_is(returned: object, is_async: bool) -> None:
    class Program(dspy.Module):
        def forward(self) -> object:
            return returned

        async def aforward(self) -> object:
            return returned

    assert await gather(streamify(Program(), is_async_program=is_async)()) == [returned]


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_exception_comes_as_itself_after_what_was_streamed_before(is_async: bool) -> None:
    wrong = KeyError("mine")

    class Program(dspy.Module):
        def __init__(self) -> None:
            self.predict = dspy.Predict("question -> answer")

        def forward(self, question: str) -> None:
            self.predict(question=question)
            raise wrong

        async def aforward(self, question: str) -> None:
            await self.predict.acall(question=question)
            raise wrong

    values: list[object] = []
    with provided(chat(answer="one two")):
        listeners = [StreamListener("answer")]
        stream = streamify(Program(), stream_listeners=listeners, is_async_program=is_async)(question="?")
        with pytest.raises(KeyError) as caught:
            await read(stream, values)
    assert caught.value is wrong
    assert text(values) == "one two"
    assert await gather(stream) == [], "an exception comes once"


async def test_an_exception_of_the_lm_comes_as_itself() -> None:
    with provided(error=401), pytest.raises(dspy.LMAuthError if hasattr(dspy, "LMAuthError") else Exception) as caught:
        await gather(streamify(dspy.Predict("question -> answer"))(question="?"))
    assert not isinstance(caught.value, ExceptionGroup)


class TestFinalPrediction:
    listeners = (StreamListener("answer"),)

    @pytest.mark.parametrize("in_call", [False, True])
    async def test_it_can_be_left_out(self, in_call: bool) -> None:
        wrapped = streamify(
            dspy.Predict("question -> answer"),
            stream_listeners=self.listeners,
            include_final_prediction_in_output_stream=in_call,
        )
        flag = {"include_final_prediction_in_output_stream": False} if in_call else {}
        with provided(chat(answer="one two"), chat(answer="three")):
            values = await gather(wrapped(question="?", **flag))
            assert text(values) == "one two"
            assert responses(values) == values
            again = await gather(wrapped(question="?", include_final_prediction_in_output_stream=True))
        assert isinstance(again[-1], dspy.Prediction), "a flag in a call holds for that call alone"

    async def test_it_comes_where_no_listener_caught_anything(self) -> None:
        class Silent(dspy.Module):
            def __init__(self) -> None:
                self.unused = dspy.Predict("question -> answer")

            def forward(self) -> dspy.Prediction:
                return dspy.Prediction(answer="made up")

        wrapped = streamify(Silent(), None, list(self.listeners), include_final_prediction_in_output_stream=False)
        (value,) = await gather(wrapped())
        assert value.answer == "made up"

    async def test_it_comes_with_a_cached_answer_whose_text_comes_in_one_chunk(self) -> None:
        wrapped = streamify(
            dspy.Predict("question -> answer"),
            stream_listeners=self.listeners,
            include_final_prediction_in_output_stream=False,
        )
        with provided(Answer(chunks=["[[ ## answer ## ]]\n", "one", " two"]), cache=True) as provider:
            first = await gather(wrapped(question="?"))
            *spoken, prediction = await gather(wrapped(question="?"))
            assert len(provider.requests) == 1
        assert responses(first) == first
        assert [chunk for chunk in chunks(spoken) if chunk] == ["one two"]
        check_ends(spoken)
        assert prediction.answer == "one two"

    async def test_it_comes_without_listeners(self) -> None:
        wrapped = streamify(dspy.Predict("question -> answer"), include_final_prediction_in_output_stream=False)
        with provided(chat(answer="x")):
            assert isinstance((await gather(wrapped(question="?")))[-1], dspy.Prediction)

    @pytest.mark.parametrize("kind", ["predict", "chain of thought", "forward", "function"])
    async def test_a_programs_own_argument_of_the_flags_name_is_its_own(self, kind: str) -> None:
        signature = "include_final_prediction_in_output_stream: bool -> answer"

        class Program(dspy.Module):
            def forward(self, include_final_prediction_in_output_stream: bool) -> object:
                return include_final_prediction_in_output_stream

        def function(include_final_prediction_in_output_stream: bool) -> object:
            return include_final_prediction_in_output_stream

        program = {
            "predict": dspy.Predict(signature),
            "chain of thought": dspy.ChainOfThought(signature),
            "forward": Program(),
            "function": function,
        }[kind]
        with provided(chat(reasoning="r", answer="x")) as provider:
            values = await gather(streamify(program)(include_final_prediction_in_output_stream=False))
            asked = [request.text("user") for request in provider.requests]
        assert values[-1] is False or "False" in asked[0]

    async def test_a_programs_inner_fields_are_not_its_arguments(self) -> None:
        class Program(dspy.Module):
            def __init__(self) -> None:
                self.inner = dspy.Predict("include_final_prediction_in_output_stream -> answer")

            def forward(self, question: str) -> object:
                return self.inner(include_final_prediction_in_output_stream=question)

        wrapped = streamify(Program(), stream_listeners=self.listeners)
        with provided(chat(answer="x")):
            values = await gather(wrapped(question="?", include_final_prediction_in_output_stream=False))
        assert responses(values) == values
