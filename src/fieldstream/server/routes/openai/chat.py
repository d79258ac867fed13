"""``POST /v1/chat/completions``."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from fieldstream.server.chat import chat_inputs
from fieldstream.server.host import Host
from fieldstream.server.routes.openai.answering import Answering, Streaming
from fieldstream.server.routes.openai.errors import ANSWERS, OpenAIError
from fieldstream.server.routes.openai.messages import Message, turns
from fieldstream.server.routes.openai.models import model
from fieldstream.wire.openai.chat import ChatCompletions


class StreamOptions(BaseModel):
    """What else a stream says."""

    include_usage: bool = False


class CompletionRequest(BaseModel):
    """A request for a chat completion. What it has beside these members (`temperature`, `tools` …) is passed over."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(description="A program's name, perhaps with an output field: `qa`, `qa/sources`.")
    messages: list[Message] = Field(min_length=1)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = 1
    hold: bool = Field(default=False, description="Send the text when it is final, so that none is withdrawn.")
    inputs: dict[str, Any] = Field(default_factory=dict, description="The program's other inputs, by name.")


def add_chat(router: APIRouter, host: Host) -> None:
    """Add the route."""

    async def complete(
        request: Request,
        body: CompletionRequest,
        hold: Annotated[bool, Query(description="As in the body.")] = False,
    ) -> Response:
        """A program's answer to the last message, which is its main text input.

        What was said before is its history, if it has a `dspy.History`. System and developer messages are passed over,
        as are sampling parameters and tools: a program has its own. `inputs` gives other inputs by name.
        """
        asked = model(host, body.model)
        if body.n not in (None, 1):
            raise OpenAIError(400, "unsupported_value", "n must be 1: a program gives one answer", param="n")
        inputs = chat_inputs(asked.mount, turns(body.messages, "messages"), body.inputs)
        run = await host.runs.start(asked.mount, inputs, host.client(request))
        completion = ChatCompletions(
            asked.mount.view(run.id),
            model=asked.name,
            created=int(run.started_at),
            hold=hold or body.hold or not body.stream,
            calls=asked.calls,
            usage=body.stream_options is not None and body.stream_options.include_usage,
        )
        leave = not host.options.resume_chats
        if body.stream:
            return Streaming(run, completion, cancel_on_leave=leave)
        return Answering(run, completion, cancel_on_leave=leave)

    router.add_api_route(
        "/chat/completions",
        complete,
        methods=["POST"],
        summary="Run a program as a chat",
        response_model=None,
        responses=ANSWERS,
    )
