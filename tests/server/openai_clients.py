"""A server of programs on a loopback port, and OpenAI's official clients for it."""

import asyncio
import socket
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import dspy
import openai
import uvicorn

from fieldstream.server import app
from fieldstream.simulator import Provider


def lm_of(provider: Provider) -> dspy.LM:
    """An LM on the simulator, without a cache."""
    return dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=1)


def on(provider: Provider, program: Any) -> Any:
    """The program with that LM."""
    program.set_lm(lm_of(provider))
    return program


@contextmanager
def served(programs: Mapping[str, Any], **options: Any) -> Generator[str]:
    """A real server of these programs; gives its address."""
    config = uvicorn.Config(app(programs, **options), log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), name="served")
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def client(url: str, *, api_key: str = "none", max_retries: int = 0) -> openai.OpenAI:
    """The official client, as anyone would make it."""
    return openai.OpenAI(base_url=f"{url}/v1", api_key=api_key, max_retries=max_retries)


def async_client(url: str) -> openai.AsyncOpenAI:
    """The same for tasks."""
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
