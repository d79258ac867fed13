"""For those who run a server: whether it lives, whether it takes runs, and its figures."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from fieldstream.server.host import Host


def add_health(router: APIRouter, host: Host) -> None:
    """Add the routes that anyone may ask."""

    async def healthy() -> Response:
        """Whether the server lives."""
        return JSONResponse({"status": "ok"})

    async def ready() -> Response:
        """Whether the server takes new runs; 503 while it shuts down."""
        if host.runs.draining:
            return JSONResponse({"status": "shutting down"}, 503)
        return JSONResponse({"status": "ok"})

    router.add_api_route("/healthz", healthy, methods=["GET"], tags=["health"], summary="Liveness")
    router.add_api_route("/readyz", ready, methods=["GET"], tags=["health"], summary="Readiness")


def add_metrics(router: APIRouter, host: Host) -> None:
    """Add the figures."""

    async def metrics() -> Response:
        """The server's figures, in Prometheus' text format."""
        host.metrics.open.set(host.runs.places.taken)
        host.metrics.queued.set(host.runs.places.queued)
        return Response(host.metrics.text(), media_type="text/plain; version=0.0.4")

    router.add_api_route("/metrics", metrics, methods=["GET"], tags=["health"], summary="Figures for Prometheus")
