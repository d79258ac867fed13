"""A server of programs on a loopback port, and connections to it that break."""

import asyncio
import contextvars
import socket
import threading
from collections.abc import Coroutine, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import dspy
import uvicorn
from fastapi import FastAPI

from fieldstream.server import app
from fieldstream.simulator import Provider


def on(provider: Provider, program: Any) -> Any:
    """The program with the simulator as its LM, without a cache."""
    program.set_lm(dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=0))
    return program


@contextmanager
def served(programs: Mapping[str, Any], **options: Any) -> Generator[str]:
    """A real server of these programs, which has the DSPy settings of this place; gives its address."""
    with running(app(programs, **options)) as url:
        yield url


@contextmanager
def running(application: FastAPI) -> Generator[str]:
    """The app in a real server, likewise."""
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="on"))
    listener = socket.create_server(("127.0.0.1", 0))
    context = contextvars.copy_context()
    work = partial(context.run, lambda: asyncio.run(server.serve(sockets=[listener])))
    thread = threading.Thread(target=work, name="served")
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class Cuts:
    """Says how many bytes of each answer that follows a run come through, before its connection breaks; none: all.

    One for each run that is started, and one for each time that a run is followed again; behind the last, all come.
    """

    def __init__(self, started: Iterable[int | None] = (), followed: Iterable[int | None] = ()) -> None:
        self._started = iter(started)
        self._followed = iter(followed)
        self.broken = 0
        """How many connections broke."""
        self.starts = 0
        """How many runs were asked for."""

    def of(self, request: bytes) -> int | None:
        """The limit for the answer to the request that begins so."""
        line = request.split(b"\r\n", 1)[0]
        if line.startswith(b"POST "):
            self.starts += 1
            return next(self._started, None)
        return next(self._followed, None) if b"/events" in line else None


@contextmanager
def cut(url: str, cuts: Cuts) -> Generator[str]:
    """The same server, by way of connections that break; gives the address."""
    host, _, port = url.removeprefix("http://").partition(":")
    ready = threading.Event()
    places: list[str] = []
    loops: list[asyncio.AbstractEventLoop] = []
    stop = asyncio.Event()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(host, int(port))
        left: list[int | None] = [None]

        async def ask() -> None:
            while request := await reader.read(1 << 16):
                if request.startswith((b"POST ", b"GET ", b"DELETE ")):
                    left[0] = cuts.of(request)
                server_writer.write(request)
            server_writer.close()

        async def answer() -> None:
            while block := await server_reader.read(1 << 16):
                limit = left[0]
                if limit is not None and len(block) >= limit:
                    writer.write(block[:limit])
                    await writer.drain()
                    cuts.broken += 1
                    break
                if limit is not None:
                    left[0] = limit - len(block)
                writer.write(block)
                await writer.drain()

        try:
            await _first_of(ask(), answer())
        except asyncio.CancelledError:
            pass  # The server's end; asyncio would report it.
        finally:
            for each in (writer, server_writer):
                each.close()
                with suppress(OSError):
                    await each.wait_closed()

    async def serve() -> None:
        server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
        places.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        loops.append(asyncio.get_running_loop())
        ready.set()
        async with server:
            await stop.wait()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="cut")
    thread.start()
    ready.wait()
    try:
        yield places[0]
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()


async def _first_of(*ways: Coroutine[Any, Any, None]) -> None:
    """Both ways of a connection, until one of them is over."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
