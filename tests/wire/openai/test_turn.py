"""What holds for both of OpenAI's protocols: what cannot be withdrawn, what waits, and how it ends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import Event, Failure, RunEnded
from fieldstream.wire.openai.chat import ChatCompletions
from fieldstream.wire.openai.responses import Responses
from fieldstream.wire.openai.turn import OpenAITurn
from fieldstream.wire.view import ChatView
from tests.wire.chat import START, call, chose, end, ended, field, over, reset, text, thought, view
from tests.wire.openai.reading import completion, content, fed, frames, response_events
from tests.wire.runs import proper_runs

BOTH: list[type[OpenAITurn]] = [ChatCompletions, Responses]
both = pytest.mark.parametrize("made", BOTH)


def turn(made: type[OpenAITurn], shown_as: ChatView | None = None, **options: Any) -> OpenAITurn:
    return made(shown_as or view("answer", "reasoning"), model="qa", created=1, **options)


def sent(said: bytes) -> str:
    """The text as one has it who joins deltas, of either protocol, whatever the end."""
    text = ""
    for frame in frames(said):
        for choice in (frame or {}).get("choices", ()):
            text += choice["delta"].get("content") or ""
        if (frame or {}).get("type") == "response.output_text.delta":
            text += frame["delta"]
    return text


def whole(told: OpenAITurn) -> str:
    """The text of the answer that is not streamed."""
    assert told.answer is not None
    if "choices" in told.answer:
        return completion(told.answer).choices[0].message.content or ""
    return "".join(part["text"] for item in told.answer["output"] for part in item.get("content", ()))


def written(*answers: str) -> list[Event]:
    """One call that writes an answer, and after a reset each of the others."""
    events = [START, call("c"), field("c")]
    for number, answer in enumerate(answers):
        events += [reset("c")] if number else []
        events += [text("c", letter) for letter in answer]
    return [*events, ended("c"), end("c", answer=answers[-1]), over({"answer": answers[-1]})]


def attempts(*answers: str, chosen: int) -> list[Event]:
    events = [START, call("best", "BestOfN", kind="module")]
    for number, answer in enumerate(answers):
        events += [call(f"a{number}", "m", kind="module", parent="best", attempt=number + 1)]
        events += [call(f"p{number}", parent=f"a{number}"), field(f"p{number}"), text(f"p{number}", answer)]
        events += [ended(f"p{number}"), end(f"p{number}", answer=answer), end(f"a{number}")]
    return [*events, chose("best", f"a{chosen}"), over({"answer": answers[chosen]})]


@both
@pytest.mark.parametrize("at_once", [False, True])
def test_text_that_comes_again_goes_on(made: type[OpenAITurn], at_once: bool) -> None:
    told = turn(made)
    said = fed(told, written("Because", "Because of air"), at_once=at_once)
    assert sent(said) == whole(told) == "Because of air"
    assert told.problem is None


@both
@pytest.mark.parametrize("answers", [("Because", "Best"), ("Because", "Be"), ("Because", "")])
def test_text_that_does_not_hold_ends_with_an_error(made: type[OpenAITurn], answers: tuple[str, ...]) -> None:
    told = turn(made)
    said = fed(told, written(*answers))
    assert told.problem is not None
    assert told.problem.code == "text_withdrawn"
    assert told.answer is None
    assert "Because".startswith(sent(said))
    assert said.count(b"text that was sent") == 1, "one end"


@both
def test_what_the_program_returns_has_the_last_word(made: type[OpenAITurn]) -> None:
    events = [START, call("c"), field("c"), text("c", "Because"), ended("c"), end("c", answer="Because")]
    more = turn(made)
    assert sent(fed(more, [*events, over({"answer": "Because!"})])) == whole(more) == "Because!"
    other = turn(made)
    fed(other, [*events, over({"answer": "Never"})])
    assert other.problem is not None
    alone = turn(made)
    assert sent(fed(alone, [START, over("a function's")])) == whole(alone) == "a function's"


@both
@pytest.mark.parametrize("chosen", [0, 1, 2])
def test_attempts_are_told_when_one_is_chosen(made: type[OpenAITurn], chosen: int) -> None:
    told = turn(made)
    answers = ("one", "two", "three")
    assert sent(fed(told, attempts(*answers, chosen=chosen))) == whole(told) == answers[chosen]


@both
def test_text_after_attempts_follows_them(made: type[OpenAITurn]) -> None:
    events = [*attempts("one", "two", chosen=1)[:-1], call("c"), field("c"), text("c", "!"), ended("c")]
    told = turn(made)
    assert sent(fed(told, [*events, end("c", answer="!"), over({"answer": "two!"})])) == whole(told) == "two!"


@both
def test_hold_sends_what_is_final(made: type[OpenAITurn]) -> None:
    events = written("Because", "Best", "Never")
    held = turn(made, hold=True)
    before = fed(held, events[:-1])
    assert sent(before) == ""
    assert sent(before + held.feed(events[-1:])) == whole(held) == "Never"


@both
@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
def test_a_run_that_does_not_complete_has_no_answer(made: type[OpenAITurn], outcome: str) -> None:
    told = turn(made)
    error = Failure(kind="error", message="error id 1a2b")
    said = fed(told, [*written("Because")[:-1], over(outcome=outcome, error=error)])
    assert sent(said) == "Because"
    assert told.answer is None
    assert told.problem == ("program_failed" if outcome == "failed" else "cancelled", "error id 1a2b")
    assert b"error id 1a2b" in said


@both
def test_nothing_follows_an_error(made: type[OpenAITurn]) -> None:
    told = turn(made)
    events = [*written("Because", "Best")[:-2], call("t", "look", kind="tool", arguments={"word": "sky"})]
    fed(told, events)
    assert told.problem is not None
    assert fed(told, [end("t"), end("c", answer="Best"), over({"answer": "Best"})]) == b""


@both
def test_reasoning_that_was_withdrawn_is_not_in_the_answer(made: type[OpenAITurn]) -> None:
    events = [START, call("c"), call("l", "gpt", kind="lm", parent="c"), thought("l", "Hm"), field("c")]
    events += [reset("c"), thought("l", "Oh"), text("c", "No"), end("l"), end("c", answer="No"), over({"answer": "No"})]
    told = turn(made)
    said = fed(told, events)
    assert b"Hm" in said
    assert b"Oh" in said
    assert told.answer is not None
    assert "Hm" not in str(told.answer)
    assert "Oh" in str(told.answer)


ASKED = {"tool_calls": [{"name": "look", "args": {"word": "sky"}}, {"id": "mine", "name": "go", "args": {}}]}


@both
@pytest.mark.parametrize("output", ["answer", "calls"])
def test_calls_that_are_the_clients(made: type[OpenAITurn], output: str) -> None:
    events = [START, call("t", "own", kind="tool", arguments={}), end("t"), over({"answer": "So", "calls": ASKED})]
    told = turn(made, view(output), calls=frozenset({"calls"}))
    said = fed(told, events)
    assert sent(said) == ("So" if output == "answer" else "")
    assert [(each.name, each.arguments) for each in told.client_calls()] == [("look", '{"word": "sky"}'), ("go", "{}")]
    if made is ChatCompletions:
        choice = completion(told.answer).choices[0]
        assert choice.finish_reason == "tool_calls"
        calls = choice.message.tool_calls
        assert calls is not None
        assert [each.id for each in calls] == ["call_r_0", "mine"]
        assert b'"own"' not in said, "the client would run it"


TEXT = st.text(max_size=5)
ENDS = {"response.completed", "response.failed", "response.incomplete"}


@given(
    st.lists(st.lists(TEXT, max_size=5), min_size=1, max_size=3), st.booleans(), st.booleans(), st.sampled_from(BOTH)
)
def test_what_is_sent_is_the_answer_or_there_is_an_error(
    tries: list[list[str]], hold: bool, at_once: bool, made: type[OpenAITurn]
) -> None:
    told = turn(made, hold=hold)
    events = [START, call("c"), field("c")]
    for number, pieces in enumerate(tries):
        events += [reset("c")] if number else []
        events += [text("c", piece) for piece in pieces if piece]
    answer = "".join(tries[-1])
    said = fed(told, [*events, ended("c"), end("c", answer=answer), over({"answer": answer})], at_once=at_once)
    if told.problem is None:
        assert sent(said) == whole(told) == answer
        assert content(said) == answer if made is ChatCompletions else response_events(said)
    else:
        assert not hold
        assert len(tries) > 1


@given(proper_runs(), st.lists(st.integers(1, 9)), st.booleans(), st.sampled_from(BOTH))
def test_whatever_a_program_does_clients_can_read_it(
    events: list[Event], sizes: list[int], hold: bool, made: type[OpenAITurn]
) -> None:
    told = turn(made, hold=hold)
    once = turn(made, hold=True)
    once.feed(events)
    waiting, said = list(events), b""
    while waiting:
        size = sizes.pop() if sizes else 1
        said += told.feed(waiting[:size])
        waiting = waiting[size:]
    ended = events[-1]
    assert isinstance(ended, RunEnded)
    if made is Responses:
        types = [each.type for each in response_events(said)]
        assert [each for each in types if each in ENDS] == types[-1:]
    if ended.outcome != "completed":
        assert told.answer is None
        assert once.answer is None
    elif told.problem is None:
        assert sent(said) == whole(told) == whole(once)
        assert made is Responses or content(said) == whole(once)
    else:
        assert not hold
        assert told.problem.code == "text_withdrawn"
    assert told.feed(events) == b""
