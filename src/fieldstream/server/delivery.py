"""An HTTP answer that follows a run: what waits for its reader goes out as one write, the first at once."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import anyio
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from fieldstream.events import Event, RunEnded
from fieldstream.server.runs import ServedRun
from fieldstream.wire.encoder import Encoder

_STREAMED = {
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",  # nginx, and what understands it, passes on what it gets at once
}

_PIECE = 256 * 1024
"""How many bytes are written at most at once."""


class Following(Response):
    """Follows a run from a cursor through an encoder, until its closing event.

    ``before`` are events that come first, in the place of those up to the cursor. The run goes on when its reader goes
    away, except with ``cancel_on_leave``. A reader that is slow gets what came meanwhile in one piece, where deltas of
    one text are one (with ``merge``); nothing waits for it, and nothing is kept for it but its cursor. One that takes
    nothing for too long is left.
    """

    def __init__(
        self,
        run: ServedRun,
        encoder: Encoder,
        *,
        after: int = -1,
        before: Sequence[Event] = (),
        merge: bool = True,
        cancel_on_leave: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            headers={**_STREAMED, "x-fieldstream-run": run.id, **encoder.headers, **(headers or {})},
            media_type=encoder.media_type,
        )
        del self.headers["content-length"]
        self._run = run
        self._encoder = encoder
        self._cursor = run.cursor(after, merge=merge)
        self._head = encoder.feed(before) if before else b""
        self._cancel_on_leave = cancel_on_leave
        self._heartbeat = run.limits.heartbeat_seconds
        self._interval = run.limits.write_interval
        self._done = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with anyio.create_task_group() as group:
                leave = group.cancel_scope.cancel
                watchdog = _Watchdog(self._run.limits.stall_seconds, leave)
                group.start_soon(_until_left, receive, leave)
                try:
                    with self._run.audience.reader(leave), watchdog:
                        await self._deliver(watchdog.watched(send))
                    self._done = True
                except OSError:  # ASGI lets a server tell by it that the reader is gone.
                    pass
                leave()
        finally:
            if self._cancel_on_leave and not self._done:
                self._run.cancel()

    async def _deliver(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _write(send, self._head)
        ended = False
        next_at = 0.0
        began = self._run.age
        while not ended:
            if (early := next_at - time.monotonic()) > 0:
                await asyncio.sleep(early)
            events = await self._cursor.next(self._heartbeat)
            ended = not events and self._cursor.over
            body = self._encoder.heartbeat
            if events:
                ended = type(events[-1]) is RunEnded
                body = self._encoder.feed(events)
                if events[0].at >= began:  # What was there before its reader came is not late.
                    self._run.metrics.lag.observe(self._run.age - events[0].at)
            if body:
                await _write(send, body)
                next_at = time.monotonic() + self._run.audience.pause(self._interval)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _write(send: Send, body: bytes) -> None:
    """Write it, in pieces, each of which waits until the connection has room: no more is handed to the server."""
    for at in range(0, len(body) or 1, _PIECE):
        piece = body if len(body) <= _PIECE else body[at : at + _PIECE]
        await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _until_left(receive: Receive, leave: Callable[[], object]) -> None:
    """Listen for the reader's going away: who only writes to it may hear of it late, or never."""
    while (await receive())["type"] != "http.disconnect":
        pass
    leave()


class _Watchdog:
    """Looks, now and then, for how long a write has been waiting for a reader who does not read."""

    def __init__(self, seconds: float, leave: Callable[[], object]) -> None:
        self._seconds = seconds
        self._leave = leave
        self._since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        self._look()

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        left = self._seconds if self._since is None else self._since + self._seconds - time.monotonic()
        if left > 0:
            self._timer = asyncio.get_running_loop().call_later(left, self._look)
        else:
            self._leave()

    def watched(self, send: Send) -> Send:
        """The same, with an eye on it."""

        async def watched(message: Message) -> None:
            self._since = time.monotonic()
            await send(message)
            self._since = None

        return watched
