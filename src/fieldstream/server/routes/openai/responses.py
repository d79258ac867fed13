"""``POST /v1/responses``."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from fieldstream.server.chat import Turn, chat_inputs
from fieldstream.server.host import Host
from fieldstream.server.routes.openai.answering import Answering, Streaming
from fieldstream.server.routes.openai.errors import ANSWERS, OpenAIError
from fieldstream.server.routes.openai.messages import Message, turns
from fieldstream.server.routes.openai.models import model
from fieldstream.wire.openai.responses import Responses


class Item(Message):
    """An item of the input: a message, or something else (a call, reasoning), which is passed over."""

    type: str = "message"
    role: str = ""


class ResponseRequest(BaseModel):
    """A request for a response. What it has beside these members (`temperature`, `tools` …) is passed over."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(description="A program's name, perhaps with an output field: `qa`, `qa/sources`.")
    input: str | list[Item] = ""
    instructions: JsonValue = Field(default=None, description="Passed over, and told again.")
    metadata: dict[str, str] | None = None
    stream: bool | None = False
    background: bool | None = False
    previous_response_id: str | None = None
    conversation: JsonValue = None
    hold: bool = Field(default=False, description="Send the text when it is final, so that none is withdrawn.")
    inputs: dict[str, Any] = Field(default_factory=dict, description="The program's other inputs, by name.")


def add_responses(router: APIRouter, host: Host) -> None:
    """Add the route."""

    async def respond(
        request: Request,
        body: ResponseRequest,
        hold: Annotated[bool, Query(description="As in the body.")] = False,
    ) -> Response:
        """A program's answer to the last message of `input`, which is its main text input.

        What was said before is its history, if it has a `dspy.History`. `instructions`, system and developer messages
        are passed over, as are sampling parameters and tools: a program has its own. Nothing is stored, whatever
        `store` says: give earlier turns in `input`, not by `previous_response_id` or `conversation`.
        """
        asked = model(host, body.model)
        _check(body)
        inputs = chat_inputs(asked.mount, _turns(body), body.inputs)
        run = await host.runs.start(asked.mount, inputs, host.client(request))
        response = Responses(
            asked.mount.view(run.id),
            model=asked.name,
            created=int(run.started_at),
            hold=hold or body.hold or not body.stream,
            calls=asked.calls,
            echo={"instructions": body.instructions, "metadata": body.metadata or {}},
        )
        leave = not host.options.resume_chats
        if body.stream:
            return Streaming(run, response, cancel_on_leave=leave)
        return Answering(run, response, cancel_on_leave=leave)

    router.add_api_route(
        "/responses",
        respond,
        methods=["POST"],
        summary="Run a program as a response",
        response_model=None,
        responses=ANSWERS,
    )


def _turns(body: ResponseRequest) -> list[Turn]:
    if isinstance(body.input, str):
        return [Turn("user", body.input)] if body.input else []
    return turns([item if item.type == "message" else None for item in body.input if item.type != "reasoning"], "input")


def _check(body: ResponseRequest) -> None:
    """Raises ``ApiError`` 400 for what would need that answers are kept."""
    kept = {"previous_response_id": body.previous_response_id, "conversation": body.conversation}
    for param, value in kept.items():
        if value is not None:
            raise OpenAIError(
                400,
                "unsupported_parameter",
                f"{param} is not supported: answers are not stored. Give the earlier turns in `input`",
                param=param,
            )
    if body.background:
        raise OpenAIError(
            400,
            "unsupported_parameter",
            "background is not supported here; POST /programs/{name}/runs with `Prefer: respond-async` starts a run to "
            "be followed later",
            param="background",
        )
