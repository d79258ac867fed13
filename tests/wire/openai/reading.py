"""What OpenAI's official client makes of our bytes: its decoder, its types (validated), and its accumulators."""

from collections.abc import Sequence
from typing import Any

from openai import omit
from openai._streaming import SSEDecoder
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ParsedChatCompletion
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from fieldstream.events import Event
from fieldstream.wire.turn import ChatTurn

_EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)

OURS = {"reasoning_content"}
"""What we say beyond OpenAI's own types, as other providers do."""


def fed(turn: ChatTurn, events: Sequence[Event], *, at_once: bool = False) -> bytes:
    return turn.feed(events) if at_once else b"".join([turn.feed([each]) for each in events])


def frames(said: bytes) -> list[Any]:
    """The JSON of each block; the end's mark is ``None``."""
    decoded = SSEDecoder().iter_bytes(iter([said]))
    return [None if each.data == "[DONE]" else each.json() for each in decoded]


def chunks(said: bytes) -> list[ChatCompletionChunk]:
    """The chunks of a completion that ends as it should. Each is what the types say, and no more."""
    read = frames(said)
    assert read[-1] is None, "the end is marked"
    made = [ChatCompletionChunk.model_validate(each) for each in read[:-1]]
    for chunk in made:
        assert not chunk.model_extra
        for choice in chunk.choices:
            assert not choice.model_extra
            assert set(choice.delta.model_extra or ()) <= OURS
    return made


def completed(said: bytes) -> ParsedChatCompletion[None]:
    """The completion that the client's accumulator makes of the chunks."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in chunks(said):
        list(state.handle_chunk(chunk))
    return state.get_final_completion()


def content(said: bytes) -> str:
    """The text as one reads it who only joins deltas."""
    return "".join([choice.delta.content or "" for chunk in chunks(said) for choice in chunk.choices])


def completion(answer: Any) -> ChatCompletion:
    """An answer that is not streamed."""
    made = ChatCompletion.model_validate(answer)
    assert not made.model_extra
    assert set(made.choices[0].message.model_extra or ()) <= OURS
    return made


def response_events(said: bytes) -> list[ResponseStreamEvent]:
    """The events of a response. Each is what the types say; their numbers have no gap; the accumulator takes them."""
    read = frames(said)
    state: ResponseStreamState[None] = ResponseStreamState(input_tools=[], text_format=omit)
    events = [_EVENT.validate_python(each) for each in read]
    for event, each in zip(events, read, strict=True):
        assert event.type == each["type"]
        state.handle_event(event)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    return events
