"""Errors as OpenAI tells them (https://platform.openai.com/docs/guides/error-codes)."""

from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from fieldstream.server.errors import ApiError
from fieldstream.wire.openai.turn import Problem

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}

_NO_RETRY = {"x-should-retry": "false"}
"""Official clients ask again after a 5xx, which would run the program again; this tells them not to."""


class Error(BaseModel):
    """What is wrong: a sentence, a kind, perhaps the member of the request that is at fault, and a code."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class Errors(BaseModel):
    """The body of an answer that is an error."""

    error: Error


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "OpenAI's object, or with `stream` its chunks or events.",
        "content": {"application/json": {}, "text/event-stream": {}},
    },
    "4XX": {"description": "What is wrong with the request.", "model": Errors},
    "5XX": {"description": "The run has no answer, or there is no run.", "model": Errors},
}
"""For OpenAPI: what both forms answer."""


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
    members: dict[str, Any] = {"message": _message(error), "type": kind, "param": param, "code": error.code}
    return JSONResponse({"error": members}, status, error.headers)


def _message(error: ApiError) -> str:
    """Its message. What does not fit may be the request's own members or the program's inputs."""
    where = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.details or ()]
    return f"the request does not fit: {'; '.join(where)}" if where else error.message


def _param(error: ApiError) -> str | None:
    """The first member that does not fit, as ``messages.0.content``."""
    return ".".join(map(str, error.details[0]["loc"])) or None if error.details else None


def no_answer(problem: Problem, run: str) -> Response:
    """The answer of a run that has none."""
    return JSONResponse({"error": problem.members()}, 500, {"X-Fieldstream-Run": run, **_NO_RETRY})
