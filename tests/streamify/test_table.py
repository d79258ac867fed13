"""What goes wrong with ``dspy.streamify`` does not go wrong here: one case for each thing that was seen there."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import dspy
import pytest
from dspy.adapters.baml_adapter import BAMLAdapter

from fieldstream import (
    FieldstreamError,
    StatusMessage,
    StatusMessageProvider,
    StreamListener,
    apply_sync_streaming,
    streamify,
    streaming_response,
)
from fieldstream.simulator import Answer, ChatRequest
from tests.streamify.helpers import ADAPTERS, chat, check_ends, chunks, gather, provided, responses, text, written

LISTENERS = [StreamListener("answer", allow_reuse=True)]
PREDICT = dspy.Predict("question -> answer")
Case = Callable[[], Awaitable[None]]
CASES: dict[str, Case] = {}


def case(title: str) -> Callable[[Case], Case]:
    def add(function: Case) -> Case:
        CASES[title] = function
        return function

    return add


def echo(request: ChatRequest) -> str:
    question = request.text("user").split("[[ ## question ## ]]\n")[1].split("\n")[0]
    return chat(answer=f"you said {question}")


def listen(program: Any, **options: Any) -> Any:
    return streamify(program, stream_listeners=LISTENERS, **options)


class Own(dspy.Module):
    """A program whose forward, or aforward, is given."""

    def __init__(self, work: Callable[..., Any]) -> None:
        self.predict = dspy.Predict("question -> answer")
        self.work = work

    def forward(self, **inputs: Any) -> Any:
        return self.work(self.predict, **inputs)

    async def aforward(self, **inputs: Any) -> Any:
        return await self.work(self.predict, **inputs)


async def streamed(answer: Answer | str, adapter: str = "chat", program: Any = PREDICT) -> list[Any]:
    with provided(answer, adapter=ADAPTERS[adapter]):
        return await gather(listen(program)(question="?"))


@case("text differs from the prediction's value")
async def _() -> None:
    said = 'He said: "[[wait]]", and\n{"answer": 1}, </answer> & so on \\n.'
    for form in ADAPTERS:
        whole = written(form, answer=said)
        for size in (1, 2, 5, len(whole)):
            values = await streamed(Answer(chunks=[whole[at : at + size] for at in range(0, len(whole), size)]), form)
            assert text(values) == values[-1].answer == said


@case("nothing streams at all")
async def _() -> None:
    for form in ADAPTERS:
        head, tail = written(form, answer="|").split("|")
        assert len(chunks(await streamed(Answer(chunks=[head, "one", " two", " three", tail]), form))) >= 3


@case("single characters leak markers")
async def _() -> None:
    for form in ADAPTERS:
        assert text(await streamed(Answer(chunks=list(written(form, answer="clean"))), form)) == "clean"


@case("a whole answer in one chunk never streams")
async def _() -> None:
    for form in ADAPTERS:
        assert chunks(await streamed(written(form, answer="whole"), form))[0] == "whole"


@case("text with an opening bracket is cut")
async def _() -> None:
    assert (
        text(await streamed(Answer(chunks=["[[ ## answer ## ]]\n", "a [[", " b [[1]] [[ ##"]))) == "a [[ b [[1]] [[ ##"
    )


@case("the next key leaks into a field of JSON")
async def _() -> None:
    program = dspy.Predict("question -> answer, why, more")
    whole = json.dumps({"answer": "a", "why": "b", "more": "c"})
    assert text(await streamed(Answer(chunks=list(whole)), "json", program)) == "a"


@case("a nested key or tag is taken for the field")
async def _() -> None:
    program = dspy.Predict("question -> facts: dict[str, str], answer")
    whole = json.dumps({"facts": {"answer": "wrong"}, "answer": "right"})
    assert text(await streamed(Answer(chunks=list(whole)), "json", program)) == "right"
    program = dspy.Predict("question -> facts, answer")
    whole = written("xml", facts="<answer>wrong</answer>", answer="right")
    assert text(await streamed(Answer(chunks=list(whole)), "xml", program)) == "right"


@case("without an end marker no last chunk")
async def _() -> None:
    check_ends(await streamed(Answer(chunks=["[[ ## answer ## ]]\n", "one", " two"])))


@case("concurrent calls of one wrapped program")
async def _() -> None:
    wrapped = listen(PREDICT)
    with provided(answers=echo):
        runs = await asyncio.gather(*(gather(wrapped(question=f"q{number}")) for number in range(50)))
    assert [text(values) for values in runs] == [f"you said q{number}" for number in range(50)]


@case("a second call is empty")
async def _() -> None:
    wrapped = streamify(PREDICT, stream_listeners=[StreamListener("answer")])
    with provided(answers=echo):
        assert [text(await gather(wrapped(question="a"))) for _ in range(2)] == ["you said a"] * 2


@case("leaving poisons the caller's task")
async def _() -> None:
    with provided(), provided():
        async for _ in listen(PREDICT)(question="?"):
            break
        stream = listen(PREDICT)(question="?")
        await anext(stream)
        await stream.aclose()
        await asyncio.sleep(0)
        await asyncio.to_thread(lambda: None)


@case("gather inside of a program")
async def _() -> None:
    async def work(predict: Any) -> Any:
        return [each.answer for each in await asyncio.gather(*(predict.acall(question=each) for each in "abc"))]

    with provided(answers=echo):
        *values, last = await gather(listen(Own(work), is_async_program=True)())
    calls = {response.call_id: text(v for v in values if v.call_id == response.call_id) for response in values}
    assert sorted(calls.values()) == last == [f"you said {each}" for each in "abc"]


@case("Parallel and batch inside of a program")
async def _() -> None:
    def work(predict: Any) -> Any:
        examples = [dspy.Example(question=each).with_inputs("question") for each in "ab"]
        parallel = dspy.Parallel(num_threads=2, disable_progress_bar=True)
        pairs = [(predict, {"question": each}) for each in "cd"]
        done = [*predict.batch(examples, num_threads=2, disable_progress_bar=True), *parallel(pairs)]
        return [each.answer for each in done]

    with provided(answers=echo):
        *values, last = await gather(listen(Own(work))())
    assert last == [f"you said {each}" for each in "abcd"]
    calls = {response.call_id: text(v for v in values if v.call_id == response.call_id) for response in values}
    assert sorted(calls.values()) == last


@case("asyncio.run inside of a program")
async def _() -> None:
    def work(predict: Any) -> Any:
        return asyncio.run(predict.acall(question="a")).answer

    with provided(answers=echo):
        values = await asyncio.wait_for(gather(listen(Own(work))()), 20)
    assert text(values) == values[-1] == "you said a"


@case("no fallback to JSON")
async def _() -> None:
    with provided("no markers at all", json.dumps({"answer": "found"})):
        values = await gather(listen(PREDICT)(question="?"))
    assert text(values) == values[-1].answer == "found"


@case("no retry after a dropped connection")
async def _() -> None:
    pieces = ["[[ ## answer ## ]]\n", "one ", "two ", "three"]
    with provided(Answer(chunks=pieces, options={"drop": 3}), Answer(chunks=pieces)):
        values = await gather(listen(PREDICT)(question="?"))
    assert text(values) == values[-1].answer == "one two three"


@case("status messages freeze the loop")
async def _() -> None:
    def tool() -> str:
        return "done"

    async def work(predict: Any) -> Any:
        await predict.acall(question="a")
        for _ in range(9):
            await dspy.Tool(tool).acall()
        await asyncio.gather(dspy.Tool(tool).acall(), dspy.Tool(tool).acall())

    with provided(answers=echo):
        values = await asyncio.wait_for(gather(listen(Own(work), is_async_program=True)()), 20)
    assert len([value for value in values if isinstance(value, StatusMessage)]) == 22


@case("stalled readers stop others")
async def _() -> None:
    with provided(answers=echo):
        stalled = [listen(PREDICT)(question="a") for _ in range(9)]
        for stream in stalled:
            await anext(stream)
        assert text(await asyncio.wait_for(gather(listen(PREDICT)(question="b")), 20)) == "you said b"
        assert (await asyncio.wait_for(cast("Any", dspy.asyncify(PREDICT))(question="c"), 20)).answer == "you said c"


@case("more than eight threads hang")
async def _() -> None:
    barrier = threading.Barrier(20)

    def program() -> str:
        barrier.wait(20)
        return "over"

    wrapped = streamify(program, async_streaming=False)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(20) as pool:
        assert await asyncio.gather(*(loop.run_in_executor(pool, lambda: list(wrapped())) for _ in range(20)))


@case("fifty programs run eight at a time")
async def _() -> None:
    barrier = threading.Barrier(50)
    wrapped = streamify(lambda: barrier.wait(20) >= 0)
    assert await asyncio.gather(*(gather(wrapped()) for _ in range(50))) == [[True]] * 50


@case("a run goes on after its reader broke off")
async def _() -> None:
    with provided(Answer(chunks=["[[ ## answer ## ]]\n", *["word "] * 30], options={"stall": 20})) as provider:
        stream = listen(PREDICT)(question="?")
        async for _ in stream:
            break
        await asyncio.to_thread(provider.wait_for, lambda: provider.requests[0].disconnected.is_set())
        with pytest.raises(FieldstreamError, match="left"):
            await gather(stream)


@case("a program that returns a string hangs")
async def _() -> None:
    assert await asyncio.wait_for(gather(streamify(lambda: "a string")()), 20) == ["a string"]


@case("other adapters fail")
async def _() -> None:
    class Custom(dspy.ChatAdapter):
        def parse(self, signature: Any, completion: str) -> dict[str, Any]:
            return {"answer": completion.upper()}

    for adapter, answer, found in [
        (Custom(), "loud", "LOUD"),
        (BAMLAdapter(), json.dumps({"answer": "baml"}), "baml"),
    ]:
        with provided(answer, adapter=adapter):
            values = await gather(listen(PREDICT)(question="?"))
        assert text(values) == values[-1].answer == found


@case("an adapter set inside of the program is not seen")
async def _() -> None:
    def work(predict: Any) -> Any:
        with dspy.context(adapter=ADAPTERS["xml"]):
            return predict(question="?")

    with provided(Answer(chunks=["<answer>", "one ", "two", "</answer>"])):
        values = await gather(listen(Own(work))())
    assert text(values) == values[-1].answer == "one two"
    assert len(chunks(values)) >= 2


@case("the context of the call is ignored")
async def _() -> None:
    with provided(answers=echo):
        stream = listen(PREDICT)(question="a")
        with dspy.context(lm=None):
            assert text(await gather(stream)) == "you said a"


@case("a synchronous predictor in an async program")
async def _() -> None:
    async def work(predict: Any) -> Any:
        here = predict(question="a").answer
        return here, (await asyncio.to_thread(predict, question="b")).answer

    with provided(answers=echo):
        values = await gather(listen(Own(work), is_async_program=True)())
    assert values[-1] == ("you said a", "you said b")
    assert text(values) == "you said ayou said b"


@case("an abandoned synchronous stream goes on")
async def _() -> None:
    ended = threading.Event()

    async def source() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0)
        finally:
            ended.set()

    stream = apply_sync_streaming(source())
    next(stream)
    del stream
    assert await asyncio.to_thread(ended.wait, 20)


@case("coroutines of a provider, and status values as events, are errors")
async def _() -> None:
    class Provider(StatusMessageProvider):
        async def module_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
            return "begun"

    with provided(answers=echo):
        stream = streamify(PREDICT, Provider())(question="a")
        events = [event async for event in streaming_response(stream)]
    assert 'data: {"status":"begun"}\n\n' in events


@case("callbacks configured later are not called")
async def _() -> None:
    heard: list[str] = []

    class Callback(dspy.utils.BaseCallback):
        def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
            heard.append(type(instance).__name__)

    wrapped = listen(PREDICT)
    with provided(answers=echo), dspy.context(callbacks=[Callback()]):
        await gather(wrapped(question="a"))
    assert heard == ["Predict"]


@case("a module as a listener's predictor never fires, and an unknown field says nothing")
async def _() -> None:
    program = dspy.ChainOfThought("question -> answer")
    with provided(chat(reasoning="r", answer="heard")):
        values = await gather(
            streamify(program, stream_listeners=[StreamListener("answer", predict=program)])(question="?")
        )
    assert text(values) == "heard"
    assert len(responses(values)) > 0
    with pytest.raises(ValueError, match=r"'answr'.*reasoning \(predict\), answer \(predict\)"):
        streamify(program, stream_listeners=[StreamListener("answr")])


@pytest.mark.parametrize("title", CASES)
async def test_ours_does_not_do_that(title: str) -> None:
    await CASES[title]()
