"""Who reads what is served: one process for all readers, each of which only keeps the bytes that it is sent.

What the bytes say is looked at when all have read to the end.
"""

import asyncio
import json
import multiprocessing
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from benchmarks.contenders import QUESTION
from benchmarks.load_provider import allow_files
from benchmarks.provider import stay_on

if TYPE_CHECKING:
    from multiprocessing.connection import Connection, PipeConnection

_PATIENCE = 600.0
"""Seconds in which all must have ended."""
_COMMON = "host: localhost\r\nconnection: close\r\n"


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """What one reader was sent."""

    text: str
    """The field's."""
    deltas: int
    """How many deltas that text had in the run, each piece of it that the provider sent; one event may hold many."""
    writes: int
    """How often the server wrote."""


class Readers:
    """The other process, as it is seen from here."""

    def __init__(self, connection: "Connection | PipeConnection") -> None:
        self._connection = connection

    def read(self, port: int, programs: Sequence[str], *, per_run: int) -> None:
        """Read runs of these programs to their ends, all at once. Each has one reader, which starts it and reads its
        answer; or it is started, and then has so many.
        """
        self._connection.send((port, list(programs), per_run))
        self._connection.recv()

    def delivered(self) -> list[Delivered]:
        """What they were sent. Raises what reading it raised."""
        answer = self._connection.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextmanager
def readers(core: int | None) -> Generator[Readers]:
    """A process for readers, which stays on this core."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_obey, args=(there, core), daemon=True)
    process.start()
    there.close()
    try:
        yield Readers(here)
    finally:
        here.close()
        process.join()


def delivered(response: bytes) -> Delivered:
    """What an answer says: HTTP/1.1, chunked, server-sent events. Raises ``ValueError`` for any other."""
    head, _, body = response.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 ") or b"transfer-encoding: chunked" not in head.lower():
        raise ValueError(f"no stream: {response[:500]!r}")
    writes = list(_chunks(body))
    text: list[str] = []
    deltas, last = 0, -1
    for block in b"".join(writes).split(b"\n\n"):
        event = _data(block)
        if event is None:
            continue
        if "chunk" in event:  # DSPy's
            text.append(event["chunk"])
            deltas += 1
        elif "seq" in event:
            if event["type"] == "field.delta":
                text.append(event["text"])
                deltas += event["seq"] - last  # a merged one has the number of the last
            last = event["seq"]
    return Delivered(text="".join(text), deltas=deltas, writes=len(writes))


def _chunks(body: bytes) -> Iterator[bytes]:
    start = 0
    while True:
        end = body.index(b"\r\n", start)
        size = int(body[start:end], 16)
        if size == 0:
            return
        start = end + 2
        yield body[start : start + size]
        start += size + 2


def _data(block: bytes) -> dict[str, Any] | None:
    for line in block.split(b"\n"):
        if line.startswith(b"data: {"):
            return cast("dict[str, Any]", json.loads(line.removeprefix(b"data: ")))
    return None


def _obey(connection: "Connection | PipeConnection", core: int | None) -> None:
    if core is not None:
        stay_on(core)
    allow_files()
    while True:
        try:
            port, programs, per_run = connection.recv()
        except EOFError:
            return
        responses = asyncio.run(_read(port, programs, per_run))
        connection.send(None)
        try:
            said = [delivered(response) for response in responses]
        except ValueError as error:
            connection.send(error)
        else:
            connection.send(said)


async def _read(port: int, programs: Sequence[str], per_run: int) -> list[bytes]:
    async with asyncio.timeout(_PATIENCE):
        if per_run == 1:
            return await _responses(port, [_start(program) for program in programs])
        started = await _responses(port, [_start(program, "prefer: respond-async\r\n") for program in programs])
        return await _responses(port, [_follow(answer) for answer in started for _ in range(per_run)])


def _start(program: str, header: str = "") -> bytes:
    body = json.dumps({"question": QUESTION})
    return (
        f"POST /programs/{program}/runs HTTP/1.1\r\n{_COMMON}{header}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _follow(started: bytes) -> bytes:
    """The request for the events of the run that was started so."""
    place = re.search(rb"\r\nlocation: (\S+)\r\n", started, re.IGNORECASE)
    if place is None:
        raise ValueError(f"no run: {started[:500]!r}")
    return f"GET {place[1].decode()}/events HTTP/1.1\r\n{_COMMON}\r\n".encode()


async def _responses(port: int, requests: Sequence[bytes]) -> list[bytes]:
    loop = asyncio.get_running_loop()
    reading = [_Reader(request) for request in requests]
    for each in reading:
        await loop.create_connection(lambda each=each: each, "127.0.0.1", port)
    return [await each.response for each in reading]


class _Reader(asyncio.Protocol):
    """Asks, and keeps what it is sent."""

    def __init__(self, request: bytes) -> None:
        self.response: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._request = request
        self._received: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.WriteTransport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.response.set_result(b"".join(self._received))
