"""Programs over HTTP: for people's front ends, for other services, and a page to watch them on.

    app.include_router(fieldstream.server.router({"qa": qa}))

It needs the extra ``fieldstream[server]``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fieldstream._errors import MissingExtraError

if TYPE_CHECKING:
    from fieldstream.server.application import app, router
    from fieldstream.server.exposure import Expose
    from fieldstream.server.limits import Limits
    from fieldstream.server.mount import Mount
    from fieldstream.server.serving import Server

_HOMES = {
    "Expose": "exposure",
    "Limits": "limits",
    "Mount": "mount",
    "Server": "serving",
    "app": "application",
    "router": "application",
}

__all__ = ["Expose", "Limits", "Mount", "Server", "app", "router"]

_PACKAGES = {"ag_ui", "fastapi", "prometheus_client", "pythonjsonlogger", "starlette", "uvicorn"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fieldstream.server' has no attribute {name!r}")
    try:
        value = getattr(import_module(f"fieldstream.server.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _PACKAGES:
            raise MissingExtraError("fieldstream.server", "server") from None
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
