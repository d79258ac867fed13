"""A real server for a test: in a thread, on a loopback port, with what the test needs to look into it."""

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import uvicorn
from fastapi import FastAPI

from fieldstream.events import Event, FieldDelta
from fieldstream.readers.state import RunState
from fieldstream.server.application import app_of, host_of
from fieldstream.server.host import Host
from fieldstream.server.runs import ServedRun
from fieldstream.wire.json import decode_event, encode
from tests.support.leftovers import DEADLINE
from tests.support.serving import on as on

T = TypeVar("T")


class Served:
    """A running server: its parts, and a client of it."""

    def __init__(self, host: Host, url: str, loop: asyncio.AbstractEventLoop, server: uvicorn.Server) -> None:
        self.host = host
        self.url = url
        self.loop = loop
        self.server = server
        self.http = httpx.Client(base_url=url, timeout=DEADLINE)

    def within(self, what: Callable[[], T]) -> T:
        """Do it in the server's loop."""

        async def call() -> T:
            return what()

        return self.waiting(call())

    def waiting(self, what: Awaitable[T]) -> T:
        """Wait for something in the server's loop."""

        async def wait() -> T:
            return await what

        return asyncio.run_coroutine_threadsafe(wait(), self.loop).result(DEADLINE)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until it is so. It is looked at in each turn of the server's loop."""

        async def look() -> None:
            async with asyncio.timeout(DEADLINE):
                while not condition():  # noqa: ASYNC110 (what it waits for has no event)
                    await asyncio.sleep(0.001)

        self.waiting(look())

    def run(self, answer: httpx.Response | str) -> ServedRun:
        """The run that an answer is about."""
        return self.host.runs.get(answer if isinstance(answer, str) else answer.headers["x-fieldstream-run"])

    def start(self, program: str = "qa", **inputs: Any) -> str:
        """Start a run that nobody follows; its id."""
        answer = self.http.post(f"/programs/{program}/runs", json=inputs or ASKED, headers={"Prefer": "respond-async"})
        assert answer.status_code == 202, answer.text
        return answer.headers["x-fieldstream-run"]

    def ended(self, run: str) -> dict[str, Any]:
        """The state of a run at its end."""
        return self.http.get(f"/runs/{run}/events", headers={"Accept": "application/json"}).json()

    def figure(self, name: str, **labels: str) -> float:
        """One of the server's figures; 0 where it was never counted."""
        return self.host.metrics.registry.get_sample_value(f"fieldstream_{name}", labels) or 0.0


ASKED = {"question": "Why is the sky blue?"}


@contextmanager
def served(programs: Mapping[str, Any], **options: Any) -> Generator[Served]:
    """A server of these programs."""
    options.setdefault("tokens", ())
    host = host_of(programs, **options)
    with serving(app_of(host), host) as server:
        yield server


@contextmanager
def serving(application: FastAPI, host: Host, **options: Any) -> Generator[Served]:
    """A server of an app in which this host is."""
    config = uvicorn.Config(application, log_config=None, lifespan="on", timeout_graceful_shutdown=5, **options)
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    loops: list[asyncio.AbstractEventLoop] = []
    begun = threading.Event()
    left: list[asyncio.Task[Any]] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        begun.set()
        await server.serve(sockets=[listener])
        left.extend(task for task in asyncio.all_tasks() if _is_ours(task))

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="served")
    thread.start()
    begun.wait()
    running = Served(host, f"http://127.0.0.1:{listener.getsockname()[1]}", loops[0], server)
    try:
        with running.http:
            yield running
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        assert not left, f"{left} go on"


def _is_ours(task: "asyncio.Task[Any]") -> bool:
    """Whether it is a task of fieldstream's. LiteLLM has some that stay."""
    coroutine: Any = task.get_coro()
    return "/fieldstream/" in coroutine.cr_code.co_filename


def events_of(answer: httpx.Response) -> list[Event]:
    """The events of a whole answer, in either form."""
    return list(_decoded(answer.headers["content-type"], answer.text.splitlines()))


def read_events(answer: httpx.Response) -> Iterator[Event]:
    """The events of an answer as they come."""
    return _decoded(answer.headers["content-type"], answer.iter_lines())


def _decoded(kind: str, lines: Any) -> Iterator[Event]:
    for line in lines:
        if kind.startswith("application/x-ndjson"):
            yield decode_event(line)
        elif line.startswith("data: "):
            yield decode_event(line.removeprefix("data: "))


def state_of(events: Any) -> Any:
    """What the events make of a run: its calls, fields and outcome, as plain data."""
    state = RunState()
    state.feed(events)
    return told(state)


def told(state: RunState) -> Any:
    """A state as plain data."""
    return json.loads(encode([state.outcome, state.fields(), state.calls()]))


def text_of(events: Any, field: str = "answer") -> str:
    """The text of a field that is never withdrawn."""
    return "".join(event.text or "" for event in events if isinstance(event, FieldDelta) and event.field == field)
