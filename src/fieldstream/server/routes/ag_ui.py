"""AG-UI: a program as an agent that its client runs."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, cast

from ag_ui.core import AssistantMessage, RunAgentInput, TextPart, UserMessage
from fastapi import APIRouter, Path, Request, Response

from fieldstream.events import Event
from fieldstream.server.auth import Client
from fieldstream.server.chat import Turn, chat_inputs
from fieldstream.server.delivery import Following
from fieldstream.server.errors import ApiError
from fieldstream.server.host import Host
from fieldstream.server.runs import ServedRun
from fieldstream.wire.ag_ui import AgUiTurn

_RunId = Annotated[str, Path(description="The run's id, as its client sent it.")]


def add_ag_ui(router: APIRouter, host: Host) -> None:
    """Add the routes."""
    known = _Known(host)
    resumes = host.options.resume_chats

    def followed_again(run: ServedRun, asked: RunAgentInput) -> Response:
        encoder = AgUiTurn(run.mount.view(run.id), asked, again=True)
        cursor, events = run.cursor(), list[Event]()
        while more := cursor.take():
            events += more
        return Following(run, encoder, after=cursor.after, before=events)

    async def run_agent(request: Request, name: str, body: RunAgentInput) -> Response:
        """Run a program as an AG-UI agent, and answer with AG-UI's events.

        The last user message is the program's main text input, what was said before its history, if it has one;
        `forwardedProps.inputs` gives inputs by name. A client that goes away ends the run, unless the server resumes
        chats: then the same `runId` gives the same run again, as it stands and goes on, and so does a `GET` of its
        stream.
        """
        mount, client = host.mount(name), host.client(request)
        key = _Key(client, name, body.run_id)
        if resumes and (found := known.get(key)) is not None:
            return followed_again(*found)
        run = await host.runs.start(mount, chat_inputs(mount, _turns(body), _inputs(body)), client)
        if resumes:
            known.add(key, run, body)
        return Following(run, AgUiTurn(mount.view(run.id), body), cancel_on_leave=not resumes)

    async def follow_agent(request: Request, name: str, run_id: _RunId) -> Response:
        """Follow a run that this client has started, as it stands and goes on. 204: there is none."""
        host.mount(name)
        found = known.get(_Key(host.client(request), name, run_id))
        return Response(status_code=204) if found is None else followed_again(*found)

    async def stop_agent(request: Request, name: str, run_id: _RunId) -> Response:
        """End a run: where chats resume, a client that goes away does not."""
        host.mount(name)
        if (found := known.get(_Key(host.client(request), name, run_id))) is not None:
            found[0].cancel()
        return Response(status_code=204)

    streams: dict[int | str, dict[str, Any]] = {
        200: {"description": "AG-UI's events as they come.", "content": {"text/event-stream": {}}}
    }
    path, again = "/programs/{name}/ag-ui", "/programs/{name}/ag-ui/{run_id:path}/stream"
    add = router.add_api_route
    add(path, run_agent, methods=["POST"], tags=["chat"], summary="Run as an AG-UI agent", responses=streams)
    add(again, follow_agent, methods=["GET"], tags=["chat"], summary="Follow an AG-UI run", responses=streams)
    add(again, stop_agent, methods=["DELETE"], tags=["chat"], summary="End an AG-UI run", status_code=204)


class _Key(NamedTuple):
    """A client's own name for a run."""

    client: Client
    program: str
    run_id: str


class _Known:
    """The runs by the names that their clients gave them, as long as the server knows them."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._runs: OrderedDict[_Key, tuple[str, RunAgentInput]] = OrderedDict()

    def add(self, key: _Key, run: ServedRun, asked: RunAgentInput) -> None:
        """A run was started."""
        self._runs[key] = (run.id, asked)
        while self.get(next(iter(self._runs))) is None:
            pass

    def get(self, key: _Key) -> tuple[ServedRun, RunAgentInput] | None:
        """The run, and what was asked for; none where it was forgotten, or never was."""
        if (found := self._runs.get(key)) is None:
            return None
        try:
            return self._host.runs.get(found[0]), found[1]
        except ApiError:
            del self._runs[key]
            return None


def _turns(asked: RunAgentInput) -> list[Turn]:
    turns: list[Turn] = []
    for message in asked.messages:
        if isinstance(message, UserMessage):
            content = message.content
            parts = content if isinstance(content, list) else [TextPart(text=content)]
            turns.append(Turn("user", "\n\n".join(part.text for part in parts if isinstance(part, TextPart))))
        elif isinstance(message, AssistantMessage) and message.content:
            turns.append(Turn("assistant", message.content))
    return turns


def _inputs(asked: RunAgentInput) -> Mapping[str, Any]:
    forwarded: Any = asked.forwarded_props
    inputs: Any = cast("dict[str, Any]", forwarded).get("inputs") if isinstance(forwarded, dict) else None
    if inputs is None:
        return {}
    if not isinstance(inputs, dict):
        raise ApiError(422, "invalid_inputs", "`forwardedProps.inputs` is no object; give inputs by name in it")
    return cast("dict[str, Any]", inputs)
