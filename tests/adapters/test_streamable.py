"""Types that say themselves what of an LM's chunks is theirs: ``dspy.Citations``, and those of users."""

# DSPy's signatures are made at run time, and its keyword arguments are many.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false

from collections.abc import AsyncIterator, Iterator
from typing import Any

import dspy
import pytest
from dspy.adapters.types.citation import Citations

from fieldstream.events import FieldDelta, FieldEnded
from tests.support.sameness import WAYS, Streamed, Way, chat, check_run, streaming
from tests.support.values import apply

pytestmark = [
    pytest.mark.parametrize("way", WAYS),
    pytest.mark.dspy(">=3.4"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Heard(dspy.Type):
    """What an LM thought, as a user's own type reads it."""

    text: str

    def format(self) -> str:
        return self.text

    @classmethod
    def adapt_to_native_lm_feature(cls, signature: Any, field_name: str, lm: Any, lm_kwargs: Any) -> Any:
        return signature.delete(field_name)

    @classmethod
    def is_streamable(cls) -> bool:
        return True

    @classmethod
    def parse_stream_chunk(cls, chunk: Any) -> Any:
        return getattr(chunk.choices[0].delta, "reasoning_content", None)

    @classmethod
    def parse_lm_response(cls, response: Any) -> "Heard | None":
        return cls(text=response["reasoning_content"]) if "reasoning_content" in response else None


class Engine:
    """Says what it is told, in DSPy's own events."""

    def __init__(self, *deltas: Any) -> None:
        self.deltas = deltas

    def stream(self, request: Any) -> Iterator[Any]:
        from dspy import lm15

        yield lm15.StreamStartEvent(id="1", model="m")
        for delta in self.deltas:
            yield lm15.StreamDeltaEvent(delta=delta)
        usage = lm15.Usage(input_tokens=1, output_tokens=1, total_tokens=2)
        yield lm15.StreamEndEvent(finish_reason="stop", usage=usage)

    def complete(self, request: Any) -> Any:
        from dspy._vendor.lm15.result import StreamAccumulator

        accumulator = StreamAccumulator(request)
        for event in self.stream(request):
            accumulator.push(event)
        return accumulator.response()


class AsyncEngine:
    """As ``Engine``, asynchronous."""

    def __init__(self, *deltas: Any) -> None:
        self._engine = Engine(*deltas)

    async def complete(self, request: Any) -> Any:
        return self._engine.complete(request)

    async def stream(self, request: Any) -> AsyncIterator[Any]:
        for event in self._engine.stream(request):
            yield event


def see(way: Way, program: dspy.Module, lm: dspy.LM, **inputs: Any) -> Streamed:
    """Stream the program, and compare with what its plain call gives."""
    with dspy.context(lm=lm):
        seen = Streamed()
        plain: Any = None
        try:
            plain = program(**inputs)
        except Exception as error:
            plain = error
        streaming(way)(program, inputs, seen)
    check_run(seen)
    if isinstance(plain, Exception):
        assert type(seen.error) is type(plain)
    else:
        assert seen.result.toDict() == plain.toDict()
    return seen


def lm_saying(*deltas: Any, model: str = "openai/sim") -> dspy.LM:
    return dspy.LM(model, engine=Engine(*deltas), async_engine=AsyncEngine(*deltas), cache=False, num_retries=0)


def answering(**types: Any) -> dspy.Module:
    made: Any = dspy.Signature
    signature = made("question -> answer")
    for name, kind in types.items():
        signature = signature.append(name, dspy.OutputField(), type_=kind)
    return dspy.Predict(signature)


def deltas(run: Streamed, field: str) -> list[FieldDelta]:
    return [event for event in run.of(FieldDelta) if event.field == field]


def test_a_users_type_reads_chunks(way: Way) -> None:
    from dspy import lm15

    thoughts = (lm15.ThinkingDelta(text="Light "), lm15.ThinkingDelta(text="scatters."))
    lm = lm_saying(*thoughts, lm15.TextDelta(text=chat(answer="Blue.")))
    with dspy.context(adapter=dspy.ChatAdapter(native_response_types=[Heard])):
        run = see(way, answering(heard=Heard), lm, question="?")
    assert run.result.heard == Heard(text="Light scatters.")
    assert [event.text for event in deltas(run, "heard")] == ["Light ", "scatters."]
    assert run.resets() == []


def test_parallel_tool_calls_of_the_responses_api(way: Way) -> None:
    """Parts count all that an answer has: a tool call's number is not its place."""
    from dspy import lm15

    class Able(dspy.LM):
        supports_function_calling = True  # pyright: ignore[reportAssignmentType]

    call = lm15.ToolCallDelta
    pieces = ('{"x": "a', '{"y": [', 'b"', "1]", "}", "}")
    said = (
        lm15.ThinkingDelta(text="Hm.", part_index=0),
        call(part_index=2, id="a", name="look", input=""),
        call(part_index=5, id="b", name="find", input=""),
        *(call(part_index=2 + 3 * (at % 2), input=piece) for at, piece in enumerate(pieces)),
    )

    lm = Able("openai/sim", model_type="responses", engine=Engine(*said), async_engine=AsyncEngine(*said), cache=False)
    made: Any = dspy.Signature
    program = dspy.Predict(made("question, tools: list[dspy.Tool] -> answer, calls: dspy.ToolCalls"))
    with dspy.context(adapter=dspy.ChatAdapter(use_native_function_calling=True)):
        run = see(way, program, lm, question="?", tools=[dspy.Tool(lambda x: x, name="look", args={"x": {}})])
    calls = [{"name": "look", "args": {"x": "ab"}}, {"name": "find", "args": {"y": [1]}}]
    assert apply(run.events)[run.calls("predictor")[0].call, 0]["calls"] == {"tool_calls": calls}
    assert [event.text for event in deltas(run, "calls") if event.path[-1:] == ("x",)] == ["a", "b"]
    assert run.resets() == []
    ended = next(event for event in run.of(FieldEnded) if event.field == "calls")
    assert ended.seq < run.ended(run.calls("lm")[0].call).seq


def test_citations_that_dspy_cannot_read_fail_alike(way: Way) -> None:
    """DSPy's own engine gives citations without what ``dspy.Citations`` demands."""
    from dspy import lm15

    lm = lm_saying(
        lm15.TextDelta(text=chat(answer="Blue.")),
        lm15.CitationDelta(text="The sky is blue", title="Sky", part_index=0),
        model="anthropic/sim",
    )
    run = see(way, answering(cited=Citations), lm, question="?")
    assert run.error is not None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_citations_come_one_by_one(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """As LiteLLM gives them, of an Anthropic model."""
    import litellm
    from litellm.types.utils import Delta, ModelResponseStream, StreamingChoices

    cited = [
        {
            "type": "char_location",
            "cited_text": text,
            "document_index": 0,
            "start_char_index": at,
            "end_char_index": at + 3,
        }
        for at, text in enumerate(["sky", "air", "sun"])
    ]
    text = chat(answer="Blue.")

    def chunks() -> Iterator[Any]:
        for each in cited:
            fields = {"citation": each}
            yield ModelResponseStream(choices=[StreamingChoices(delta=Delta(provider_specific_fields=fields), index=0)])
        yield ModelResponseStream(choices=[StreamingChoices(delta=Delta(content=text), index=0)])
        yield ModelResponseStream(choices=[StreamingChoices(delta=Delta(), finish_reason="stop", index=0)])

    def completion(stream: bool = False, **request: Any) -> Any:
        message = {"role": "assistant", "content": text, "provider_specific_fields": {"citations": [cited]}}
        return chunks() if stream else litellm.ModelResponse(choices=[{"index": 0, "message": message}])

    class Stream:
        def __init__(self) -> None:
            self._chunks = chunks()

        def __aiter__(self) -> "Stream":
            return self

        async def __anext__(self) -> Any:
            for chunk in self._chunks:
                return chunk
            raise StopAsyncIteration

        async def aclose(self) -> None: ...

    async def acompletion(stream: bool = False, **request: Any) -> Any:
        return Stream() if stream else completion(**request)

    monkeypatch.setattr(litellm, "completion", completion)
    monkeypatch.setattr(litellm, "acompletion", acompletion)
    lm = dspy.LM("anthropic/sim", engine="litellm", api_key="k", cache=False, num_retries=0)
    run = see(way, answering(cited=Citations), lm, question="?")
    assert [(event.path, event.value) for event in deltas(run, "cited")] == [
        ((), []),
        *(((index,), each) for index, each in enumerate(cited)),
    ]
    assert run.resets() == []
    answer = deltas(run, "answer")[0]
    assert deltas(run, "cited")[-1].seq < answer.seq
