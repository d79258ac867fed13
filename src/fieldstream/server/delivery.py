"""An HTTP answer that follows a run: what waits for its reader goes out as one write, the first at once."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fieldstream.events import Event, RunEnded
from fieldstream.server.runs import ServedRun
from fieldstream.wire.encoder import Encoder

_STREAMED = {
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",  # nginx, and what understands it, passes on what it gets at once
}


class Following(Response):
    """Follows a run from a cursor through an encoder, until its closing event.

    ``before`` are events that come first, in the place of those up to the cursor. The run goes on when its reader goes
    away, except with ``cancel_on_leave``. A reader that is slow gets what came meanwhile in one piece, where deltas of
    one text are one; nothing waits for it, and nothing is kept for it but its cursor.
    """

    def __init__(
        self,
        run: ServedRun,
        encoder: Encoder,
        *,
        after: int = -1,
        before: Sequence[Event] = (),
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
        self._cursor = run.cursor(after)
        self._head = encoder.feed(before) if before else b""
        self._cancel_on_leave = cancel_on_leave
        self._heartbeat = run.limits.heartbeat_seconds
        self._interval = run.limits.write_interval
        self._done = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._run.audience.reader():
                async with anyio.create_task_group() as group:
                    group.start_soon(_until_left, receive, group.cancel_scope)
                    try:
                        await self._deliver(send)
                        self._done = True
                    except OSError:  # ASGI lets a server tell by it that the reader is gone.
                        pass
                    group.cancel_scope.cancel()
        finally:
            if self._cancel_on_leave and not self._done:
                self._run.cancel()

    async def _deliver(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self._head, "more_body": True})
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
                await send({"type": "http.response.body", "body": body, "more_body": True})
                next_at = time.monotonic() + self._interval
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_left(receive: Receive, scope: anyio.CancelScope) -> None:
    """Listen for the reader's going away: who only writes to it may hear of it late, or never."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
