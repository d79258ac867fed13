"""A provider for load: real HTTP, an OpenAI chat stream, and as little work for each chunk as that allows.

A stream that is asked for is answered to its first chunk, and then waits. ``Generator.pace`` lets all streams of one
name go on for a while: each at the same rate, one after the other, so that chunks are spread evenly over time. The text
of a chunk is when it was written: ``time.monotonic_ns()``, which all processes of a machine share.
"""

import asyncio
import json
import multiprocessing
import resource
import time
from collections import defaultdict
from collections.abc import Generator as Generating
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from benchmarks.provider import stay_on

if TYPE_CHECKING:
    from multiprocessing.connection import Connection, PipeConnection

DIGITS = 19
"""Those of a chunk's text: nanoseconds, which a blank follows."""

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_OPENING = "[[ ## answer ## ]]\n"


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How the streams of one name go on."""

    name: str
    rate: float
    """Chunks a second of each."""
    begin: int
    """When it begins to count, in nanoseconds of the monotonic clock."""
    seconds: float
    """Seconds in which it counts."""
    settle: float
    """Seconds in which it goes on before and after that."""


@dataclass(frozen=True, kw_only=True)
class Paced:
    """What the generator did in the time that counts."""

    chunks: int
    late: float
    """Seconds by which the 99th of 100 chunks was written later than it was due."""
    cpu: float
    """The part of a core that its process took."""


class Generator:
    """The other process, as it is seen from here."""

    def __init__(self, api_base: str, connection: "Connection | PipeConnection") -> None:
        self.lm_kwargs: dict[str, Any] = {"api_base": api_base, "api_key": "load"}
        self._connection = connection

    def waiting(self, name: str) -> int:
        """How many streams of this name there are: those of models that are called so, and a number."""
        self._connection.send(name)
        return self._connection.recv()

    def pace(self, pace: Pace) -> Paced:
        """Let streams go on, and wait until that is over."""
        self._connection.send(pace)
        return self._connection.recv()


@contextmanager
def generator(core: int | None) -> Generating[Generator]:
    """A generator, which stays on this core."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, core), daemon=True)
    process.start()
    there.close()
    try:
        yield Generator(here.recv(), here)
    finally:
        here.close()
        process.join()


def name_of(model: str) -> str:
    """The name of the streams of this model: "floor" of "floor-3"."""
    return model.rpartition("-")[0]


def allow_files() -> None:
    """Let this process have as many connections as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _serve(connection: "Connection | PipeConnection", core: int | None) -> None:
    if core is not None:
        stay_on(core)
    allow_files()
    asyncio.run(_main(connection))


async def _main(connection: "Connection | PipeConnection") -> None:
    loop = asyncio.get_running_loop()
    streams: dict[str, list[_Stream]] = defaultdict(list)
    server = await loop.create_server(lambda: _Stream(streams), "127.0.0.1", 0, backlog=4096)
    over = loop.create_future()
    pacing: set[asyncio.Task[None]] = set()

    def order() -> None:
        try:
            asked: str | Pace = connection.recv()
        except EOFError:
            loop.remove_reader(connection.fileno())
            over.set_result(None)
            return
        if isinstance(asked, str):
            connection.send(len(streams[asked]))
            return
        task = loop.create_task(_pace(connection, list(streams[asked.name]), asked))
        pacing.add(task)
        task.add_done_callback(pacing.discard)

    loop.add_reader(connection.fileno(), order)
    connection.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    await over
    server.close()


async def _pace(connection: "Connection | PipeConnection", streams: "Sequence[_Stream]", pace: Pace) -> None:
    gap = 1e9 / (pace.rate * len(streams))
    first = pace.begin - int(pace.settle * 1e9)
    until = pace.begin + int(pace.seconds * 1e9)
    late: list[int] = []
    cpu = {0: 0.0, 1: 0.0}
    for number in range(round((pace.seconds + 2 * pace.settle) * 1e9 / gap)):
        due = first + int(number * gap)
        if (now := time.monotonic_ns()) < due:
            await asyncio.sleep((due - now) / 1e9)
            now = time.monotonic_ns()
        streams[number % len(streams)].write(now)
        if pace.begin <= due < until:
            if not late:
                cpu[0] = time.process_time()
            late.append(now - due)
            cpu[1] = time.process_time() if number % 64 == 0 else cpu[1]
    used = max(cpu[1] - cpu[0], 0.0) / pace.seconds
    connection.send(Paced(chunks=len(late), late=sorted(late)[len(late) * 99 // 100] / 1e9, cpu=used))


class _Stream(asyncio.Protocol):
    """One connection, and the stream that was asked for on it."""

    def __init__(self, streams: "dict[str, list[_Stream]]") -> None:
        self._streams = streams
        self._received = b""
        self._name = ""
        self._before = self._after = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if not blank or len(body) < int(headers[b"content-length"]):
            return
        asked = json.loads(body)
        self._begin(asked["model"])

    def connection_lost(self, exc: Exception | None) -> None:
        if self._name:
            self._streams[self._name].remove(self)

    def write(self, now: int) -> None:
        """The next chunk."""
        assert self._transport is not None
        self._transport.write(b"%b%0*d%b" % (self._before, DIGITS, now, self._after))

    def _begin(self, model: str) -> None:
        assert self._transport is not None
        common = {"id": "load", "object": "chat.completion.chunk", "created": 1, "model": model}

        def event(delta: dict[str, str]) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": None}
            data = b"data: %b\n\n" % json.dumps(common | {"choices": [choice]}, separators=(",", ":")).encode()
            return b"%x\r\n%b\r\n" % (len(data), data)

        self._before, self._after = event({"content": "0" * DIGITS + " "}).split(b"0" * DIGITS)
        self._transport.write(_HEAD + event({"role": "assistant", "content": ""}) + event({"content": _OPENING}))
        self._name = name_of(model)
        self._streams[self._name].append(self)
