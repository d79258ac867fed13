"""The ways to have a structured field's value at every chunk of an LM's answer, without I/O: ours, and those of others.

Each is given the pieces of the answer beforehand, and what a transport would make of them (the OpenAI SDK's chunks) is
made then. What is measured takes the pieces one by one, has the value so far after each, and gives the last one.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dspy
import pydantic

from benchmarks.peers import peer
from fieldstream import tap
from fieldstream._fields import FieldName
from fieldstream.fields import Appended, Assigned, Change, Completed, Withdrawn
from fieldstream.fields import Written as Literal
from fieldstream.log import CompletionCursor, MemoryLog
from fieldstream.readers.partial import PartialValue
from fieldstream.readers.values import ValueAssembler
from fieldstream.tap.record.calls import Recorder
from fieldstream.tap.record.writer import Writer
from fieldstream.tap.signatures.adapters import output_fields, parser_of
from fieldstream.tap.signatures.shapes import slots_of


@dataclass(frozen=True)
class Written:
    """An answer of an LM's: a JSON object with one member, ``answer``."""

    pieces: Sequence[str]
    signature: type[dspy.Signature]
    """What asks for it."""
    whole: type[pydantic.BaseModel]
    """The type of the whole object, for those who know no signatures."""


Way = Callable[[Written], Callable[[], Any]]


def fieldstream(written: Written, *, typed: bool = False) -> Callable[[], Any]:
    """The parser that a run would have for DSPy's JSON format, and the live value that its reader would have."""

    def read() -> Any:
        new_parser = parser_of(dspy.JSONAdapter(), written.signature)
        assert new_parser is not None
        parser = new_parser()
        partial = PartialValue(slots_of(written.signature)["answer"], typed=typed)
        value: Any = None
        for piece in written.pieces:
            for change in parser.feed(piece):
                _apply(partial, change)
            value = partial.value
        return value

    return read


def _apply(partial: PartialValue, change: Change) -> None:
    if type(change) is Appended:  # Nearly always, as for `tap.writer`: so these two come before the match.
        partial.append(change.path, change.text)
        return
    if type(change) is Literal:
        return
    match change:
        case Assigned(_, value, path):
            partial.assign(path, value)
        case Completed(_, path):
            partial.complete(path)
        case Withdrawn(_, _, path):
            partial.withdraw(path)
        case _:  # where the field begins and ends
            pass


def fieldstream_typed(written: Written) -> Callable[[], Any]:
    """The same with objects of the field's type, as ``run.values("answer", typed=True)`` gives."""
    return fieldstream(written, typed=True)


def fieldstream_run(written: Written) -> Callable[[], Any]:
    """All that a run does between its LM's text and the reader of ``run.values("answer")``, who looks at every chunk:
    the events are written to the run's log, and read from it.
    """

    def read() -> Any:
        log = MemoryLog()
        recorder = Recorder(log)
        recorder.start("run", "program")
        call = recorder.open(None, "predictor", "self")
        writer = Writer(recorder, call)
        writer.plan(parser_of(dspy.JSONAdapter(), written.signature), output_fields(written.signature))
        candidate = writer.begin(0)
        cursor = CompletionCursor(log)
        values = ValueAssembler(FieldName(None, "answer"), {call.id: tap.Answer(written.signature)})
        value: Any = None
        for piece in written.pieces:
            writer.feed(candidate, piece)
            values.feed(cursor.take())
            if values.news:
                value = values.take()
        return value

    return read


def jiter(written: Written) -> Callable[[], Any]:
    """The whole text so far, parsed again at each chunk."""
    from_json = peer("jiter").from_json

    def read() -> Any:
        buffer = b""
        value: Any = None
        for piece in written.pieces:
            buffer += piece.encode()
            value = from_json(buffer, partial_mode="trailing-strings").get("answer")
        return value

    return read


def jsonriver(written: Written) -> Callable[[], Any]:
    """An incremental parser in pure Python. Its coroutines never wait here, so that no event loop is paid for."""
    parse = peer("jsonriver").parse

    async def each() -> AsyncIterator[str]:
        for piece in written.pieces:
            yield piece

    async def follow() -> Any:
        value: Any = None
        async for whole in parse(each()):
            value = whole.get("answer")
        return value

    def read() -> Any:
        try:
            follow().send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("jsonriver waited for something")

    return read


def pydantic_ai(written: Written) -> Callable[[], Any]:
    """What an agent's ``stream_output(debounce_by=None)`` does with the text so far: its own validation of a part, and
    nothing of what it does around that. A part that is not valid yet is passed over, as it is there.
    """
    processor = peer("pydantic_ai._output").ObjectOutputProcessor(written.whole)

    def read() -> Any:
        buffer = ""
        value: Any = None
        for piece in written.pieces:
            buffer += piece
            try:
                value = processor.validate(buffer, allow_partial=True).answer
            except pydantic.ValidationError:
                pass
        return value

    return read


def openai(written: Written) -> Callable[[], Any]:
    """What ``client.chat.completions.stream(response_format=...)`` does with the chunks that it has received."""
    new_state = peer("openai.lib.streaming.chat").ChatCompletionStreamState
    chunk_type = peer("openai.types.chat").ChatCompletionChunk
    said: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
    said += [({"content": piece}, None) for piece in written.pieces]
    said.append(({}, "stop"))
    common = {"id": "c", "created": 1, "model": "m", "object": "chat.completion.chunk"}
    chunks = [
        chunk_type.model_validate(common | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
        for delta, reason in said
    ]

    def read() -> Any:
        state = new_state(response_format=written.whole)
        value: Any = None
        for chunk in chunks:
            for event in state.handle_chunk(chunk):
                if event.type in ("content.delta", "content.done"):
                    value = event.parsed
        return value.answer

    return read
