"""A server of ours over HTTP: requests, what it refuses, and when to ask again."""

import asyncio
import random
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, TypeVar

import httpx
import msgspec

from fieldstream._errors import ConnectionLostError, HttpError

T = TypeVar("T")

_LONGEST_PAUSE = 10.0
"""The longest pause between two tries, in seconds, where the server does not ask for another."""

_TRANSIENT = {408, 429, 500, 502, 503, 504}

UNREACHED = (httpx.ConnectError, httpx.ConnectTimeout)
"""Errors of connections that were never there: nothing was asked."""


class Patience:
    """How often in a row something is tried again, and after which pauses, in seconds."""

    def __init__(self, retries: int, backoff: float) -> None:
        self.retries = retries
        self.backoff = backoff

    def pause(self, tries: int, error: Exception | None = None) -> float:
        """How long to wait before the next try, after so many. It is random, so that not all come back at once."""
        longest = min(_LONGEST_PAUSE, self.backoff * 2**tries)
        asked = error.retry_after if isinstance(error, HttpError) else None
        return max(random.uniform(0, longest), asked or 0.0)


class Http:
    """Requests to one server, from the loop of ours alone. Its connections stay open while somebody needs them."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 60.0,
        patience: Patience,
    ) -> None:
        self.url = url.rstrip("/")
        self.patience = patience
        self._headers = dict(headers or {})
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        # A connection that is silent for so long is dead: servers say something now and then.
        self._timeout = httpx.Timeout(timeout, pool=None)
        self._client: httpx.AsyncClient | None = None
        self._users = 0

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()  # It takes a while.

    @asynccontextmanager
    async def connections(self) -> AsyncGenerator[None]:
        """Keep connections for the requests in this block; those of the last one to leave are closed."""
        self._users += 1
        if self._client is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
            self._client = httpx.AsyncClient(
                headers=self._headers, timeout=self._timeout, verify=self._tls, limits=limits
            )
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                client, self._client = self._client, None
                await client.aclose()

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        params: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[httpx.Response]:
        """The answer, whose body has yet to come.

        Raises ``HttpError`` for one that refuses the request, and ``ConnectionLostError`` where none comes.
        """
        assert self._client is not None, "it was asked for connections before"
        request = self._client.build_request(
            method, f"{self.url}{path}", headers=dict(headers or {}), content=content, params=dict(params or {})
        )
        try:
            response = await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise self.lost(error) from error
        try:
            if response.is_error:
                raise await _refusal(response)
            yield response
        finally:
            await response.aclose()

    async def json(self, method: str, path: str, **request: Any) -> Any:
        """The JSON that the server answers."""
        async with self.stream(method, path, **request) as response:
            try:
                return msgspec.json.decode(await response.aread())
            except httpx.HTTPError as error:
                raise self.lost(error) from error

    async def insistently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What is asked for, asked again where the connection breaks or the server says that it cannot now."""
        tries = 0
        while True:
            try:
                return await ask()
            except (HttpError, ConnectionLostError) as error:
                if not is_transient(error) or tries >= self.patience.retries:
                    raise
                await asyncio.sleep(self.patience.pause(tries, error))
                tries += 1

    def lost(self, error: Exception) -> ConnectionLostError:
        """What a connection's error is to those who read."""
        words = str(error) or type(error).__name__
        if isinstance(error, UNREACHED):
            return ConnectionLostError(f"nothing answers at {self.url} ({words}); is the server running there?")
        return ConnectionLostError(f"the connection to {self.url} failed: {words}")


def is_transient(error: Exception) -> bool:
    """Whether the same request may be answered later."""
    return not isinstance(error, HttpError) or error.status in _TRANSIENT


async def _refusal(response: httpx.Response) -> HttpError:
    status = response.status_code
    code, message, details = "http_error", f"the server answered {status} {response.reason_phrase}".rstrip(), None
    try:
        error: Any = msgspec.json.decode(await response.aread())["error"]
        code, message, details = str(error["code"]), str(error["message"]), error.get("details")
    except (httpx.HTTPError, msgspec.DecodeError, KeyError, TypeError, AttributeError):
        pass  # Not the server's own words: a proxy's, say.
    return HttpError(status, code, message, details=details, retry_after=_seconds(response.headers.get("Retry-After")))


def _seconds(header: str | None) -> float | None:
    """``Retry-After`` in seconds: it is those, or a date (RFC 9110, section 10.2.3)."""
    if header is None:
        return None
    if header.isdecimal():
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max((at - datetime.now(UTC)).total_seconds(), 0.0)
