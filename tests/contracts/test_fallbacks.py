"""Where an internal of DSPy is not what the tap knows, runs do without that part of it, and their values are right."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from tests.contracts import without
from tests.contracts.contract import HAS_ENGINES, engines, no_engines


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """Processes for one task each, forked from one that has imported what takes its time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dspy", "litellm"])
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        yield pool


def case(part: str | None, way: str, *what: str, **others: Any) -> Any:
    options: dict[str, Any] = {"whole": False, "engine": None, **others}
    marks = options.pop("marks", ())
    return pytest.param(part, way, what, *options.values(), id=f"{way}-{what[-1]}", marks=marks)


LITELLM = "litellm" if HAS_ENGINES else None

CASES = [
    case("settings", "hide", "dspy.dsp.utils.settings", "thread_local_overrides"),
    case("parents", "hide", "dspy.utils.callback", "ACTIVE_CALL_ID", whole=True),
    case("callbacks", "change", "dspy.dsp.utils.settings", "Settings.get"),
    case("usage", "hide", "dspy.utils.usage_tracker", "UsageTracker"),
    case("values", "hide", "dspy.adapters.utils", "parse_value"),
    case("retrieval", "change", "dspy.clients.embedding", "Embedder.__call__"),
    case("waits", "change", "httpcore._backends.sync", "SyncStream.write"),
    case("litellm", "change", "dspy.clients.lm", "litellm_completion", whole=True, engine=LITELLM),
    case("litellm", "change", "dspy.clients.lm", "alitellm_completion", whole=True, engine=LITELLM),
    case("litellm", "hide", "dspy.clients.lm", "_add_dspy_identifier_to_headers", whole=True, engine=LITELLM),
    case("litellm", "hide", "litellm", "completion_with_retries", whole=True, engine=LITELLM),
    case("waits", "time", "tenacity.nap", engine=LITELLM),
    case("waits", "time", "openai._base_client", engine=LITELLM),
    case("engines", "change", "dspy.clients.execution", "_attempt", whole=True, marks=engines),
    case("engines", "change", "dspy.clients.execution", "_aattempt", whole=True, marks=engines),
    case("engines", "hide", "dspy._vendor.lm15.result", "StreamAccumulator", whole=True, marks=engines),
    case("engines", "hide", "dspy.clients.engines.streaming", "ListenerBridge", whole=True, marks=engines),
    case("engines", "hide", "dspy.clients.engines.stream_guard", "checked_stream", whole=True, marks=engines),
    case(None, "change", "dspy.clients.engines.lm15_engine", "_Routing._target", marks=engines),
    case("endings", "change", "dspy._vendor.lm15.providers.base", "parse_sse", marks=engines),
    case("endings", "hide", "dspy._vendor.lm15.providers.async_base", "aparse_sse", marks=engines),
    case(None, "hide", "dspy._vendor.lm15.providers.openai_chat", "OpenAIChatLM", marks=engines),
    case(
        "bodies", "change", "dspy._vendor.lm15.transports._types", "AsyncTransportResponse.aiter_lines", marks=engines
    ),
    case("bodies", "hide", "dspy._vendor.lm15.transports._http11", "ChunkedDecoder", marks=engines),
    case("waits", "change", "dspy._vendor.lm15.transports._sync", "StdlibTransport._send_request", marks=engines),
    case("waits", "time", "dspy.clients.execution", marks=engines),
    case("usage", "change", "dspy.clients.base_lm", "BaseLM._process_lm_response", marks=no_engines),
    case("usage", "change", "dspy.clients.base_lm", "BaseLM._finalize_lm_response", marks=no_engines),
]


@pytest.mark.parametrize(("part", "way", "what", "whole", "engine"), CASES)
def test_without(
    part: str | None, way: str, what: tuple[str, ...], whole: bool, engine: str | None, processes: ProcessPoolExecutor
) -> None:
    lacking, logged, pieces = processes.submit(without.run, way, *what, engine=engine).result()
    assert part is None or part in lacking
    assert len(logged) == len(lacking), "it is logged once for each part"
    if part is not None:
        assert any(what[-1].rpartition(".")[2] in line for line in logged), f"nobody knows from {logged} what is wrong"
    assert [count == 1 for count in pieces] == [whole, whole], "whole where it cannot stream, and only there"
