"""The runs of a server: those that go on, and for a time those that have ended."""

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from fieldstream import tap
from fieldstream._merged import merged
from fieldstream._run import Execution
from fieldstream.events import UNSET, Event, Failure, Outcome, RunEnded
from fieldstream.log import Cursor, MemoryLog
from fieldstream.readers.state import RunState
from fieldstream.readers.transformed import TransformedCursor
from fieldstream.server.audience import Audience
from fieldstream.server.auth import Client
from fieldstream.server.errors import ApiError
from fieldstream.server.exposure import ExposedSink, Mask
from fieldstream.server.limits import Limits, Places
from fieldstream.server.metrics import HeardSink, MeasuredSink, Metrics
from fieldstream.server.mount import Mount
from fieldstream.wire.json import encode

_logger = logging.getLogger("fieldstream.server")

_SHUTDOWN = Failure(kind="shutdown", message="the server is shutting down")

_LAST_WORDS = 2.0
"""How long, in seconds, readers of runs that have ended have to read to the end when the server ends."""


class ServedRun:
    """A run that clients follow. It goes on without them."""

    def __init__(
        self,
        mount: Mount,
        inputs: Mapping[str, Any],
        client: Client,
        limits: Limits,
        metrics: Metrics,
        audience: Audience,
        *,
        debug: bool,
    ) -> None:
        self.mount = mount
        self.client = client
        self.limits = limits
        self.metrics = metrics
        self.audience = audience
        self.inputs = tap.to_json(dict(inputs))
        self.started_at = time.time()
        """When, in seconds since the Unix epoch."""
        self.log = MemoryLog()
        self.size = 0
        """How large its inputs and events are in all, in bytes of JSON; 0 while it goes on."""
        self._mask = Mask(debug=debug)
        exposed = ExposedSink(MeasuredSink(self.log, metrics), mount.name, mount.visible, self._mask)
        self._heard = HeardSink(exposed)
        self.execution: Execution = mount.watch.execution(mount.watch.launch(**inputs), self.log, self._heard)
        self.id = self._mask.run = self.execution.id
        self._state = RunState()
        self._state_cursor = self._cursor(paced=False)  # It is not behind any reader's.

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; ``None`` while it goes on."""
        return self.execution.outcome

    @property
    def heard_at(self) -> float:
        """When it last said something, on the monotonic clock, whether or not clients may see it."""
        return self._heard.heard

    @property
    def age(self) -> float:
        """Seconds since it began, on the clock of its events."""
        return self.log.now()

    def cursor(self, after: int = -1, *, merge: bool = True) -> Cursor:
        """A reader's place in what clients may see of it. With ``merge`` deltas of one text that wait come as one."""
        return self._cursor(after, merge=merge)

    def _cursor(self, after: int = -1, *, merge: bool = True, paced: bool = True) -> Cursor:
        if not (transforms := self.mount.watch.transforms):
            return Cursor(self.log, after, merge=merge)
        return _MendedCursor(
            self.log, transforms, self.execution.cancel, after, merge=merge, paced=paced, broken=self._broken
        )

    def _broken(self, error: Exception) -> Failure:
        """A transform has raised an exception. It is told as one of the program's is."""
        _logger.error("a transform raised an exception", extra={"run": self.id}, exc_info=error)
        failure = tap.failure(error)
        return self._mask(failure) or failure

    def state(self) -> RunState:
        """Its state now. It is live: look at it, or encode it, before it is asked for again."""
        while events := self._state_cursor.take():
            self._state.feed(events)
        return self._state

    def cancel(self, reason: Failure | None = None) -> None:
        """End it now. Clients are told the reason."""
        if reason is not None:
            self._mask.let_pass(reason)
        self.execution.cancel(reason)

    async def wait(self) -> None:
        """Wait until its closing event is in the log."""
        await self.execution.wait()

    def summary(self) -> dict[str, Any]:
        """What a list of runs says of it."""
        state = self.state()
        return {
            "run": self.id,
            "program": self.mount.name,
            "outcome": state.outcome,
            "started_at": self.started_at,
            "seconds": state.at,
        }

    def described(self) -> dict[str, Any]:
        """Its state as clients get it: encode it at once, its values are live."""
        state = self.state()
        described = self.summary() | {
            "seq": state.seq,
            "inputs": self.inputs,
            "calls": state.calls(),
            "fields": [{"predictor": state.predictor(each.call), **_members(each)} for each in state.fields()],
        }
        if state.end is not None:
            described |= {"error": state.end.error, "usage": state.end.usage}
            if state.end.result is not UNSET:
                described["result"] = state.end.result
        return described


