"""The programs: which there are, and starting a run of one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.routing import APIRoute
from fastapi.utils import generate_unique_id

from fieldstream.server.delivery import Following
from fieldstream.server.host import Host
from fieldstream.server.mount import Mount
from fieldstream.server.routes.accept import encoder_of, form_of, wants_no_stream
from fieldstream.server.routes.runs import place_of, state_answer
from fieldstream.server.schemas import ProgramModel
from fieldstream.wire.json import encode


def add_programs(router: APIRouter, host: Host) -> None:
    """Add the routes."""

    async def list_programs() -> Response:
        """The programs, each with its inputs and outputs as JSON Schema."""
        programs = [mount.described() for mount in host.mounts.values()]
        return Response(encode({"programs": programs}), media_type="application/json")

    async def show_program(name: str) -> Response:
        """One program."""
        return Response(encode(host.mount(name).described()), media_type="application/json")

    router.add_api_route("/programs", list_programs, methods=["GET"], tags=["programs"], summary="List the programs")
    operations = _Operations()
    for mount in host.mounts.values():
        _add_start(router, host, mount, operations)
    router.add_api_route("/programs/{name}", show_program, methods=["GET"], tags=["programs"], summary="Show a program")
    # A name that is no program's is told so, whatever the body.
    router.add_api_route(
        "/programs/{name}/runs", _unknown(host), methods=["POST"], include_in_schema=False, response_model=None
    )


def _unknown(host: Host) -> Callable[[str], Awaitable[Response]]:
    async def unknown(name: str) -> Response:
        host.mount(name)
        raise AssertionError("a program's own route comes first")

    return unknown


class _Operations:
    """The operations' ids: FastAPI's own, which two programs may share whose names differ in their marks alone."""

    def __init__(self) -> None:
        self._routes: dict[str, list[str]] = {}

    def __call__(self, route: APIRoute) -> str:
        id = generate_unique_id(route)
        names = self._routes.setdefault(id, [])
        if route.name not in names:
            names.append(route.name)
        return id if names[0] == route.name else f"{id}_{names.index(route.name) + 1}"


def _add_start(router: APIRouter, host: Host, mount: Mount, operations: _Operations) -> None:
    async def start(
        request: Request,
        body: ProgramModel,
        cancel_on_disconnect: Annotated[bool, Query(description="End the run when its reader goes away.")] = False,
    ) -> Response:
        form = form_of(request)
        run = await host.runs.start(mount, body.given(), host.client(request))
        place = place_of(request, run)
        if wants_no_stream(request):
            headers = {"Location": place, "Preference-Applied": "respond-async"}
            return state_answer(run, status=202, headers=headers)
        if form == "json":
            try:
                await run.wait()
            except asyncio.CancelledError:  # The client has gone away.
                if cancel_on_disconnect:
                    run.cancel()
                raise
            return state_answer(run, headers={"Content-Location": place})
        return Following(
            run, encoder_of(form), cancel_on_leave=cancel_on_disconnect, headers={"Content-Location": place}
        )

    start.__annotations__["body"] = mount.inputs
    answers: dict[int | str, dict[str, Any]] = {
        200: {
            "description": "The run's events as they come; or with `Accept: application/json` its state when it has "
            "ended, whose `result` holds the outputs.",
            "model": mount.outputs,
            "content": {"text/event-stream": {}, "application/x-ndjson": {}, "application/json": {}},
        },
        202: {"description": "With `Prefer: respond-async`: the run has begun; `Location` says where it is."},
    }
    router.add_api_route(
        f"/programs/{mount.name}/runs",
        start,
        methods=["POST"],
        tags=["runs"],
        name=f"start_{mount.name}",
        summary=f"Run {mount.name}",
        description=mount.description or None,
        responses=answers,
        response_model=None,
        generate_unique_id_function=operations,
    )
