"""The provider: a server in a thread of its own, what it was told to say, and what it saw."""

import asyncio
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from itertools import islice
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from fieldstream.simulator.answer import Answer, as_answer
from fieldstream.simulator.connection import Connection, HttpRequest
from fieldstream.simulator.embeddings import embeddings_body
from fieldstream.simulator.options import Options
from fieldstream.simulator.pacing import Gates, send_stream
from fieldstream.simulator.request import BadRequest, ChatRequest
from fieldstream.simulator.responses import response_body, response_stream
from fieldstream.simulator.wire import completion_body, completion_stream, error_body, models_body
from fieldstream.simulator.writer import write

Answers = Iterable[Answer | str] | Callable[[ChatRequest], Answer | str]
"""What to say: answers for the requests in their order (then the provider writes its own), or a function of each."""

_COMPLETIONS = ("/chat/completions", "/completions", "/responses")
_EMBEDDINGS = "/embeddings"
_BACKLOG = 4096
_MODEL = "sim"


class Provider:
    """A running provider of the OpenAI API (chat completions, completions, responses, embeddings) on this machine.

    It runs from the start; `close` ends it.

    Use it in a `with` or an `async with` block, or close it yourself. Any thread may use it, and any number may run.
    Raises `OSError` where it cannot listen.
    """

    def __init__(
        self,
        answers: Answers | None = None,
        options: Options | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.options = options or Options()
        self.requests: list[ChatRequest] = []
        """Every request so far, in the order in which they came."""
        self.model = f"openai/{_MODEL}"
        """A model's name as `dspy.LM` takes it. Any other is served as well."""
        self._function = answers if callable(answers) else None
        self._answers = iter(() if answers is None or callable(answers) else answers)
        self._script: deque[Answer] = deque()
        self._created = int(time.time())
        self._faults: Counter[object] = Counter()
        self._open: set[Connection] = set()
        self._changed = threading.Condition()
        self._gates = Gates()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        port = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        """Where it is, without a path."""
        self._loop = asyncio.new_event_loop()
        self._closing = False
        self._closed_by_user: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name=f"simulator:{port}", daemon=True)
        self._thread.start()

    @property
    def api_base(self) -> str:
        """The address that clients of the OpenAI API take as their base."""
        return f"{self.url}/v1"

    @property
    def lm_kwargs(self) -> dict[str, Any]:
        """What `dspy.LM(provider.model, **provider.lm_kwargs)` needs."""
        return {"api_base": self.api_base, "api_key": "simulator"}

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def script(self, *answers: Answer | str) -> None:
        """Answer the next requests with these, one each, before anything else. A request that fails by a fault of the
        server or its own leaves its answer for the next.
        """
        self._script.extend(map(as_answer, answers))

    def wait_for(self, predicate: Callable[[], object], timeout: float = 10.0) -> None:
        """Block until `predicate()` is true; it is asked again whenever something happens.

        Raises `TimeoutError` after `timeout` seconds. In a coroutine: `await asyncio.to_thread(provider.wait_for, …)`.
        """
        with self._changed:
            if not self._changed.wait_for(predicate, timeout):
                seen = ", ".join(f"{r.path} {r.status}: {r.chunks_sent} chunks" for r in self.requests[-5:])
                raise TimeoutError(
                    f"not so after {timeout} s; {self.connections} connections, "
                    f"{len(self.requests)} requests, the last: {seen or 'none'}"
                )

    def close(self) -> None:
        """Stop listening, close every connection, end the thread. Closing again does nothing."""
        if not self._closing:
            self._closing = True
            self._loop.call_soon_threadsafe(self._closed_by_user.set_result, None)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    # In the server's thread.

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await self._loop.create_server(self._accept, sock=self._socket, backlog=_BACKLOG)
        await self._closed_by_user
        await self._stop(server)

    async def _stop(self, server: asyncio.Server) -> None:
        server.close()
        for _ in range(2):  # the second time for connections that were just being accepted
            for connection in list(self._open):
                connection.abort()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)

    def _accept(self) -> Connection:
        return Connection(self._handle, self._opened, self._closed)

    def _opened(self, connection: Connection) -> None:
        self._open.add(connection)
        self._notify()

    def _closed(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._notify()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    async def _handle(self, connection: Connection, http: HttpRequest) -> None:
        path = urlsplit(http.target).path
        request = ChatRequest(len(self.requests), http.method, path, http.headers, http.content)
        self.requests.append(request)
        self._notify()
        try:
            await self._respond(connection, request)
            request.finished.set()
        except BadRequest as error:
            await self._send(connection, request, error.status, error_body(error.status, str(error)))
            request.finished.set()
        finally:
            request.ended = time.monotonic()
            if connection.gone and not request.finished.is_set():
                request.disconnected.set()
            self._notify()

    async def _respond(self, connection: Connection, request: ChatRequest) -> None:
        path = request.path.removeprefix("/v1")
        if path == "/models":
            _check_method(request, "GET")
            await self._send(connection, request, 200, models_body(_MODEL, self._created))
            return
        if path not in (*_COMPLETIONS, _EMBEDDINGS):
            raise BadRequest(404, f"Unknown request URL: {request.method} {request.path}")
        _check_method(request, "POST")
        request.parse()
        if path == _EMBEDDINGS:
            answer, options = Answer(), self._options(request)
        else:
            answer, options = self._choose(request)
        if options.error is not None:
            headers = [] if options.retry_after is None else [("retry-after", f"{options.retry_after:g}")]
            body = error_body(options.error, "The simulator was told to fail")
            await self._send(connection, request, options.error, body, headers)
        elif path == _EMBEDDINGS:
            await self._send_whole(connection, request, embeddings_body(request), answer, options)
        elif request.stream:
            make_stream = response_stream if request.responses else completion_stream
            stream = make_stream(request, answer, options, created=self._created)
            request.status = 200
            await connection.start(200, [("content-type", "text/event-stream"), ("cache-control", "no-cache")])
            await send_stream(connection, request, stream, options, answer.gates, self._gates, self._notify)
        else:
            make_body = response_body if request.responses else completion_body
            body = make_body(request, answer, created=self._created, ended=options.truncate is None)
            await self._send_whole(connection, request, body, answer, options)

    def _options(self, request: ChatRequest) -> Options:
        """What applies to the request, whatever its answer."""
        changes = request.option_changes()
        options = self.options.updated(changes)
        if options.faulty and options.fault_times is not None:
            key = request.content if "fault_times" in changes else None
            self._faults[key] += 1
            if self._faults[key] > options.fault_times:
                options = options.healthy()
        request.options = options
        return options

    def _choose(self, request: ChatRequest) -> tuple[Answer, Options]:
        options = self._options(request)
        try:
            answer = self._answer(request, options)
            request.options = options.updated(answer.options)
        except Exception as error:
            raise BadRequest(500, f"The simulator has no answer: {error!r}") from error
        return answer, request.options

    def _answer(self, request: ChatRequest, options: Options) -> Answer:
        if not self._script:
            self._script.extend(map(as_answer, islice(self._answers, 1)))
        if self._script:
            return self._script[0] if options.faulty else self._script.popleft()
        return write(request, options) if self._function is None else as_answer(self._function(request))

    async def _send_whole(
        self, connection: Connection, request: ChatRequest, body: bytes, answer: Answer, options: Options
    ) -> None:
        if options.first:
            await asyncio.sleep(options.first)
        for _, gate in sorted(answer.gates.items()):
            await self._gates.wait(gate)
        if options.drop is None and options.stall is None:
            await self._send(connection, request, 200, body if options.malformed is None else body[: len(body) // 2])
            return
        request.status = 200
        await connection.start(200, [("content-type", "application/json"), ("content-length", str(len(body)))])
        await connection.send(body[: len(body) // 2])
        if options.stall is not None:
            await asyncio.get_running_loop().create_future()
        connection.drop(reset=options.reset)

    async def _send(
        self,
        connection: Connection,
        request: ChatRequest,
        status: int,
        body: bytes,
        headers: list[tuple[str, str]] | None = None,
    ) -> None:
        request.status = status
        allow = [("allow", "GET" if request.path.endswith("/models") else "POST")] if status == 405 else []
        await connection.respond(status, [("content-type", "application/json"), *(headers or []), *allow], body)


def _check_method(request: ChatRequest, method: str) -> None:
    if request.method != method:
        raise BadRequest(405, f"Not allowed to {request.method} on {request.path}: use {method}")
