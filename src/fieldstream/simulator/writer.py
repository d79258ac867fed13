"""What the provider writes when nobody tells it what to say."""

from fieldstream.simulator.answer import Answer
from fieldstream.simulator.options import Options
from fieldstream.simulator.request import ChatRequest


def write(request: ChatRequest, options: Options) -> Answer:
    """An answer to the request."""
    return Answer("Hello from the simulator.")
