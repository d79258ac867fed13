"""Which field a listener means, and which calls of it it hears."""

import asyncio
from typing import Any

import dspy
import pytest

from fieldstream import StreamListener, streamify
from fieldstream.simulator import ChatRequest
from tests.streamify.helpers import chat, check_ends, gather, provided, responses, text


class Writer(dspy.Module):
    def __init__(self) -> None:
        self.draft = dspy.Predict("question -> text")
        self.think = dspy.ChainOfThought("text -> answer")
        self.polish = dspy.Predict("text -> text_out: str, score: int")

    def forward(self, question: str) -> dspy.Prediction:
        return self.polish(text=self.think(text=self.draft(question=question).text).answer)


class Both(dspy.Module):
    def __init__(self) -> None:
        self.one = dspy.Predict("question -> answer")
        self.two = dspy.Predict("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        self.one(question=question)
        return self.two(question=question)


class Loop(dspy.Module):
    def __init__(self) -> None:
        self.predict = dspy.Predict("question -> answer")

    def forward(self, question: str, times: int = 3) -> str:
        return " ".join(self.predict(question=f"{question} {number}").answer for number in range(times))


def echo(request: ChatRequest) -> str:
    """Answers with the question."""
    question = request.text("user").split("[[ ## question ## ]]\n")[1].split("\n")[0]
    return chat(answer=f"you said {question}")


class TestNamed:
    async def heard(self, program: Any, *listeners: StreamListener, answers: list[str] | None = None) -> Any:
        with provided(*(answers or [])):
            values = await gather(streamify(program, stream_listeners=list(listeners))(question="?"))
        check_ends(values)
        return {(r.predict_name, r.signature_field_name) for r in responses(values)}

    async def test_by_its_field_alone(self) -> None:
        assert await self.heard(Writer(), StreamListener("answer")) == {("think.predict", "answer")}

    async def test_by_its_predictor(self) -> None:
        program = Both()
        assert await self.heard(program, StreamListener("answer", predict=program.two)) == {("two", "answer")}

    async def test_by_a_module_that_holds_just_one_predictor(self) -> None:
        program = Writer()
        listener = StreamListener("reasoning", predict=program.think)
        assert await self.heard(program, listener) == {("think.predict", "reasoning")}

    async def test_by_the_whole_program_where_it_holds_just_one(self) -> None:
        program = dspy.ChainOfThought("question -> answer")
        assert await self.heard(program, StreamListener("answer", predict=program)) == {("predict", "answer")}

    async def test_by_its_predictors_path(self) -> None:
        assert await self.heard(Both(), StreamListener("answer", predict_name="one")) == {("one", "answer")}

    async def test_both_of_one_name(self) -> None:
        listeners = [StreamListener("answer", predict_name=name) for name in ("one", "two")]
        assert await self.heard(Both(), *listeners) == {("one", "answer"), ("two", "answer")}

    async def test_a_bare_predictor_is_self(self) -> None:
        program = dspy.Predict("question -> answer")
        assert await self.heard(program, StreamListener("answer", predict_name="self")) == {("self", "answer")}

    async def test_one_field_by_two_listeners_comes_once(self) -> None:
        with provided(chat(answer="once")):
            listeners = [StreamListener("answer"), StreamListener("answer")]
            values = await gather(
                streamify(dspy.Predict("question -> answer"), stream_listeners=listeners)(question="?")
            )
        assert text(values) == "once"


class TestMistakes:
    @pytest.mark.parametrize(
        ("listener", "said"),
        [
            (StreamListener("answr"), ["'answr'", "text (draft)", "answer (think.predict)", "score (polish)"]),
            (StreamListener("answer", predict_name="thnk"), ["'thnk'", "draft", "think.predict", "polish"]),
            (StreamListener("answr", predict_name="think.predict"), ["'answr'", "reasoning, answer"]),
            (StreamListener("answer", predict=dspy.Predict("a -> answer")), ["not part of Writer", "think.predict"]),
            (StreamListener("answer", predict=Writer()), ["just one", "draft", "think.predict", "polish"]),
        ],
        ids=["no such field", "no such path", "not its field", "not of the program", "several predictors"],
    )
    def test_what_fits_nothing_is_a_value_error_that_lists_what_there_is(
        self, listener: StreamListener, said: list[str]
    ) -> None:
        with pytest.raises(ValueError, match=r"\w") as caught:
            streamify(Writer(), stream_listeners=[listener])
        assert all(part in str(caught.value) for part in said), caught.value

    def test_what_fits_several_is_a_value_error_that_lists_them(self) -> None:
        with pytest.raises(ValueError, match="predict_name: 'one' or 'two'"):
            streamify(Both(), stream_listeners=[StreamListener("answer")])

    def test_a_field_that_its_predictor_lacks_is_a_value_error(self) -> None:
        program = Both()
        with pytest.raises(ValueError, match="'one' has no output field 'score'; it has: answer"):
            streamify(program, stream_listeners=[StreamListener("score", predict=program.one)])


class TestReuse:
    @pytest.mark.parametrize(("reuse", "calls"), [(True, 3), (False, 1)])
    async def test_a_loop(self, reuse: bool, calls: int) -> None:
        listener = StreamListener("answer", allow_reuse=reuse)
        wrapped = streamify(Loop(), stream_listeners=[listener])
        with provided(answers=echo):
            for _ in range(2):  # a run does not use a listener up
                values = await gather(wrapped(question="a"))
                texts = {}
                for response in responses(values):
                    texts[response.call_id] = texts.get(response.call_id, "") + response.chunk
                assert list(texts.values()) == [f"you said a {number}" for number in range(calls)]
                check_ends(values)

    @pytest.mark.parametrize(("reuse", "calls"), [(True, 3), (False, 1)])
    async def test_react(self, reuse: bool, calls: int) -> None:
        def search(query: str) -> str:
            """Search."""
            return f"found {query}"

        react: Any = dspy.ReAct
        program = react("question -> answer", tools=[search])
        listeners = [StreamListener("next_thought", allow_reuse=reuse), StreamListener("answer")]
        with provided(steps=2):
            values = await gather(streamify(program, stream_listeners=listeners)(question="?"))
        assert len({r.call_id for r in responses(values, "next_thought")}) == calls
        assert {r.predict_name for r in responses(values, "answer")} == {"extract.predict"}
        assert text(values, "answer") == values[-1].answer
        check_ends(values)

    async def test_of_concurrent_calls_each_has_its_id(self) -> None:
        class Fan(dspy.Module):
            def __init__(self) -> None:
                self.predict = dspy.Predict("question -> answer")

            async def aforward(self, question: str) -> list[str]:
                found = await asyncio.gather(*(self.predict.acall(question=f"{question} {n}") for n in range(8)))
                return [each.answer for each in found]

        listener = StreamListener("answer", allow_reuse=True)
        wrapped = streamify(Fan(), stream_listeners=[listener], is_async_program=True)
        with provided(answers=echo):
            *values, last = await gather(wrapped(question="b"))
        by_call = {r.call_id: text(v for v in values if v.call_id == r.call_id) for r in responses(values)}
        assert sorted(by_call.values()) == sorted(last) == [f"you said b {n}" for n in range(8)]
        check_ends(values)


LISTENER = StreamListener("answer", allow_reuse=True)


async def test_one_listener_serves_two_programs_and_many_runs_at_once() -> None:
    wrapped = [
        streamify(program, stream_listeners=[LISTENER]) for program in (Loop(), dspy.Predict("question -> answer"))
    ]
    before = dict(vars(LISTENER))
    with provided(answers=echo):
        runs = [gather(wrapped[number % 2](question=f"q{number}")) for number in range(20)]
        for number, values in enumerate(await asyncio.gather(*runs)):
            assert {r.chunk and f"q{number}" in text(values) for r in responses(values)} <= {True, ""}
            assert f"you said q{number}" in text(values)
            check_ends(values)
    assert vars(LISTENER) == before


class TestCopies:
    async def test_best_of_n(self) -> None:
        program = dspy.BestOfN(
            module=dspy.ChainOfThought("question -> answer"), N=2, reward_fn=lambda args, pred: 0.0, threshold=1.0
        )
        listener = StreamListener("answer", allow_reuse=True)
        with provided(chat(reasoning="r", answer="one"), chat(reasoning="r", answer="two")):
            values = await gather(streamify(program, stream_listeners=[listener])(question="?"))
        assert text(values) == "onetwo"
        assert len({r.predict_name for r in responses(values)}) == 1
        check_ends(values)

    async def test_a_copy_made_in_the_program(self) -> None:
        class Copying(Loop):
            def forward(self, question: str, times: int = 1) -> str:
                return self.deepcopy().predict(question=question).answer

        with provided(answers=echo):
            values = await gather(streamify(Copying(), stream_listeners=[StreamListener("answer")])(question="c"))
        assert text(values) == values[-1] == "you said c"


class TestFunctions:
    predict = dspy.Predict("question -> answer, why")

    def program(self, question: str) -> str:
        self.predict(question=question)
        return self.predict(question=question).answer

    answers = (chat(answer="one", why="w1"), chat(answer="two", why="w2"))

    @pytest.mark.parametrize(("reuse", "said"), [(True, "onetwo"), (False, "one")])
    @pytest.mark.parametrize("how", ["field", "predict"])
    async def test_a_functions_field(self, how: str, reuse: bool, said: str) -> None:
        predict = self.predict if how == "predict" else None
        listeners = [StreamListener(name, predict=predict, allow_reuse=reuse) for name in ("answer", "why")]
        with provided(*self.answers):
            values = await gather(streamify(self.program, stream_listeners=listeners)(question="?"))
        assert text(values, "answer") == said
        assert text(values, "why").startswith("w1")
        assert len({r.predict_name for r in responses(values)}) == 1
        check_ends(values)

    async def test_an_async_function(self) -> None:
        async def program(question: str) -> str:
            return (await self.predict.acall(question=question)).answer

        with provided(*self.answers):
            values = await gather(streamify(program, stream_listeners=[StreamListener("answer")])(question="?"))
        assert text(values) == values[-1] == "one"


async def test_a_predictor_of_a_compiled_part() -> None:
    program = Writer()
    program.think._compiled = True  # What is compiled, DSPy's own list of predictors leaves out.
    wrapped = streamify(program, stream_listeners=[StreamListener("answer", predict=program.think)])
    with provided(answers=[chat(text="a"), chat(reasoning="r", answer="heard"), chat(text_out="b", score="1")]):
        values = await gather(wrapped(question="?"))
    assert text(values) == "heard"
