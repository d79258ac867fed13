"""What ``tap/lms/litellm.py`` relies on."""

import inspect
from importlib import import_module

import pytest

from fieldstream.simulator import simulate
from tests.contracts.contract import check_parameters


def test_the_places_of_litellm_in_dspy() -> None:
    from dspy.clients import lm

    for name in ("litellm_completion", "alitellm_completion"):
        check_parameters(getattr(lm, name), "request", "num_retries", "cache", at="tap/lms/litellm.py")
        assert getattr(lm, name).__qualname__ == name, "a cache's keys have another name: look at tap/lms/litellm.py"
        module = getattr(lm, name).__module__
        assert module == "dspy.clients.lm", "a cache's keys have another name: look at tap/lms/litellm.py"
    for name in ("litellm_text_completion", "litellm_responses_completion"):
        check_parameters(getattr(lm, name), "request", "num_retries", "cache", at="_wrap_whole in tap/lms/litellm.py")
    check_parameters(lm._add_dspy_identifier_to_headers, "headers", at="tap/lms/litellm.py")
    assert callable(lm._get_litellm), "_get_litellm is gone: look at tap/lms/litellm.py"


@pytest.mark.parametrize(("name", "sleeper"), [("tenacity.nap", "sleep"), ("openai._base_client", "SyncAPIClient")])
def test_retries_sleep_by_the_time_of_their_module(name: str, sleeper: str) -> None:
    module = import_module(name)
    message = (
        f"{name} sleeps in another way between retries: look at _litellm in tap/lms/litellm.py and tap/waits/sleep.py"
    )
    assert callable(module.time.sleep), message
    assert "time.sleep(" in inspect.getsource(getattr(module, sleeper)), message


def test_a_stream_that_is_read_in_a_thread_gives_each_chunk_to_an_executor() -> None:
    handler = import_module("litellm.litellm_core_utils.streaming_handler")
    at = "look at _Executor in tap/lms/litellm.py"
    source = inspect.getsource(handler.CustomStreamWrapper.__next__)
    submitted = "executor.submit(self.run_success_logging_and_cache_storage,"
    assert "".join(submitted.split()) in "".join(source.split()), f"chunks are logged otherwise: {at}"
    parameters = tuple(inspect.signature(handler.CustomStreamWrapper.run_success_logging_and_cache_storage).parameters)
    assert parameters == ("self", "processed_chunk", "cache_hit"), at


def test_thoughts_are_parted_from_an_answer() -> None:
    module = import_module("litellm.litellm_core_utils.prompt_templates.common_utils")
    parted = module._parse_content_for_reasoning("<think>So.</think>\nBlue.")
    assert parted == ("So.", "\nBlue."), "look at _take_thoughts_out in tap/lms/litellm.py"


@pytest.mark.filterwarnings("ignore:Accessing the 'model:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Item .* on TypedDict:UserWarning")
@pytest.mark.parametrize("cut", [False, True])
def test_a_stream_of_litellm(cut: bool) -> None:
    from dspy.clients import lm

    litellm = lm._get_litellm()
    with simulate(["Blue, as ever."], truncate=2 if cut else None) as provider:
        stream = litellm.completion(
            model=provider.model,
            messages=[{"role": "user", "content": "Why?"}],
            stream=True,
            stream_options={"include_usage": True},
            **provider.lm_kwargs,
        )
        chunks = list(stream)
    at = "look at _Report in tap/lms/litellm.py"
    assert (stream.received_finish_reason is None) == cut, f"a stream that is cut off looks otherwise: {at}"
    assert callable(litellm.completion_with_retries), f"it is gone: {at}"
    assert callable(litellm.acompletion_with_retries), f"it is gone: {at}"
    if not cut:
        reported = [usage for chunk in stream.chunks if (usage := getattr(chunk, "usage", None)) is not None]
        assert len(reported) == 1, f"what the provider reports is elsewhere: {at}"
        response = litellm.stream_chunk_builder(chunks, messages=[])
        assert response.choices[0].message.content == "Blue, as ever.", f"a response is put together otherwise: {at}"
