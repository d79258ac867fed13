"""``fieldstream.Client``: programs at a server, streamed as those in this process are."""

import asyncio
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

from fieldstream import tap
from fieldstream._client.http import Http, Patience
from fieldstream._client.remote import Remote
from fieldstream._client.types import Types
from fieldstream._stream import Run, SyncRun
from fieldstream.wire.json import encode

T = TypeVar("T")


class RemoteStream:
    """A server's run, about to be read: ``async with`` gives a ``Run``, ``with`` a ``SyncRun``. It begins once."""

    def __init__(self, remote: Remote, *, cancel: bool) -> None:
        self._remote = remote
        self._cancel = cancel
        self._entered = False

    def _begin(self) -> None:
        if self._entered:
            raise RuntimeError("this stream was entered before; ask the client for another")
        self._entered = True
        self._remote.start()

    async def __aenter__(self) -> Run:
        self._begin()
        try:
            await self._remote.began()
        except BaseException:
            await self._remote.leave(cancel=self._cancel)
            raise
        return Run(self._remote, self._remote.log, ())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._remote.leave(cancel=self._cancel)

    def __enter__(self) -> SyncRun:
        self._begin()
        try:
            self._remote.began_blocking()
        except BaseException:
            self._remote.leave_blocking(cancel=self._cancel)
            raise
        return SyncRun(self._remote, self._remote.log, ())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._remote.leave_blocking(cancel=self._cancel)


class Client:
    """A server of programs (``fieldstream serve``), with the interface that programs have in this process.

        client = fieldstream.Client("http://127.0.0.1:8000")
        async with client.stream("qa", question="Why is the sky blue?") as run:
            async for text in run.text("answer"):
                print(text, end="")
        prediction = run.result

    ``token`` is sent as a bearer token, and ``headers`` with each request. A connection that is silent for ``timeout``
    seconds counts as broken. One that breaks is made anew, and the run goes on where it was, nothing lost and nothing
    twice; after ``retries`` tries in a row that brought nothing, readers get ``ConnectionLostError``. Between tries are
    random pauses, of at most ``backoff`` seconds before the first and twice as many before each next (10 at most), or
    as long as the server asks for.

    ``programs`` are those by name of which the client has the DSPy program, or its signature: their values can be read
    ``typed``, and elements come validated. Those of others are plain data (what JSON has), and what a program returns
    is a ``dspy.Prediction`` of such.

    One client may be used from any threads and loops. It has no connection while nothing is read. Needs the extra
    ``fieldstream[client]``.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 60.0,
        retries: int = 8,
        backoff: float = 0.5,
        programs: Mapping[str, Any] | None = None,
    ) -> None:
        self._http = Http(url, token=token, headers=headers, timeout=timeout, patience=Patience(retries, backoff))
        self._programs = dict(programs or {})

    def stream(self, program: str, /, **inputs: Any) -> RemoteStream:
        """Start the program of this name, and read its run. Leaving the block before the end cancels it.

        The block raises ``HttpError`` where the server refuses, and ``ConnectionLostError`` where it cannot be reached.
        """
        return RemoteStream(Remote(self._http, self._types, program, inputs), cancel=True)

    def follow(self, run: str, /, *, after: int = -1, snapshot: bool = False) -> RemoteStream:
        """Read the run with this id, which was started before. Leaving the block does not cancel it.

        ``after`` is the ``seq`` of the last event that is known already: the events are those that come after it, and
        texts and values those of calls that begin after it. With ``snapshot``, what there is comes first, as one event
        of each kind, and all of them have the ``seq`` of the last that they stand for.
        """
        return RemoteStream(Remote(self._http, self._types, id=run, after=after, snapshot=snapshot), cancel=False)

    def start(self, program: str, /, **inputs: Any) -> str:
        """Start the program of this name, and leave it to itself; gives its run's id, for ``follow``."""
        return _wait(self._start(program, inputs))

    async def astart(self, program: str, /, **inputs: Any) -> str:
        """As ``start``, for a task of an event loop."""
        return await _awaited(self._start(program, inputs))

    def programs(self) -> list[dict[str, Any]]:
        """The server's programs: each one's name and description, and its inputs and outputs as JSON Schemas."""
        return _wait(self._get("/programs"))["programs"]

    async def aprograms(self) -> list[dict[str, Any]]:
        """As ``programs``, for a task of an event loop."""
        return (await _awaited(self._get("/programs")))["programs"]

    def state(self, run: str, /) -> dict[str, Any]:
        """The state of the run with this id so far: its outcome, its calls, its fields and their values."""
        return _wait(self._get(f"/runs/{quote(run, safe='')}"))

    async def astate(self, run: str, /) -> dict[str, Any]:
        """As ``state``, for a task of an event loop."""
        return await _awaited(self._get(f"/runs/{quote(run, safe='')}"))

    def cancel(self, run: str, /) -> None:
        """End the run with this id."""
        _wait(self._cancel(run))

    async def acancel(self, run: str, /) -> None:
        """As ``cancel``, for a task of an event loop."""
        await _awaited(self._cancel(run))

    def _types(self, program: str) -> Types:
        return Types(program, self._programs.get(program))

    async def _get(self, path: str) -> Any:
        async with self._http.connections():
            return await self._http.insistently(lambda: self._http.json("GET", path))

    async def _cancel(self, run: str) -> None:
        async with self._http.connections():
            await self._http.insistently(lambda: self._http.json("DELETE", f"/runs/{quote(run, safe='')}"))

    async def _start(self, program: str, inputs: Mapping[str, Any]) -> str:
        async with self._http.connections():
            state = await self._http.json(
                "POST",
                f"/programs/{quote(program, safe='')}/runs",
                headers={"Content-Type": "application/json", "Prefer": "respond-async"},
                content=encode(tap.to_json(inputs)),
            )
            return state["run"]


def _wait(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, tap.background_loop()).result()


async def _awaited(work: Coroutine[Any, Any, T]) -> T:
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, tap.background_loop()))