class Runs:
    """Starts runs, as far as the limits go, and finds them again."""

    def __init__(self, limits: Limits, metrics: Metrics, *, debug: bool = False) -> None:
        self.limits = limits
        self.places = Places(limits)
        self.audience = Audience(metrics)
        self.draining = False
        self._metrics = metrics
        self._debug = debug
        self._open: dict[str, ServedRun] = {}
        self._finished: OrderedDict[str, ServedRun] = OrderedDict()
        self._kept = 0
        self._keepers: set[asyncio.Task[None]] = set()

    async def start(self, mount: Mount, inputs: Mapping[str, Any], client: Client) -> ServedRun:
        """Start a run, perhaps after a wait. Raises ``ApiError``: 429 where too many go on, 503 at the end."""
        self._refuse_when_draining()
        await self.places.take(client.id)
        try:
            self._refuse_when_draining()
            run = ServedRun(mount, inputs, client, self.limits, self._metrics, self.audience, debug=self._debug)
            run.execution.start_in_loop()
        except BaseException:
            self.places.give_back(client.id)
            raise
        self._open[run.id] = run
        self._metrics.started(mount.name)
        _logger.info("run started", extra={"run": run.id, "program": mount.name, "client": client.id})
        keeper = asyncio.get_running_loop().create_task(self._keep(run))
        self._keepers.add(keeper)
        keeper.add_done_callback(self._keepers.discard)
        return run

    def get(self, id: str) -> ServedRun:
        """The run with this id. Raises ``ApiError`` 404 where there is none."""
        run = self._open.get(id) or self._finished.get(id)
        if run is None:
            raise ApiError(
                404,
                "unknown_run",
                f"there is no run {id!r}; a finished one is forgotten after {self.limits.keep_seconds:g} s, or earlier "
                "where there are many",
            )
        return run

    def of(self, client: Client) -> list[ServedRun]:
        """The runs of a client, the newest first."""
        runs = [*self._open.values(), *self._finished.values()]
        return sorted((run for run in runs if run.client == client), key=lambda run: -run.started_at)

    async def drain(self, seconds: float) -> None:
        """Take no new runs, and wait so long for those that go on. What is left then is cancelled.

        Who follows a run still gets all of it, up to its closing event.
        """
        self.draining = True
        self.places.send_away(_draining)
        keepers = tuple(self._keepers)
        if keepers:
            await asyncio.wait(keepers, timeout=seconds)
        self.end()
        if self._keepers:
            await asyncio.wait(tuple(self._keepers))
        await self.audience.gone(_LAST_WORDS)

    def end(self) -> None:
        """Cancel all runs, because the server ends."""
        for run in tuple(self._open.values()):
            run.cancel(_SHUTDOWN)

    def _refuse_when_draining(self) -> None:
        if self.draining:
            raise _draining()

    # Keeping one

    async def _keep(self, run: ServedRun) -> None:
        timers = _Timers(run)
        try:
            await run.wait()
        finally:
            timers.stop()
            self._finish(run)
        await run.execution.leave()

    def _finish(self, run: ServedRun) -> None:
        self.places.give_back(run.client.id)
        del self._open[run.id]
        self._finished[run.id] = run
        run.size = len(encode(run.inputs)) + sum(len(encode(each)) for each in run.log.read(limit=1 << 62, merge=True))
        self._kept += run.size
        while self._kept > self.limits.keep_bytes and self._finished:
            self._forget(next(iter(self._finished)))
        asyncio.get_running_loop().call_later(self.limits.keep_seconds, self._forget, run.id)
        seconds = time.time() - run.started_at
        self._metrics.ended(run.mount.name, run.outcome or "cancelled", seconds)
        error = run.execution.error
        _logger.log(
            logging.ERROR if error is not None else logging.INFO,
            "run ended",
            extra={
                "run": run.id,
                "program": run.mount.name,
                "outcome": run.outcome,
                "seconds": round(seconds, 3),
                "usage": run.execution.usage,
            },
            exc_info=error,
        )

    def _forget(self, id: str) -> None:
        if (run := self._finished.pop(id, None)) is not None:
            self._kept -= run.size


class _MendedCursor(TransformedCursor):
    """Tells its reader that the run failed where a transform raises an exception: no stream is without an end."""

    def __init__(self, *args: Any, broken: Callable[[Exception], Failure], **options: Any) -> None:
        super().__init__(*args, **options)
        self._mend = broken
        self._failed = False

    def take(self) -> list[Event]:
        if self._failed:
            return []
        try:
            return super().take()
        except Exception as error:
            self._failed = True
            events = self._came_before()
            at = events[-1].at if events else 0.0
            end = RunEnded(seq=self._pipeline.count, at=at, outcome="failed", error=self._mend(error))
            self.after = end.seq
            return [*merged(events), end] if end.seq >= self._first else []

    def _came_before(self) -> list[Event]:
        """What had come through when it was raised: so it is at one place for each reader."""
        try:
            events = self._pipeline.advance(math.inf)
        except Exception:  # Again.
            return []
        return [event for event in events if event.seq >= self._first]

    @property
    def over(self) -> bool:
        return self._failed or super().over


class _Timers:
    """Cancels a run that takes too long, or says nothing for too long."""

    def __init__(self, run: ServedRun) -> None:
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._late = self._idle = None
        if (seconds := run.limits.max_run_seconds) is not None:
            reason = Failure(kind="timeout", message=f"the run took longer than {seconds:g} s")
            self._late = self._loop.call_later(seconds, run.cancel, reason)
        if (seconds := run.limits.max_idle_seconds) is not None:
            self._idle = self._loop.call_later(seconds, self._look, seconds)

    def _look(self, seconds: float) -> None:
        left = self._run.heard_at + seconds - time.monotonic()
        if left > 0:
            self._idle = self._loop.call_later(left, self._look, seconds)
        else:
            self._run.cancel(Failure(kind="idle", message=f"the run said nothing for {seconds:g} s"))

    def stop(self) -> None:
        for timer in (self._late, self._idle):
            if timer is not None:
                timer.cancel()


def _draining() -> ApiError:
    what = "the server is shutting down and takes no new runs; try again in a moment"
    return ApiError(503, "shutting_down", what, headers={"Retry-After": "5"})


def _members(struct: Any) -> dict[str, Any]:
    return {name: value for name in struct.__struct_fields__ if (value := getattr(struct, name)) is not UNSET}
