"""The server's routes, for an app that there is already, or as an app of their own."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypedDict, Unpack

from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPBearer

from fieldstream._stream import Streamer
from fieldstream.server.auth import Tokens, tokens_of_environment
from fieldstream.server.errors import routes
from fieldstream.server.exposure import Expose
from fieldstream.server.host import Host, Options
from fieldstream.server.limits import Limits
from fieldstream.server.mount import Mount
from fieldstream.server.routes.ag_ui import add_ag_ui
from fieldstream.server.routes.ai_sdk import add_ai_sdk
from fieldstream.server.routes.health import add_health, add_metrics
from fieldstream.server.routes.openai import add_openai
from fieldstream.server.routes.page import add_page
from fieldstream.server.routes.programs import add_programs
from fieldstream.server.routes.runs import add_runs
from fieldstream.server.routes.websocket import add_websocket

Program = Callable[..., Any] | Streamer | Mount


class ServerOptions(TypedDict, total=False):
    """How programs are served."""

    input: str | None
    """As ``Mount`` takes it, for all programs that are no mounts; and so are the two that follow."""
    output: str | None
    expose: Expose | None
    tokens: Iterable[str] | None
    """The bearer tokens that are taken; else those in the environment variable ``FIELDSTREAM_TOKENS``. With none,
    anyone may come."""
    limits: Limits | None
    page: bool
    """Whether there is a page for people at the root (there is)."""
    debug: bool
    """Whether clients see errors as they are. Else they get an id, with which the log tells all of it."""
    list_runs: bool
    """Whether those of an address are listed, too, and not only those of a token's owner."""
    resume_chats: bool
    """Whether a chat's run goes on when its reader goes away, to be followed again."""
    origins: Iterable[str]
    """Of which other origins pages may use the server. (For a router: its WebSocket; CORS is the app's own to say.)"""


def router(programs: Mapping[str, Program], **options: Unpack[ServerOptions]) -> APIRouter:
    """The routes by which clients run these programs, by name: ``app.include_router(router({"qa": qa}))``.

    A program is a DSPy module, a function that uses some, a ``Streamer``, or a ``Mount``, which says more about it.
    Raises ``UnknownFieldError`` or ``ValueError`` for names that a program does not have.
    """
    return router_of(host_of(programs, **options))


def app(programs: Mapping[str, Program], **options: Unpack[ServerOptions]) -> FastAPI:
    """The same as an app of its own, with CORS for the ``origins``."""
    return app_of(host_of(programs, **options))


def host_of(programs: Mapping[str, Program], **options: Unpack[ServerOptions]) -> Host:
    """What is served, and how."""
    tokens = options.get("tokens")
    of_all = {name: options.get(name) for name in ("input", "output", "expose")}
    return Host(
        mounts=_mounts(programs, of_all),
        tokens=Tokens(tokens_of_environment() if tokens is None else tokens),
        limits=options.get("limits") or Limits(),
        options=Options(
            debug=options.get("debug", False),
            list_runs=options.get("list_runs", False),
            resume_chats=options.get("resume_chats", False),
            page=options.get("page", True),
            origins=tuple(options.get("origins", ())),
        ),
    )


def _mounts(programs: Mapping[str, Program], options: Mapping[str, Any]) -> dict[str, Mount]:
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

    # That of the routes' class is what counts; this is for OpenAPI to tell of it.
    told = [Depends(HTTPBearer(auto_error=False))] if host.tokens else []

    root = APIRouter(lifespan=lifespan)
    add_health(root, host)
    add_websocket(root, host)
    add_page(root, host)
    guarded = APIRouter(route_class=routes(host), dependencies=told)
    add_programs(guarded, host)
    add_runs(guarded, host)
    add_openai(guarded, host)
    add_ai_sdk(guarded, host)
    add_ag_ui(guarded, host)
    add_metrics(guarded, host)
    root.include_router(guarded)
    return root


def app_of(host: Host) -> FastAPI:
    """An app of a host's routes alone."""
    # Without FastAPI's own pages, which load their scripts from elsewhere.
    application = FastAPI(
        title="fieldstream", summary="DSPy programs, streamed field by field.", docs_url=None, redoc_url=None
    )
    if host.options.origins:
        application.add_middleware(
            CORSMiddleware,
            allow_origins=host.options.origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "Prefer"],
            expose_headers=["Content-Location", "Location", "Retry-After", "X-Fieldstream-Run"],
        )
    application.include_router(router_of(host))
    return application
