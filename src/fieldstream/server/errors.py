"""Errors that clients get in the place of an answer, and the routes that give them."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.types import Message, Receive


class ApiError(HTTPException):
    """A request that is not served: an HTTP status, a code for programs, a message for people, perhaps details."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        details: Sequence[Any] | None = None,
    ) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.code = code
        self.message = message
        self.details = details

    def body(self) -> dict[str, Any]:
        """The error as clients get it."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        return {"error": error}

    def response(self) -> Response:
        """The answer."""
        return JSONResponse(self.body(), self.status_code, self.headers)


def invalid(errors: Sequence[Any]) -> ApiError:
    """Inputs that do not fit the program, told as Pydantic tells it: where, what, and by which rule."""
    details = [
        {"loc": [part for part in each["loc"] if part != "body"], "msg": each["msg"], "type": each["type"]}
        for each in errors
    ]
    where = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the body'}: {each['msg']}" for each in details)
    return ApiError(422, "invalid_inputs", f"the inputs do not fit the program: {where}", details=details)


def routes(max_body: int, render: Callable[[ApiError], Response] = ApiError.response) -> type[APIRoute]:
    """The class of routes that take bodies of JSON up to so many bytes, and say in ``render``'s way what is wrong."""

    class ApiRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handler(request: Request) -> Response:
                try:
                    if request.method in ("POST", "PUT", "PATCH"):
                        _need_json(request)
                        request = Request(request.scope, _limited(request, max_body))
                    return await handle(request)
                except RequestValidationError as error:
                    return render(invalid(error.errors()))
                except ApiError as error:
                    return render(error)

            return handler

    return ApiRoute


def _need_json(request: Request) -> None:
    # A page of another origin can send any form or text without being asked, but no JSON.
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise ApiError(
            415, "not_json", f"the body is of type {kind or 'none'!r}; send JSON, with Content-Type: application/json"
        )


def _limited(request: Request, most: int) -> Receive:
    """The request's body, as far as it is no larger."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > most:
        raise _too_large(most)
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > most:
            raise _too_large(most)
        return message

    return receive


def _too_large(most: int) -> ApiError:
    return ApiError(413, "body_too_large", f"the body is larger than {most:,} bytes, which is the most that is taken")
