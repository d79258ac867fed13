"""The server's routes, for an app that there is already, or as an app of their own."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPBearer

from fieldstream._stream import Streamer
from fieldstream.server.auth import Tokens, tokens_of_environment
from fieldstream.server.errors import routes
from fieldstream.server.exposure import Expose
from fieldstream.server.host import Host, Options
from fieldstream.server.limits import Limits
from fieldstream.server.mount import Mount
from fieldstream.server.routes.health import add_health, add_metrics
from fieldstream.server.routes.programs import add_programs
from fieldstream.server.routes.runs import add_runs
from fieldstream.server.routes.websocket import add_websocket

Program = Callable[..., Any] | Streamer | Mount


def router(
    programs: Mapping[str, Program],
    *,
    input: str | None = None,
    output: str | None = None,
    expose: Expose | None = None,
    tokens: Iterable[str] | None = None,
    limits: Limits | None = None,
    page: bool = True,
    debug: bool = False,
    list_runs: bool = False,
    resume_chats: bool = False,
    origins: Iterable[str] = (),
) -> APIRouter:
    """The routes by which clients run these programs, by name: ``app.include_router(router({"qa": qa}))``.

    A program is a DSPy module, a function that uses some, a ``Streamer``, or a ``Mount``, which says more about it;
    ``input``, ``output`` and ``expose`` say the same of all that are no mounts. ``tokens`` are the bearer tokens that
    are taken (by default those in the environment variable ``FIELDSTREAM_TOKENS``; with none, anyone may come). With
    ``debug`` clients see errors as they are. ``list_runs`` lists the runs of an address, too, and not of a token's
    owner alone; ``resume_chats`` lets a chat's run go on when its reader goes away. Pages of other ``origins`` may use
    the WebSocket; for all else that is the app's own CORS to say. Without ``page`` there is none at the root.

    Raises ``UnknownFieldError`` or ``ValueError`` for names that a program does not have.
    """
    return router_of(
        Host(
            mounts=_mounts(programs, input=input, output=output, expose=expose),
            tokens=Tokens(tokens_of_environment() if tokens is None else tokens),
            limits=limits or Limits(),
            options=Options(
                debug=debug, list_runs=list_runs, resume_chats=resume_chats, page=page, origins=tuple(origins)
            ),
        )
    )


def app(programs: Mapping[str, Program], *, origins: Iterable[str] = (), **options: Any) -> FastAPI:
    """The same as an app of its own, which pages of other ``origins`` may use, too. ``options`` are ``router``'s."""
    allowed = tuple(origins)
    return app_of(router(programs, origins=allowed, **options), allowed)


def _mounts(programs: Mapping[str, Program], **options: Any) -> dict[str, Mount]:
    mounts: dict[str, Mount] = {}
    for name, program in programs.items():
        mounts[name] = (program if isinstance(program, Mount) else Mount(program, **options)).named(name)
    return mounts


def router_of(host: Host) -> APIRouter:
    """A host's routes."""

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await host.runs.drain(host.limits.shutdown_seconds)

    def authorize(request: Request) -> None:
        host.client(request)

    guards = [Depends(authorize)]
    if host.tokens:  # So that OpenAPI tells of it.
        guards.append(Depends(HTTPBearer(auto_error=False)))

    root = APIRouter(lifespan=lifespan)
    add_health(root, host)
    add_websocket(root, host)
    guarded = APIRouter(route_class=routes(host.limits.max_body), dependencies=guards)
    add_programs(guarded, host)
    add_runs(guarded, host)
    add_metrics(guarded, host)
    root.include_router(guarded)
    return root


def app_of(routes: APIRouter, origins: tuple[str, ...] = ()) -> FastAPI:
    """An app of a server's routes alone."""
    application = FastAPI(title="fieldstream", summary="DSPy programs, streamed field by field.", redoc_url=None)
    if origins:
        application.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "Prefer"],
            expose_headers=["Content-Location", "Location", "Retry-After", "X-Fieldstream-Run"],
        )
    application.include_router(routes)
    return application
