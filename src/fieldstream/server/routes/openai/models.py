"""The programs as models."""

import time
from typing import Any, NamedTuple

import dspy
from fastapi import APIRouter, Response

from fieldstream._errors import UnknownFieldError
from fieldstream.server.host import Host
from fieldstream.server.mount import Mount
from fieldstream.server.routes.openai.errors import OpenAIError
from fieldstream.wire.json import encode


class Model(NamedTuple):
    """A program, with the field whose text is its answer."""

    name: str
    mount: Mount

    @property
    def calls(self) -> frozenset[str]:
        """Its outputs that are calls for the client to run."""
        fields = self.mount.outputs.model_fields.values()
        return frozenset(each.alias or "" for each in fields if each.annotation is dspy.ToolCalls)


def model(host: Host, name: str) -> Model:
    """The model of this name: a program's (``qa``), perhaps with one of its visible output fields (``qa/sources``), and
    the predictor whose field that is (``qa/hop.predict/sources``).

    Raises ``ApiError`` 404 for one that there is not.
    """
    program, _, field = name.partition("/")
    mount = host.mounts.get(program)
    if mount is not None and not field:
        return Model(name, mount)
    if mount is not None:
        try:
            return Model(name, mount.with_output(field))
        except UnknownFieldError as error:
            raise _unknown(f"the model {name!r} does not exist: {error}") from None
    raise _unknown(f"the model {name!r} does not exist; there are: {', '.join(host.mounts)}")


def _unknown(message: str) -> OpenAIError:
    return OpenAIError(404, "model_not_found", message, param="model")


def add_models(router: APIRouter, host: Host) -> None:
    """Add the routes."""
    created = int(time.time())

    def described(name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": created, "owned_by": "fieldstream"}

    async def list_models() -> Response:
        """The programs. A program's name with that of an output field (`qa/sources`) is a model, too."""
        listed = {"object": "list", "data": [described(name) for name in host.mounts]}
        return Response(encode(listed), media_type="application/json")

    async def show_model(name: str) -> Response:
        """One model."""
        return Response(encode(described(model(host, name).name)), media_type="application/json")

    router.add_api_route("/models", list_models, methods=["GET"], summary="List the models")
    router.add_api_route("/models/{name:path}", show_model, methods=["GET"], summary="Show a model")
