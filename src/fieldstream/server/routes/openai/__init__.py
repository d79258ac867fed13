"""OpenAI's API: a program is a model. Its official clients work with it unchanged, by their ``base_url=…/v1``."""

from fastapi import APIRouter

from fieldstream.server.errors import routes
from fieldstream.server.host import Host
from fieldstream.server.routes.openai.chat import add_chat
from fieldstream.server.routes.openai.errors import as_openai
from fieldstream.server.routes.openai.models import add_models
from fieldstream.server.routes.openai.responses import add_responses


def add_openai(router: APIRouter, host: Host) -> None:
    """Add the routes. Their errors are OpenAI's objects."""
    own = APIRouter(prefix="/v1", tags=["OpenAI"], route_class=routes(host, as_openai))
    add_models(own, host)
    add_chat(own, host)
    add_responses(own, host)
    router.include_router(own)
