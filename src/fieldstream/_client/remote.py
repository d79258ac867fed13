"""A program at work at a server: its run is followed from a loop of ours, wherever its readers are."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from fieldstream import tap
from fieldstream._client.http import UNREACHED, Http, is_transient
from fieldstream._client.types import Answers, Types, prediction_of
from fieldstream._errors import (
    ConnectionLostError,
    FieldstreamError,
    HttpError,
    RemoteError,
    RunCancelledError,
    RunNotEndedError,
)
from fieldstream._fields import FieldName
from fieldstream._latch import Latch
from fieldstream.events import Event, Failure, Outcome, RunEnded, RunStarted
from fieldstream.log import ReceivedLog
from fieldstream.wire.json import decode_event, encode

_logger = logging.getLogger("fieldstream.client")

_GRACE = 1.0
"""How long, in seconds, a leaver waits for the server to have heard of it."""

_LEFT = Failure(kind="cancelled", message="its reader left, and asked the server to cancel it")


class Remote:
    """A run at a server. ``inputs`` start one of the program; else the one with this ``id`` is followed."""

    def __init__(
        self,
        http: Http,
        types: Callable[[str], Types],
        program: str = "",
        inputs: Mapping[str, Any] | None = None,
        *,
        id: str = "",
        after: int = -1,
        snapshot: bool = False,
    ) -> None:
        self.id = id
        self.outcome: Outcome | None = None
        self.usage: dict[str, dict[str, Any]] = {}
        self.error: BaseException | None = None
        self._http = http
        self._types_of = types
        self._types = types(program)
        self._program = program
        self._inputs = inputs
        self._snapshot = snapshot
        self.answers: Answers = Answers(self._types)
        self.log = ReceivedLog(after, self._hear)
        self._end: RunEnded | None = None
        self._cancelling: Future[None] | None = None
        self._found = False
        # Set when it is known whether there is a run (it was found); when no more will come; when its leaver is done.
        self._began = Latch()
        self._over = Latch()
        self._gone = Latch()
        self._task: asyncio.Task[None] | None = None

    # Starting

    def start(self) -> None:
        """Begin to follow, and first of all to start the run, where it is to be started."""
        self._in_loop(self._work())

    async def began(self) -> None:
        """Wait until the server has said that there is a run; raises what it says where there is none."""
        await self._began.wait()
        self._raise_if_broken()

    def began_blocking(self) -> None:
        """As ``began``, for a thread."""
        self._began.wait_blocking()
        self._raise_if_broken()

    def _raise_if_broken(self) -> None:
        if not self._found and self.log.error is not None:
            raise self.log.error

    # Reading

    def find_field(self, name: str, *, typed: bool = False) -> FieldName:
        """The field of this name, as far as it is known which there are."""
        return self._types.find_field(name, typed=typed)

    def find_list(self, name: str) -> FieldName:
        """The same, which is a list, as far as that is known."""
        return self._types.find_list(name)

    def release(self) -> None:
        """The program does not wait for what its readers say."""

    def result(self, wait: str) -> Any:
        """What the program returned; raises why there is nothing."""
        if self.outcome is None and self.log.error is not None:
            raise self.log.error
        if self.outcome is None:
            raise RunNotEndedError(f"run {self.id} has not ended and has no result yet; call `{wait}` to wait for it")
        if self.error is not None:
            raise self.error
        if self.outcome == "cancelled":
            failure = self._end.error if self._end is not None else None
            reason = "" if failure is None else f": {failure.message}"
            raise RunCancelledError(f"run {self.id} was cancelled before it ended, so that it has no result{reason}")
        return prediction_of(self._end.result) if self._end is not None else None

    async def wait(self) -> None:
        """Wait until no more will come."""
        await self._over.wait()

    def wait_blocking(self) -> None:
        """As ``wait``, for a thread."""
        self._over.wait_blocking()

    # Ending

    def cancel(self, reason: Failure | None = None) -> None:
        """Ask the server to end the run. Any thread may; the closing event comes from there."""
        if self._cancelling is None and self.outcome is None:
            self._cancelling = self._in_loop(self._cancel())

    async def leave(self, *, cancel: bool) -> None:
        """Stop following, and have the run cancelled, if that is to be; see to it that the server has heard of it."""
        self._leave(cancel=cancel)
        await self._gone.wait(_GRACE)
        self._close()

    def leave_blocking(self, *, cancel: bool) -> None:
        """As ``leave``, for a thread."""
        self._leave(cancel=cancel)
        self._gone.wait_blocking(_GRACE)
        self._close()

    def _leave(self, *, cancel: bool) -> None:
        if cancel:
            self.cancel()
        self._in_loop(self._stop(cancelling=cancel))

    def _close(self) -> None:
        """No more comes for its readers, wherever the server is with it."""
        if self._cancelling is not None and self.outcome is None:
            self.log.take([RunEnded(seq=self.log.last + 1, at=0.0, outcome="cancelled", error=_LEFT)])
        self.log.fail(FieldstreamError(f"run {self.id} is no longer followed, and had not ended"))
        self._over.set()

    async def _stop(self, *, cancelling: bool) -> None:
        """Break the following off, or let it come to the closing event that a cancel brings."""
        await self._began.wait()
        if self._cancelling is not None:
            await asyncio.wrap_future(self._cancelling)
        if cancelling:
            await self._over.wait(_GRACE)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._gone.set()

    async def _cancel(self) -> None:
        await self._began.wait()
        if not self._found:
            return
        try:
            async with self._http.connections():
                await self._http.insistently(lambda: self._http.json("DELETE", self._path))
        except (HttpError, ConnectionLostError) as error:
            _logger.warning("run %s could not be cancelled: %s", self.id, error)

    # Following, in the loop of ours

    def _in_loop(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(work, tap.background_loop())

    @property
    def _path(self) -> str:
        return f"/runs/{quote(self.id, safe='')}"

    async def _work(self) -> None:
        self._task = asyncio.current_task()
        try:
            async with self._http.connections():
                await self._follow()
        except asyncio.CancelledError:
            pass  # Nobody reads it any more.
        except Exception as error:
            self.log.fail(error)
        finally:
            self._began.set()
            if self._end is None and self.log.error is None:
                self.log.fail(FieldstreamError(f"run {self.id} is no longer followed, and had not ended"))
            self._over.set()

    async def _follow(self) -> None:
        follow = self._start if self._inputs is not None else self._resume
        tries = 0
        while self._end is None:
            before = self.log.last
            try:
                async with follow() as response:
                    await self._receive(response)
                if self._end is not None:
                    return
                raise ConnectionLostError("the server's answer broke off")
            except (HttpError, ConnectionLostError) as error:
                tries = 0 if self.log.last > before else tries
                if not is_transient(error) or (self._inputs is not None and not self._found):
                    raise
                if tries >= self._http.patience.retries:
                    raise ConnectionLostError(
                        f"run {self.id} cannot be followed any more: {tries} tries in a row failed; {error}"
                    ) from error
                await asyncio.sleep(self._http.patience.pause(tries, error))
                tries += 1
                follow = self._resume

    @asynccontextmanager
    async def _start(self) -> AsyncGenerator[httpx.Response]:
        """Start the run. It is done once: who does not hear whether it began must not begin it again."""
        description = asyncio.create_task(self._describe(self._program))
        try:
            async with self._http.stream(
                "POST",
                f"/programs/{quote(self._program, safe='')}/runs",
                headers={"Content-Type": "application/json", **_LINES},
                content=encode(tap.to_json(self._inputs)),
            ) as response:
                self.id = response.headers.get("X-Fieldstream-Run", "")
                await description
                self._find()
                yield response
        except ConnectionLostError as error:
            if self._found or isinstance(error.__cause__, UNREACHED):
                raise
            raise ConnectionLostError(f"{error}; the run may have begun, and was not started again") from error
        finally:
            description.cancel()
            await asyncio.wait([description])

    @asynccontextmanager
    async def _resume(self) -> AsyncGenerator[httpx.Response]:
        """What comes after the last event."""
        if not self._found:
            await self._look()
        params = {"after": str(self.log.last)} if self.log.last >= 0 else {}
        if self._snapshot and self.log.last < 0:
            params["snapshot"] = "1"
        async with self._http.stream("GET", f"{self._path}/events", headers=_LINES, params=params) as response:
            self._find()
            yield response

    def _find(self) -> None:
        self._found = True
        self._began.set()

    async def _look(self) -> None:
        """Find out which program a run is of."""
        state = await self._http.json("GET", self._path)
        self._types = self.answers.types = self._types_of(state["program"])
        await self._describe(state["program"])

    async def _describe(self, program: str) -> None:
        """Ask for the names of the program's fields, so that a wrong one can be told."""
        try:
            self._types.describe(await self._http.json("GET", f"/programs/{quote(program, safe='')}"))
        except (HttpError, ConnectionLostError, msgspec.DecodeError):
            pass  # Then any name is taken for one.

    async def _receive(self, response: httpx.Response) -> None:
        """Read an answer to its end, or to the closing event."""
        if response.status_code == 204:
            await self._read_end()
            return
        kind = response.headers.get("Content-Type", "none")
        if not kind.startswith(_LINES["Accept"]):
            raise FieldstreamError(f"the server's answer is no run's events: its type is {kind}")
        rest: list[bytes] = []
        try:
            async for block in response.aiter_bytes():
                lines = block.split(b"\n")
                if len(lines) > 1:
                    lines[0] = b"".join(rest) + lines[0]
                    rest.clear()
                    self.log.take([_event(line) for line in lines[:-1] if line.strip()])
                rest.append(lines[-1])
                if self._end is not None:
                    return
        except httpx.HTTPError as error:
            raise self._http.lost(error) from error

    async def _read_end(self) -> None:
        """The run ended before what was asked for: how, its state says."""
        state = await self._http.json("GET", self._path)
        members = {name: state[name] for name in ("outcome", "result", "error", "usage") if state.get(name) is not None}
        end = {"type": "run.ended", "seq": max(state["seq"], self.log.last), "at": state["seconds"], **members}
        self.log.take([msgspec.convert(end, RunEnded)])

    def _hear(self, event: Event) -> None:
        self.answers.hear(event)
        match event:
            case RunStarted():
                self.id = self.id or event.run
            case RunEnded():
                self.usage = event.usage
                self._end = event
                if event.outcome == "failed":
                    failure = event.error or Failure(kind="error", message="the program failed")
                    self.error = RemoteError(failure.kind, failure.message)
                self.outcome = event.outcome  # last: whoever sees it finds the others
                self._over.set()
            case _:
                pass


_LINES = {"Accept": "application/x-ndjson"}


def _event(line: bytes) -> Event:
    try:
        return decode_event(line)
    except (ValueError, msgspec.ValidationError) as error:
        raise FieldstreamError(f"the server says what this version of fieldstream does not know: {error}") from error
