"""Runs that were started: following one, its state, ending it, and which there are."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from fieldstream.server.delivery import Following
from fieldstream.server.errors import ApiError
from fieldstream.server.host import Host
from fieldstream.server.routes.accept import encoder_of, form_of
from fieldstream.server.runs import ServedRun
from fieldstream.wire.json import encode


def add_runs(router: APIRouter, host: Host) -> None:
    """Add the routes."""

    async def list_runs(request: Request) -> Response:
        """The runs of this client that go on or have ended lately, the newest first."""
        client = host.client(request)
        if not client.has_token and not host.options.list_runs:
            raise ApiError(403, "no_list", "runs are listed only for clients with a token; remember the ids of yours")
        runs = [run.summary() for run in host.runs.of(client)]
        return Response(encode({"runs": runs}), media_type="application/json")

    async def show_run(id: str) -> Response:
        """A run's state so far: its calls, its fields with the values that they have, its outcome."""
        return state_answer(host.runs.get(id))

    async def cancel_run(id: str) -> Response:
        """End a run. One that has ended stays as it is."""
        run = host.runs.get(id)
        run.cancel()
        return state_answer(run)

    async def follow_run(
        request: Request,
        id: str,
        after: Annotated[int | None, Query(description="The `seq` of the last event that was read.")] = None,
        snapshot: Annotated[bool, Query(description="Begin with what there is, in one event.")] = False,
        merge: Annotated[bool, Query(description="Give deltas of one text that wait as one.")] = True,
    ) -> Response:
        """A run's events after a cursor (`Last-Event-ID`, or `after`), as they come; without one, from the first.

        For a cursor that is none of this run's, and with `snapshot`, the first is a `run.snapshot`, which stands for
        all before it. 204: there are none, and there will be none.
        """
        run = host.runs.get(id)
        form = form_of(request)
        if form == "json":
            await run.wait()
            return state_answer(run)
        encoder = encoder_of(form)
        cursor = _cursor(request, after)
        state = run.state()
        if snapshot or not -1 <= cursor <= state.seq:
            before = state.snapshot()
            return Following(run, encoder, after=before.seq, before=[before], merge=merge)
        if cursor == state.seq and state.end is not None:
            return Response(status_code=204, headers={"X-Fieldstream-Run": run.id})
        return Following(run, encoder, after=cursor, merge=merge)

    add = router.add_api_route
    add("/runs", list_runs, methods=["GET"], tags=["runs"], summary="List the runs of this client")
    add("/runs/{id}", show_run, methods=["GET"], tags=["runs"], summary="Show a run's state")
    add("/runs/{id}", cancel_run, methods=["DELETE"], tags=["runs"], summary="Cancel a run")
    add("/runs/{id}/events", follow_run, methods=["GET"], tags=["runs"], summary="Follow a run", response_model=None)


def _cursor(request: Request, after: int | None) -> int:
    """Where the client left off: -1 is before the first event; what is no event's `seq` is told by -2."""
    if (last := request.headers.get("last-event-id")) is not None:
        return int(last) if last.isascii() and last.isdecimal() and len(last) < 16 else -2
    return -1 if after is None else after


def state_answer(run: ServedRun, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A run's state as an answer."""
    named = {"X-Fieldstream-Run": run.id, **(headers or {})}
    return Response(encode(run.described()), status, headers=named, media_type="application/json")


def place_of(request: Request, run: ServedRun) -> str:
    """The path of a run that this request has started, wherever the router is mounted."""
    prefix = request.url.path.removesuffix(f"/programs/{run.mount.name}/runs")
    return f"{prefix}/runs/{run.id}"
