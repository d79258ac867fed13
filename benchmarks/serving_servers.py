"""Who serves: one process for each contender, all on one uvicorn with the same settings.

All answer ``POST /programs/{program}/runs`` with server-sent events, or start a run with it that is followed elsewhere.
A program's name is that of its model, and a number: an LM has no more than a hundred connections, so there are several.
"""

import asyncio
import gc
import multiprocessing
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dspy
import orjson
import uvicorn
from dspy.streaming import StreamListener, streamify
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send

import fieldstream
from benchmarks.contenders import QUESTION, TEXT
from benchmarks.load_provider import allow_files
from benchmarks.section import prepare
from fieldstream.server import Limits, app
from fieldstream.wire.sse import SseEncoder

if TYPE_CHECKING:
    from multiprocessing.connection import Connection, PipeConnection

_PLACES = 10_000
"""More runs than there ever are: no reader waits for another."""


class Server:
    """The other process, as it is seen from here."""

    def __init__(self, port: int, connection: "Connection | PipeConnection") -> None:
        self.port = port
        self._connection = connection

    def collect(self) -> None:
        """Collect garbage, so that what one turn leaves is not the next one's."""
        self._connection.send("collect")
        self._connection.recv()

    def cpu(self) -> float:
        """CPU seconds that the process has taken, all of its threads."""
        self._connection.send("cpu")
        return self._connection.recv()


@contextmanager
def server(contender: str, lm_kwargs: Mapping[str, Any], programs: Mapping[str, str]) -> Generator[Server]:
    """A process for one of ``APPS``, with programs that have these models. Leaving the block ends it."""
    here, there = multiprocessing.Pipe()
    arguments = (contender, dict(lm_kwargs), dict(programs), there)
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=arguments, daemon=True)
    process.start()
    there.close()
    try:
        yield Server(here.recv(), here)
    finally:
        process.kill()
        process.join()
        here.close()


def _serve(
    contender: str, lm_kwargs: dict[str, Any], models: dict[str, str], connection: "Connection | PipeConnection"
) -> None:
    prepare()
    allow_files()
    programs = {name: _program(model, lm_kwargs) for name, model in models.items()}
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    config = uvicorn.Config(APPS[contender](programs), log_level="warning", access_log=False)
    connection.send(listening.getsockname()[1])
    threading.Thread(target=_obey, args=(connection,), daemon=True).start()
    uvicorn.Server(config).run(sockets=[listening])


def _program(model: str, lm_kwargs: Mapping[str, Any]) -> dspy.Predict:
    program = dspy.Predict(TEXT)
    program.set_lm(dspy.LM(f"openai/{model}", cache=False, timeout=600, num_retries=0, **lm_kwargs))
    return program


def _obey(connection: "Connection | PipeConnection") -> None:
    while True:
        try:
            order = connection.recv()
        except EOFError:
            return
        if order == "collect":
            gc.collect()
        connection.send(time.process_time())


def _fieldstream(programs: Mapping[str, dspy.Predict]) -> ASGIApp:
    return app(programs, limits=Limits(max_runs=_PLACES), tokens=[])


class _Question(BaseModel):
    question: str


def _streamify(programs: Mapping[str, dspy.Predict]) -> ASGIApp:
    """As DSPy's tutorials have it, and awaited, which is cheaper than its default. A listener is for one run alone."""
    application = FastAPI()

    @application.post("/programs/{name}/runs")
    async def run(name: str, question: _Question) -> StreamingResponse:
        async def events() -> AsyncGenerator[str]:
            streamed: Any = streamify(
                programs[name], stream_listeners=[StreamListener("answer")], is_async_program=True
            )
            async for value in streamed(question=question.question):
                if isinstance(value, dspy.Prediction):
                    data = {"prediction": value.toDict()}
                else:
                    data = {"field": value.signature_field_name, "chunk": value.chunk}
                yield f"data: {orjson.dumps(data).decode()}\n\n"
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    return application


_SSE = [(b"content-type", b"text/event-stream; charset=utf-8")]


def _raw(programs: Mapping[str, dspy.Predict]) -> ASGIApp:
    """Writes the events of a run of the program, which are there from the first.

    The loop goes round once after each, as where events come one by one: else it would join the writes.
    """
    written = {name: asyncio.run(_written(program)) for name, program in programs.items()}

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        program = scope["path"].split("/")[2]
        while (await receive()).get("more_body"):
            pass
        if scope["method"] == "POST":
            place = (b"location", f"/runs/{program}".encode())
            await send({"type": "http.response.start", "status": 202, "headers": [place]})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": _SSE})
            for event in written[program]:
                await send({"type": "http.response.body", "body": event, "more_body": True})
                await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return application


async def _written(program: dspy.Predict) -> list[bytes]:
    """The events of a run, each as it is written."""
    encoder = SseEncoder()
    async with fieldstream.stream(program, question=QUESTION) as run:
        return [encoder.feed([event]) async for event in run]


APPS: dict[str, Callable[[Mapping[str, dspy.Predict]], ASGIApp]] = {
    "fieldstream": _fieldstream,
    "dspy.streamify": _streamify,
    "raw ASGI": _raw,
}
