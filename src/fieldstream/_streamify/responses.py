"""The output of a wrapped program in other shapes: as server-sent events, and for code that cannot await."""

import asyncio
import contextlib
import contextvars
import dataclasses
import json
import queue
import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Any, cast

import dspy
import msgspec

from fieldstream._messages import StatusMessage, StreamResponse
from fieldstream.tap import to_json


async def streaming_response(streamer: AsyncIterable[Any]) -> AsyncIterator[str]:
    """A stream as server-sent events, the last of which is ``[DONE]``.

    ``{"prediction": {…}}``, ``{"chunk": …}``, ``{"status": …}``, ``{"field": {…}}``, and ``{"value": …}`` for what the
    program sent or returned besides. A string that is an event already (``data: …``) passes.
    """
    async for item in streamer:
        yield item if isinstance(item, str) and item.startswith("data:") else f"data: {_encode(_data(item))}\n\n"
    yield "data: [DONE]\n\n"


def _encode(data: dict[str, Any]) -> str:
    try:
        return msgspec.json.encode(data).decode()
    except UnicodeEncodeError:  # A lone surrogate: no UTF-8, but as an escape it is JSON.
        return json.dumps(data)


def _data(item: Any) -> dict[str, Any]:
    if isinstance(item, dspy.Prediction):
        return {"prediction": to_json(dict(cast("Any", item).items(include_dspy=False)))}
    if isinstance(item, StatusMessage):
        return {"status": item.message}
    if isinstance(item, StreamResponse):
        return {"field": dataclasses.asdict(item)}
    if hasattr(item, "choices") and hasattr(item, "json"):
        return {"chunk": to_json(item.json())}
    return {"value": to_json(item)}


class _SyncIterator(Iterator[Any]):
    """Iterates an asynchronous iterator, which runs in a thread with a loop of its own."""

    _END = object()

    def __init__(self, source: AsyncIterable[Any], context: contextvars.Context) -> None:
        self._items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._pump = _Pump(source, self._items, self._END)
        self._over = False
        threading.Thread(
            target=context.run, args=(asyncio.run, self._pump.run()), name="fieldstream sync streaming", daemon=True
        ).start()

    def __next__(self) -> Any:
        if not self._over:
            item = self._items.get()
            if item is not self._END:
                return item
            self._over = True
            if self._pump.error is not None:
                raise self._pump.error
        raise StopIteration

    def close(self) -> None:
        """Leave: end the asynchronous iterator, if it goes on."""
        self._over = True
        self._pump.stop()

    def __del__(self) -> None:
        self._pump.stop()


class _Pump:
    """The other side of a ``_SyncIterator``, which does not keep it alive."""

    def __init__(self, source: AsyncIterable[Any], items: queue.SimpleQueue[Any], end: object) -> None:
        self._source = source
        self._items = items
        self._end = end
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self.error: BaseException | None = None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._iterate())
        if self._stopped:
            self._task.cancel()
        await asyncio.wait([self._task])
        self._items.put(self._end)

    async def _iterate(self) -> None:
        iterator = aiter(self._source)
        try:
            async for item in iterator:
                self._items.put(item)
        except BaseException as error:
            self.error = error
        finally:
            close = getattr(iterator, "aclose", None)
            if close is not None:
                await close()

    def stop(self) -> None:
        self._stopped = True
        task = self._task
        if task is not None and not task.done() and not task.get_loop().is_closed():
            with contextlib.suppress(RuntimeError):  # The loop was closed meanwhile.
                task.get_loop().call_soon_threadsafe(task.cancel)


def apply_sync_streaming(async_generator: AsyncIterable[Any]) -> Iterator[Any]:
    """A plain iterator of an asynchronous one, which runs in a thread, in the caller's context.

    Its exception reaches the caller as itself. Dropping the iterator ends the asynchronous one.
    """
    return _SyncIterator(async_generator, contextvars.copy_context())
