"""The WebSocket: over one connection, start runs, follow them, and end them. Messages are JSON, in text frames."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pydantic
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.websockets import WebSocketState

from fieldstream.events import Event, RunEnded
from fieldstream.server.auth import Client
from fieldstream.server.errors import ApiError, invalid
from fieldstream.server.host import Host
from fieldstream.server.runs import ServedRun
from fieldstream.wire.json import encode

_PROTOCOL = "fieldstream"


class Start(msgspec.Struct, tag="start", kw_only=True):
    """Start a run and follow it."""

    id: str = ""
    """What the client calls this following; the answers carry it."""
    program: str
    inputs: dict[str, Any] = {}
    cancel_on_disconnect: bool = False


class Follow(msgspec.Struct, tag="follow", kw_only=True):
    """Follow a run after a cursor, from the first event without one; or from what there is (``snapshot``)."""

    id: str = ""
    run: str
    after: int = -1
    snapshot: bool = False


class Stop(msgspec.Struct, tag="stop", kw_only=True):
    """Follow no longer. The run goes on."""

    id: str = ""


class Cancel(msgspec.Struct, tag="cancel", kw_only=True):
    """End a run."""

    run: str


_DECODER = msgspec.json.Decoder(Start | Follow | Stop | Cancel)


def add_websocket(router: APIRouter, host: Host) -> None:
    """Add the route."""

    async def connect(socket: WebSocket) -> None:
        try:
            _check_origin(socket, host)
            client = host.client(socket)
        except ApiError as error:
            host.refused(error)
            await socket.send_denial_response(error.response())
            return
        offered: list[str] = socket.scope.get("subprotocols", [])
        await socket.accept(_PROTOCOL if _PROTOCOL in offered else None)
        await _Connection(socket, host, client).serve()

    router.add_api_websocket_route("/ws", connect)


def _check_origin(socket: WebSocket, host: Host) -> None:
    """A browser lets any page open a WebSocket anywhere: whose page it is, is for the server to look at."""
    origin = socket.headers.get("origin")
    if origin is None or origin in host.options.origins or "*" in host.options.origins:
        return
    if urlsplit(origin).netloc != socket.headers.get("host", ""):
        raise ApiError(
            403, "foreign_origin", f"pages of {origin} may not use this server; name it as an allowed origin"
        )


class _Connection:
    """One client's connection, and what it follows."""

    def __init__(self, socket: WebSocket, host: Host, client: Client) -> None:
        self._socket = socket
        self._host = host
        self._client = client
        self._following: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancelled_with_it: set[ServedRun] = set()
        # Frames are whole, and a connection is written to by one at a time.
        self._lock = asyncio.Lock()

    async def serve(self) -> None:
        try:
            while True:
                await self._take(await self._socket.receive())
        except WebSocketDisconnect:
            pass
        finally:
            for task in self._tasks:
                task.cancel()
            for run in self._cancelled_with_it:
                run.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect
        data: str | bytes = message.get("text") or message.get("bytes") or b""
        try:
            if len(data) > self._host.limits.max_body:
                raise ApiError(413, "message_too_large", f"messages have at most {self._host.limits.max_body:,} bytes")
            request: Start | Follow | Stop | Cancel = _DECODER.decode(data)
        except msgspec.DecodeError as error:
            await self._refuse("", ApiError(422, "bad_message", f"{error}; types are start, follow, stop, cancel"))
            return
        except ApiError as error:
            await self._refuse("", error)
            return
        match request:
            case Start() | Follow():
                if request.id in self._following:
                    problem = f"something is followed as {request.id!r} already; give each an id of its own"
                    await self._refuse(request.id, ApiError(409, "id_taken", problem))
                    return
                # A run may have to wait for its turn: the connection does not.
                task = asyncio.create_task(self._answer(request))
                self._tasks.add(task)
                self._following[request.id] = task
                task.add_done_callback(lambda done: self._done(request.id, done))
            case Stop():
                # Nothing more is said of it, and its id is free.
                if (task := self._following.pop(request.id, None)) is not None:
                    task.cancel()
            case Cancel():
                try:
                    self._host.runs.get(request.run).cancel()
                except ApiError as error:
                    await self._refuse("", error)

    def _done(self, id: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._following.get(id) is task:
            del self._following[id]

    async def _answer(self, request: Start | Follow) -> None:
        try:
            if isinstance(request, Start):
                await self._follow(request.id, await self._start(request), -1, first=None)
                return
            run = self._host.runs.get(request.run)
            state = run.state()
            if request.snapshot or not -1 <= request.after <= state.seq:
                snapshot = state.snapshot()
                await self._follow(request.id, run, snapshot.seq, first=encode(snapshot))
            else:
                await self._follow(request.id, run, request.after, first=None)
        except ApiError as error:
            await self._refuse(request.id, error)
        except WebSocketDisconnect:
            pass  # Whoever receives hears of it, too.

    async def _start(self, request: Start) -> ServedRun:
        mount = self._host.mount(request.program)
        try:
            inputs = mount.inputs.model_validate(request.inputs).given()
        except pydantic.ValidationError as error:
            raise invalid(error.errors(include_url=False, include_context=False)) from None
        run = await self._host.runs.start(mount, inputs, self._client)
        if request.cancel_on_disconnect:
            self._cancelled_with_it.add(run)
        return run

    async def _follow(self, id: str, run: ServedRun, after: int, *, first: bytes | None) -> None:
        await self._send(encode({"type": "started", "id": id, "run": run.id}))
        if first is not None:
            await self._send(_event(id, first))
        cursor = run.cursor(after)
        began = run.age
        task = asyncio.current_task()
        assert task is not None
        with run.audience.reader(task.cancel):
            while events := await cursor.next():
                if events[0].at >= began:  # What was there before its reader came is not late.
                    run.metrics.lag.observe(run.age - events[0].at)
                await self._send(*[_event(id, encode(event)) for event in events])
                if _is_end(events):
                    break
                await asyncio.sleep(self._host.runs.audience.pause(self._host.limits.write_interval))
            self._cancelled_with_it.discard(run)
            await self._send(encode({"type": "end", "id": id}))

    async def _refuse(self, id: str, error: ApiError) -> None:
        self._host.refused(error)
        await self._send(encode({"type": "error", "id": id, **error.body()}))

    async def _send(self, *frames: bytes) -> None:
        async with self._lock:
            for frame in frames:
                if self._socket.application_state is WebSocketState.DISCONNECTED:
                    raise WebSocketDisconnect
                await self._socket.send_text(frame.decode())


def _event(id: str, event: bytes) -> bytes:
    return b'{"type":"event","id":%b,"event":%b}' % (encode(id), event)


def _is_end(events: list[Event]) -> bool:
    return type(events[-1]) is RunEnded
