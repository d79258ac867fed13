"""Errors as OpenAI tells them (https://platform.openai.com/docs/guides/error-codes)."""

from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse

from fieldstream.server.errors import ApiError
from fieldstream.wire.openai.turn import Problem

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}

_NO_RETRY = {"x-should-retry": "false"}
"""Official clients ask again after a 5xx, which would run the program again; this tells them not to."""


class OpenAIError(ApiError):
    """An ``ApiError`` that names the member of the request that is at fault."""

    def __init__(self, status: int, code: str, message: str, *, param: str | None = None) -> None:
        super().__init__(status, code, message)
        self.param = param


def as_openai(error: ApiError) -> Response:
    """An error of the server's in OpenAI's form. What does not fit a program is 400 there, not 422."""
    status = 400 if error.status_code == 422 else error.status_code
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    param = error.param if isinstance(error, OpenAIError) else _param(error)
    members: dict[str, Any] = {"message": error.message, "type": kind, "param": param, "code": error.code}
    return JSONResponse({"error": members}, status, error.headers)


def _param(error: ApiError) -> str | None:
    """The first member that does not fit, as ``messages.0.content``."""
    where = [part for each in error.details or () for part in each["loc"]] if len(error.details or ()) == 1 else []
    return ".".join(map(str, where)) or None


def no_answer(problem: Problem, run: str) -> Response:
    """The answer of a run that has none."""
    return JSONResponse({"error": problem.members()}, 500, {"X-Fieldstream-Run": run, **_NO_RETRY})
