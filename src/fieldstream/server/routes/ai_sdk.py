"""AI SDK: a program as the other side of a chat whose client is ``useChat``, or any other of the package ``ai``."""

from collections import OrderedDict
from typing import Annotated, Any, Literal, NamedTuple, cast

import pydantic
from fastapi import APIRouter, Header, Path, Query, Request, Response
from starlette.types import Receive, Scope, Send

from fieldstream.events import Failure
from fieldstream.server.auth import Client
from fieldstream.server.chat import Turn, chat_inputs
from fieldstream.server.delivery import Following
from fieldstream.server.errors import ApiError
from fieldstream.server.host import Host
from fieldstream.server.runs import ServedRun
from fieldstream.wire.ai_sdk import NAME, WITHDRAWN, AiSdkTurn, Version

_SUPERSEDED = Failure(kind="cancelled", message="the chat went on with another message")


class UIMessage(pydantic.BaseModel):
    """A message as the AI SDK's clients keep it."""

    model_config = pydantic.ConfigDict(extra="allow")

    role: Literal["system", "user", "assistant"]
    parts: list[dict[str, Any]]


class ChatRequest(pydantic.BaseModel):
    """What the AI SDK's ``DefaultChatTransport`` sends, and ``inputs`` of the program by name (its option ``body``)."""

    model_config = pydantic.ConfigDict(extra="allow")

    id: str = ""
    messages: list[UIMessage]
    inputs: dict[str, Any] = {}


_Major = Annotated[
    Literal["6", "7"], Query(description="The major version of the client's package `ai`. 6 cannot withdraw text.")
]
_ChatId = Annotated[str, Path(description="The chat's id, as its client sends it.")]


def add_ai_sdk(router: APIRouter, host: Host) -> None:
    """Add the routes."""
    chats = _Chats(host)
    resumes = host.options.resume_chats

    async def chat(request: Request, name: str, body: ChatRequest, ai: _Major = "7") -> Response:
        """Answer a chat of the AI SDK with a stream of UI messages.

        The last user message is the program's main text input, what was said before its history, if it has one;
        `inputs` gives inputs by name. A client that goes away ends the run, unless the server resumes chats: then a
        `GET` of its stream gives the run again, from its beginning, and the chat's next message ends it.
        """
        mount, client = host.mount(name), host.client(request)
        inputs = chat_inputs(mount, _turns(body.messages), body.inputs)
        key = _Key(client, name, body.id)
        if resumes and (before := chats.get(key)) is not None:
            before.cancel(_SUPERSEDED)
        run = await host.runs.start(mount, inputs, client)
        encoder = AiSdkTurn(mount.view(run.id), version=_version(ai))
        if not resumes or not body.id:
            return Following(run, encoder, cancel_on_leave=True)
        chats.add(key, run)
        return _Resumable(chats, key, run, encoder)

    async def resume(
        request: Request,
        name: str,
        chat_id: _ChatId,
        ai: _Major = "7",
        last_event_id: Annotated[int | None, Header(description="What the client has already.")] = None,
    ) -> Response:
        """Follow a chat's answer, from its beginning; or after `Last-Event-ID`, where that is known.

        204: there is none, or it was delivered to its end.
        """
        mount = host.mount(name)
        key = _Key(host.client(request), name, chat_id)
        if (run := chats.get(key)) is None:
            return Response(status_code=204)
        encoder, after = AiSdkTurn(mount.view(run.id), version=_version(ai)), -1
        if last_event_id is not None:
            after = _pass_over(run, encoder, last_event_id)
            if after != last_event_id:
                encoder, after = AiSdkTurn(mount.view(run.id), version=_version(ai)), -1
        return _Resumable(chats, key, run, encoder, after=after)

    async def stop(request: Request, name: str, chat_id: _ChatId) -> Response:
        """End a chat's answer: where chats resume, a client that goes away does not."""
        host.mount(name)
        if (run := chats.get(_Key(host.client(request), name, chat_id))) is not None:
            run.cancel()
        return Response(status_code=204)

    path, again = "/programs/{name}/ai-sdk", "/programs/{name}/ai-sdk/{chat_id:path}/stream"
    streams: dict[int | str, dict[str, Any]] = {
        200: {"description": "A UI message stream.", "content": {"text/event-stream": {}}}
    }
    add = router.add_api_route
    add(path, chat, methods=["POST"], tags=["chat"], summary="Answer an AI SDK chat", responses=streams)
    add(again, resume, methods=["GET"], tags=["chat"], summary="Follow an AI SDK chat's answer", responses=streams)
    add(again, stop, methods=["DELETE"], tags=["chat"], summary="End an AI SDK chat's answer", status_code=204)


def _version(ai: Literal["6", "7"]) -> Version:
    return 6 if ai == "6" else 7


class _Key(NamedTuple):
    """A client's own name for a chat."""

    client: Client
    program: str
    chat: str


class _Chats:
    """The last run of each chat, until it was delivered to its end or is forgotten."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._runs: OrderedDict[_Key, str] = OrderedDict()

    def add(self, key: _Key, run: ServedRun) -> None:
        """The chat goes on with this run."""
        self._runs.pop(key, None)
        self._runs[key] = run.id
        while self.get(next(iter(self._runs))) is None:  # The oldest are those that are forgotten.
            pass

    def get(self, key: _Key) -> ServedRun | None:
        """Its run; none where there is nothing to follow."""
        if (id := self._runs.get(key)) is None:
            return None
        try:
            return self._host.runs.get(id)
        except ApiError:
            del self._runs[key]
            return None

    def delivered(self, key: _Key, run: ServedRun) -> None:
        """The run was delivered to its end."""
        if self._runs.get(key) == run.id:
            del self._runs[key]


class _Resumable(Following):
    """An answer that can be had again, until it was delivered to its end."""

    def __init__(self, chats: _Chats, key: _Key, run: ServedRun, encoder: AiSdkTurn, *, after: int = -1) -> None:
        super().__init__(run, encoder, after=after)
        self._chats = chats
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)
        if self._done:
            self._chats.delivered(self._key, self._run)


def _pass_over(run: ServedRun, encoder: AiSdkTurn, last: int) -> int:
    """Have the encoder know what the client has; gives up to where that can be told."""
    cursor = run.cursor(merge=False)
    after = -1
    while after < last and (events := [event for event in cursor.take() if event.seq <= last]):
        encoder.feed(events)
        after = events[-1].seq
    return after


def _turns(messages: list[UIMessage]) -> list[Turn]:
    last = max((at for at, message in enumerate(messages) if message.role == "user"), default=None)
    if last is not None and any(part.get("type") == "file" for part in messages[last].parts):
        raise ApiError(422, "no_files", "the message has a file; programs take text, and other inputs in `inputs`")
    return [Turn(message.role, _text(message)) for message in messages]


def _text(message: UIMessage) -> str:
    """A message's text, without what was withdrawn: client 6 has that still."""
    lists: list[Any] = [_member(part, "data", "ids") for part in message.parts if part.get("type") == WITHDRAWN]
    withdrawn = [id for ids in lists if isinstance(ids, list) for id in cast("list[Any]", ids)]
    texts = [
        str(part.get("text", ""))
        for part in message.parts
        if part.get("type") == "text" and _member(part, "providerMetadata", NAME, "id") not in withdrawn
    ]
    return ("\n\n" if message.role == "user" else "").join(texts)


def _member(value: Any, *names: str) -> Any:
    for name in names:
        value = cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
    return value
