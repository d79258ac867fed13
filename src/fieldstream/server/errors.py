"""Errors that clients get in the place of an answer, and the routes that give them."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

import anyio
from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException as StarletteException
from starlette.requests import HTTPConnection
from starlette.types import Message

_CLIENT_LEFT = 499
"""nginx's status for what nobody waits for any more. Nobody gets it, either."""


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
    return _unfit("invalid_inputs", "the inputs do not fit the program", errors)


def _unfit(code: str, problem: str, errors: Sequence[Any]) -> ApiError:
    details = [{"loc": list(each["loc"]), "msg": each["msg"], "type": each["type"]} for each in errors]
    where = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the body'}: {each['msg']}" for each in details)
    return ApiError(422, code, f"{problem}: {where}", details=details)


def _of_request(errors: Sequence[Any]) -> ApiError:
    """What FastAPI found wrong with a request."""
    for each in errors:
        if each["type"] == "json_invalid":
            what = each.get("ctx", {}).get("error", each["msg"])
            return ApiError(
                400, "invalid_json", f"the body is no JSON: {what}, at character {each['loc'][-1]}; send an object"
            )
    inner = [{**each, "loc": each["loc"][1:]} for each in errors]
    if all(each["loc"][0] == "body" for each in errors):
        return invalid(inner)
    return _unfit("invalid_request", "what the URL says does not fit", inner)


class Gate(Protocol):
    """What every request passes before it is served."""

    @property
    def max_body(self) -> int:
        """How many bytes a body may have."""
        ...

    def client(self, connection: HTTPConnection, /) -> object:
        """Who asks. Raises ``ApiError`` 401 for one who may not."""
        ...

    def refused(self, error: ApiError, /) -> None:
        """A request is not served."""
        ...


def routes(gate: Gate, render: Callable[[ApiError], Response] = ApiError.response) -> type[APIRoute]:
    """The class of routes behind a gate, which take bodies of JSON, and say in ``render``'s way what is wrong.

    What a route does before it answers is cancelled when its client goes away.
    """

    class ApiRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handler(request: Request) -> Response:
                try:
                    gate.client(request)  # Before anything of the body is read.
                    body = _Body(request, gate.max_body)
                    if request.method in ("POST", "PUT", "PATCH"):
                        _need_json(request)
                        body.check_told_size()
                    else:
                        body.read.set()  # Nobody reads it.
                    return await _while_there(body, handle)
                except RequestValidationError as error:
                    refused = _of_request(error.errors())
                except ApiError as error:
                    refused = error
                except StarletteException as error:  # FastAPI's own, of a body that is no text, say.
                    refused = ApiError(error.status_code, "bad_request", f"{error.detail}; send JSON in UTF-8")
                gate.refused(refused)
                return render(refused)

            return handler

    return ApiRoute


async def _while_there(body: "_Body", handle: Callable[[Request], Coroutine[Any, Any, Response]]) -> Response:
    """Handle a request as long as its client is there: one that waits for its turn leaves the queue with it."""
    response: Response | None = None
    problem: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_until_left, body, group.cancel_scope)
        try:
            response = await handle(Request(body.request.scope, body.receive))
        except Exception as error:  # Kept from the group, which would make a group of it.
            problem = error
        group.cancel_scope.cancel()
    if problem is not None:
        raise problem
    return response or Response(status_code=_CLIENT_LEFT)


async def _until_left(body: "_Body", scope: anyio.CancelScope) -> None:
    await body.read.wait()
    while (await body.request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def _need_json(request: Request) -> None:
    # A page of another origin can send any form or text without being asked, but no JSON.
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise ApiError(
            415, "not_json", f"the body is of type {kind or 'none'!r}; send JSON, with Content-Type: application/json"
        )


class _Body:
    """A request's body, as far as it is no larger."""

    def __init__(self, request: Request, most: int) -> None:
        self.request = request
        self.read = anyio.Event()
        """Set when all of it was read. What comes then is that the client leaves."""
        self._most = most
        self._size = 0

    def check_told_size(self) -> None:
        """Raise ``ApiError`` 413 where the request says that it is larger."""
        told = self.request.headers.get("content-length", "")
        if told.isdecimal() and int(told) > self._most:
            raise self._too_large()

    async def receive(self) -> Message:
        message = await self.request.receive()
        self._size += len(message.get("body", b""))
        if self._size > self._most:
            raise self._too_large()
        if not message.get("more_body", False):
            self.read.set()
        return message

    def _too_large(self) -> ApiError:
        what = f"the body is larger than {self._most:,} bytes, which is the most that is taken"
        return ApiError(413, "body_too_large", what)
