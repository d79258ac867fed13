"""OpenAI's official clients, and programs whose LM tries twice, for a server of such."""

from typing import Any

import dspy
import openai

from fieldstream.simulator import Provider


def lm_of(provider: Provider) -> dspy.LM:
    """An LM on the simulator, without a cache."""
    return dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=1)


def on(provider: Provider, program: Any) -> Any:
    """The program with that LM."""
    program.set_lm(lm_of(provider))
    return program


def client(url: str, *, api_key: str = "none", max_retries: int = 0) -> openai.OpenAI:
    """The official client, as anyone would make it."""
    return openai.OpenAI(base_url=f"{url}/v1", api_key=api_key, max_retries=max_retries)


def async_client(url: str) -> openai.AsyncOpenAI:
    """The same for tasks."""
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
