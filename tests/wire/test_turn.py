"""What all chat protocols share: what is told as what, in which order, what is taken back, and how it ends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.events import CallEnded, Custom, Event, Failure, FieldSnapshot, RunSnapshot, Status
from fieldstream.wire.json import encode
from fieldstream.wire.view import ChatView
from tests.wire.chat import (
    START,
    Lines,
    call,
    chose,
    end,
    ended,
    event,
    field,
    over,
    reset,
    text,
    thought,
    value,
    view,
)


def lines(events: list[Event], shown_as: ChatView | None = None, *, at_once: bool = False) -> list[str]:
    turn = Lines(shown_as or view())
    said = turn.feed(events) if at_once else b"".join([turn.feed([each]) for each in events])
    return said.decode().splitlines()


def test_a_text_is_told_as_it_comes() -> None:
    events = [START, call("c"), field("c"), text("c", "Be"), text("c", "cause"), ended("c"), end("c", answer="Because")]
    assert lines([*events, over({"answer": "Because"}, usage={"m": {"tokens": 3}})]) == [
        "start r",
        "+text c.answer",
        'text c.answer ["Be"]',
        'text c.answer ["cause"]',
        "-text c.answer",
        'finished {"m":{"tokens":3}}',
    ]


def test_one_text_comes_after_the_other() -> None:
    events = [
        *(call("a"), field("a"), call("b"), field("b")),
        *(text("a", "1"), text("b", "x"), text("a", "2"), text("b", "y"), end("b", answer="xy")),
        *(text("a", "3"), end("a", answer="123"), over({})),
    ]
    assert lines(events)[1:] == [
        "+text a.answer",
        'text a.answer ["1"]',
        'text a.answer ["2"]',
        'text a.answer ["3"]',
        "-text a.answer",
        "+text b.answer",
        'text b.answer ["xy"]',
        "-text b.answer",
        "finished {}",
    ]


def test_reasoning_ends_before_the_text_begins() -> None:
    events = [
        *(call("c"), field("c", "reasoning"), text("c", "Hm", "reasoning"), ended("c", "reasoning")),
        *(field("c"), text("c", "So"), ended("c"), end("c", reasoning="Hm", answer="So")),
        over({"reasoning": "Hm", "answer": "So"}),
    ]
    assert lines(events, view("answer", "reasoning"))[1:] == [
        "+reasoning c.reasoning",
        'reasoning c.reasoning ["Hm"]',
        "-reasoning c.reasoning",
        "+text c.answer",
        'text c.answer ["So"]',
        "-text c.answer",
        "finished {}",
    ]


def test_what_an_lm_thinks_is_reasoning() -> None:
    events = [
        *(call("c"), call("l", "gpt", kind="lm", parent="c"), thought("l", "Hm"), field("c"), text("c", "So")),
        *(end("l"), end("c", answer="So"), over({"answer": "So"})),
    ]
    assert lines(events)[1:3] == ["+reasoning l", 'reasoning l ["Hm"]']
    assert lines(events)[-3:] == ["-reasoning l", "-text c.answer", "finished {}"]


def test_what_an_lm_thought_goes_with_what_it_said() -> None:
    events = [
        *(call("c"), call("l", "gpt", kind="lm", parent="c"), thought("l", "Hm"), field("c"), text("c", "So")),
        *(reset("c"), thought("l", "Oh"), text("c", "No"), end("l"), end("c", answer="No"), over({"answer": "No"})),
    ]
    assert lines(events)[5:] == [
        "withdrawn retry c.answer l",
        "+reasoning l.2",
        'reasoning l.2 ["Oh"]',
        "+text c.answer.2",
        'text c.answer.2 ["No"]',
        "-reasoning l.2",
        "-text c.answer.2",
        "finished {}",
    ]


def test_what_is_reset_is_withdrawn_and_told_anew() -> None:
    events = [
        *(call("c"), field("c", "reasoning"), text("c", "Hm", "reasoning"), ended("c", "reasoning"), field("c")),
        *(text("c", "So"), reset("c", "retry", "reasoning"), reset("c"), text("c", "Oh", "reasoning")),
        *(ended("c", "reasoning"), text("c", "No"), end("c", reasoning="Oh", answer="No"), over({"answer": "No"})),
    ]
    said = lines(events, view("answer", "reasoning"), at_once=True)
    assert said[6:] == [
        "withdrawn retry c.reasoning c.answer",  # both at once
        "+reasoning c.reasoning.2",
        'reasoning c.reasoning.2 ["Oh"]',
        "-reasoning c.reasoning.2",
        "+text c.answer.2",
        'text c.answer.2 ["No"]',
        "-text c.answer.2",
        "finished {}",
    ]


def test_what_stands_is_no_longer_than_what_was_told() -> None:
    events = [call("c"), field("c", "reasoning"), text("c", "Hm", "reasoning"), field("c"), text("c", "So")]
    events += [reset("c", "repair", "reasoning"), text("c", ", no"), end("c", reasoning="", answer="So, no")]
    said = lines([*events, over({"answer": "So, no"})], view("answer", "reasoning"), at_once=True)
    assert said[4:7] == ['text c.answer ["So"]', "withdrawn repair c.reasoning", 'text c.answer [", no"]']


def test_what_was_not_told_need_not_be_withdrawn() -> None:
    events = [call("a"), field("a"), text("a", "1"), call("b"), field("b"), text("b", "x"), reset("b"), text("b", "y")]
    said = lines([*events, end("b", answer="y"), end("a", answer="1"), over({})])
    assert "withdrawn" not in " ".join(said)
    assert 'text b.answer ["y"]' in said


def attempts(chosen: str) -> list[Event]:
    events = [call("best", "BestOfN", kind="module")]
    for number, said in enumerate(["one", "two", "three"], 1):
        attempt, predictor = f"a{number}", f"p{number}"
        events += [
            call(attempt, "m", kind="module", parent="best", attempt=number),
            call(predictor, parent=attempt),
            *(
                field(predictor, "sources", kind="data"),
                value(predictor, [said], "sources"),
                ended(predictor, "sources"),
            ),
            *(field(predictor), text(predictor, said), ended(predictor), end(predictor, answer=said, sources=[said])),
            end(attempt),
        ]
    says = {"a1": "one", "a2": "two", "a3": "three"}[chosen]
    return [*events, chose("best", chosen), over({"answer": says, "sources": [says]})]


@pytest.mark.parametrize("chosen", ["a1", "a2", "a3"])
def test_a_discarded_attempt_is_withdrawn(chosen: str) -> None:
    turn = Lines(view())
    said = turn.feed(attempts(chosen)).decode().splitlines()
    assert [line for line in said if line.startswith("withdrawn")] == [
        "withdrawn rerun p1.sources p1.answer",
        "withdrawn rerun p2.sources p2.answer",
        *([] if chosen == "a3" else ["withdrawn rerun p3.sources p3.answer"]),
    ]
    assert turn.said == {"a1": "one", "a2": "two", "a3": "three"}[chosen]
    assert len(turn.has) == 2
    assert not turn.open


def test_data_is_told_when_it_has_grown_and_in_the_end() -> None:
    events = [call("c"), field("c", "sources", kind="data"), value("c", [], "sources")]
    events += [value("c", "", "sources", path=(0,)), *(text("c", "x", "sources", path=(0,)) for _ in range(40))]
    said = lines([*events, ended("c", "sources"), end("c", sources=["x" * 40]), over({"sources": ["x" * 40]})])
    data = [line for line in said if line.startswith("data")]
    assert data[0] == "data c.sources []"
    assert data[-1] == f'data! c.sources ["{"x" * 40}"]'
    assert len(data) < 8


def test_what_was_withdrawn_before_it_was_told_is_not_told() -> None:
    events = [call("c"), field("c", "n", kind="data"), value("c", 1, "n"), reset("c", "retry", "n"), value("c", 2, "n")]
    assert lines(events, at_once=True) == ["start r", "data c.n 2"]


def test_a_corrected_value_is_told() -> None:
    events = [call("c"), field("c", "n", kind="data"), value("c", 1, "n"), value("c", 2, "n"), ended("c", "n")]
    events += [reset("c", "repair", "n"), value("c", 3, "n"), end("c", n=3), over({"n": 3})]
    assert lines(events)[1:] == [
        *("data c.n 1", "data! c.n 2", "withdrawn repair c.n", "data c.n 3", "data! c.n 3", "finished {}"),
    ]


def test_other_candidates_are_data() -> None:
    events = [call("c"), field("c"), text("c", "A"), field("c", candidate=1), text("c", "B", candidate=1)]
    events += [ended("c"), ended("c", candidate=1), end("c", answer="A"), over({"answer": "A"})]
    assert lines(events)[1:] == [
        *("+text c.answer", 'text c.answer ["A"]', "data c.answer:1 B", "data! c.answer:1 B", "-text c.answer"),
        "finished {}",
    ]


def test_an_output_that_is_no_text_is_told_as_json() -> None:
    events = [call("c"), field("c", kind="data"), value("c", [], "answer"), value("c", 1, "answer", path=(0,))]
    assert lines([*events, ended("c"), end("c", answer=[1]), over({"answer": [1]})])[1:] == [
        *("+text c.answer", 'text c.answer ["[1]"]', "-text c.answer", "finished {}"),
    ]


@pytest.mark.parametrize(
    ("output", "result", "said"),
    [
        ("answer", "plain", "plain"),
        (None, "plain", "plain"),
        (None, {"a": 1}, '{"a": 1}'),
        ("answer", {"answer": "whole"}, "whole"),
        ("answer", {"answer": {"deep": ["é"]}}, '{"deep": ["é"]}'),
        ("answer", {"other": 1}, '{"other": 1}'),
        ("answer", {"answer": None}, ""),
        ("answer", {}, ""),
        (None, None, ""),
    ],
)
def test_what_nobody_wrote_is_told_from_the_result(output: str | None, result: Any, said: str) -> None:
    turn = Lines(view(output))
    turn.feed([START, over(result)])
    assert turn.said == said


def test_the_result_has_the_last_word() -> None:
    events = [call("c"), field("c"), text("c", "draft"), ended("c"), end("c", answer="draft")]
    assert lines([*events, over({"answer": "FINAL"})])[4:] == [
        *("withdrawn repair c.answer", "+text result.answer", 'text result.answer ["FINAL"]', "-text result.answer"),
        "finished {}",
    ]


def test_of_several_texts_the_one_that_is_returned_stays() -> None:
    events = [e for n in "abc" for e in (call(n), field(n), text(n, f"by {n}"), ended(n), end(n, answer=f"by {n}"))]
    assert lines([*events, over({"answer": "by b"})])[-2:] == ["withdrawn repair a.answer c.answer", "finished {}"]


def test_where_nothing_can_be_withdrawn_a_result_adds_to_the_text() -> None:
    turn = Lines(view())
    turn.can_withdraw = False
    events = [call("c"), field("c"), text("c", "Because"), ended("c"), end("c", answer="Because")]
    said = turn.feed([*events, over({"answer": "Because."})]).decode().splitlines()
    assert said[4:] == ["+text result.answer", 'text result.answer ["."]', "-text result.answer", "finished {}"]


def test_what_else_is_returned_is_data() -> None:
    events = [call("c"), field("c", "n", kind="data"), value("c", 1, "n"), ended("c", "n"), end("c", n=1)]
    said = lines([*events, over({"answer": "A", "n": 2, "more": [3]})])
    assert said[-3:] == ["data! c.n 2", "data! result.more [3]", "finished {}"]


def test_tools() -> None:
    events = [
        *(call("t", "search", kind="tool", arguments={"q": "x"}), call("u", "fetch", kind="tool")),
        event(CallEnded, call="t", seconds=0.1, result=["hit"]),
        event(CallEnded, call="u", seconds=0.1, error=Failure(kind="ValueError", message="no")),
        *(call("v", "slow", kind="tool"), over({})),
    ]
    assert lines(events)[1:] == [
        '+tool t search {"q":"x"}',
        "+tool u fetch null",
        '-tool t ["hit"]',
        "-tool u no",
        "+tool v slow null",
        "-tool v the run ended before the tool did",
        "finished {}",
    ]


def test_messages() -> None:
    events = [event(Status, message="Working"), event(Custom, name="step", value=1), event(Custom, value={"a": 2})]
    assert lines(events) == ["start r", "status Working", "custom step 1", 'custom  {"a":2}']


@pytest.mark.parametrize(
    ("outcome", "error", "last"),
    [
        ("failed", Failure(kind="ValueError", message="no"), "failed ValueError"),
        ("failed", None, "failed error"),
        ("cancelled", Failure(kind="cancelled", message="so"), "cancelled cancelled"),
        ("cancelled", None, "cancelled "),
    ],
)
def test_what_is_open_is_closed_before_any_end(outcome: str, error: Failure | None, last: str) -> None:
    turn = Lines(view("answer", "reasoning"))
    events = [call("c"), field("c", "reasoning"), text("c", "Hm", "reasoning"), field("c"), text("c", "So")]
    events += [call("t", "tool", kind="tool"), field("c", "n", kind="data"), value("c", [], "n")]
    said = turn.feed([*events, over(outcome=outcome, error=error)]).decode().splitlines()
    assert said[-1] == last
    assert not turn.open
    assert said[-2].startswith("-tool")
    assert turn.said == "So"


def test_nothing_follows_the_end() -> None:
    turn = Lines(view())
    turn.feed([over({})])
    assert turn.feed([over({}), event(Status, message="late")]) == b""


def test_a_snapshot_counts_as_shown_now() -> None:
    snapshot = event(
        RunSnapshot,
        run="r",
        program="P",
        calls=[call("c"), call("t", "search", kind="tool"), call("d")],
        fields=[
            FieldSnapshot(call="c", field="answer", kind="text", value="done", ended=True),
            FieldSnapshot(call="d", field="n", kind="data", value=[1]),
            FieldSnapshot(call="d", field="answer", kind="text", value="Be"),
        ],
        ended=[event(CallEnded, call="t", seconds=0.0, result=1), end("c", answer="done")],
    )
    events = [
        snapshot,
        value("d", 2, "n", path=(1,)),
        text("d", "cause"),
        ended("d"),
        end("d", answer="Because", n=[1, 2]),
    ]
    assert lines([*events, over({"answer": "Because", "n": [1, 2]})]) == [
        "start r",
        "+tool t search null",
        "+text c.answer",
        'text c.answer ["done"]',
        "-tool t 1",
        "-text c.answer",
        "+text d.answer",
        'text d.answer ["Be"]',
        "data d.n [1]",
        'text d.answer ["cause"]',
        "data! d.n [1,2]",
        "-text d.answer",
        "withdrawn repair c.answer",
        "finished {}",
    ]


# Whatever comes, in whatever order.

_IDS = st.sampled_from(["a", "b", "c"])
_NAMES = st.sampled_from(["answer", "reasoning", "n"])
_CANDIDATES = st.sampled_from([0, 0, 0, 1])
_PATHS = st.sampled_from([(), (), (0,), ("k",), (0, "k")])
# What encloses a call began before it.
_NESTED = st.sampled_from([("a", None), ("b", None), ("b", "a"), ("c", None), ("c", "a"), ("c", "b")])
_KINDS = st.sampled_from(["predictor", "tool", "lm", "module"])
_REASONS = st.sampled_from(["retry", "fallback", "repair"])
_ERRORS = st.none() | st.just(Failure(kind="E", message="m"))
_JSON = st.sampled_from([[], {}, 1, None, "s", [1, {"k": 2}], {"answer": "s"}])
_EVENTS = st.one_of(
    st.builds(lambda ids, kind: call(ids[0], kind=kind, parent=ids[1]), _NESTED, _KINDS),
    st.builds(lambda ids, n: call(ids[0], kind="module", parent=ids[1], attempt=n), _NESTED, st.integers(1, 2)),
    st.builds(field, _IDS, _NAMES, kind=st.sampled_from(["text", "data"]), candidate=_CANDIDATES),
    st.builds(text, _IDS, st.text(max_size=3), _NAMES, path=_PATHS, candidate=_CANDIDATES),
    st.builds(value, _IDS, _JSON, _NAMES, path=_PATHS, candidate=_CANDIDATES),
    st.builds(reset, _IDS, _REASONS, _NAMES, path=_PATHS),
    st.builds(ended, _IDS, _NAMES, candidate=_CANDIDATES),
    st.builds(thought, _IDS, st.text(max_size=3)),
    st.builds(end, _IDS, _ERRORS, answer=st.text(max_size=3), n=_JSON),
    st.builds(chose, _IDS, _IDS | st.none()),
    st.builds(lambda message: event(Status, message=message), st.text(max_size=3)),
)
_ENDS = st.builds(over, _JSON, st.sampled_from(["completed", "failed", "cancelled"]), _ERRORS)


@given(events=st.lists(_EVENTS, max_size=40), end=_ENDS, chunks=st.lists(st.integers(1, 7)))
def test_whatever_comes_there_is_one_end_and_all_is_closed(events: list[Event], end: Event, chunks: list[int]) -> None:
    turn = Lines(view("answer", "reasoning"))
    said: list[str] = []
    waiting = [*events, end, end]
    while waiting:
        size = chunks.pop() if chunks else 1
        said += turn.feed(waiting[:size]).decode("utf-8", "surrogatepass").split("\n")[:-1]
        waiting = waiting[size:]
    assert said[0] == "start r"
    assert [line.split()[0] for line in said if line.split()[0] in ("finished", "failed", "cancelled")] == [
        said[-1].split()[0]
    ]
    assert not turn.open
    assert len(turn.shown) == len(turn.has)


@st.composite
def _programs(draw: st.DrawFn) -> tuple[list[Event], str]:
    """A proper run of several calls of one field, at once or not, with resets; and what it returns."""
    texts = draw(st.lists(st.lists(st.text(min_size=1, max_size=4), max_size=4), min_size=1, max_size=4))
    writers: list[list[Event]] = []
    for number, pieces in enumerate(texts):
        id, events = f"c{number}", [call(f"c{number}"), field(f"c{number}")]
        if draw(st.booleans()):
            events += [text(id, "wrong"), reset(id, draw(_REASONS))]
        events += [text(id, piece) for piece in pieces]
        writers.append([*events, ended(id), end(id, answer="".join(pieces))])
    events = []
    while any(writers):
        writer = draw(st.sampled_from([each for each in writers if each]))
        events.append(writer.pop(0))
    finals = ["".join(pieces) for pieces in texts]
    result = draw(st.sampled_from([*finals, "".join(finals), "something else"]))
    return [START, *events, over({"answer": result})], result


@given(run=_programs(), chunk=st.integers(1, 9))
def test_what_stands_in_the_end_is_what_was_returned(run: tuple[list[Event], str], chunk: int) -> None:
    events, result = run
    turn = Lines(view())
    for at in range(0, len(events), chunk):
        turn.feed(events[at : at + chunk])
    assert turn.said == "".join(turn.has.values()) == result


@pytest.mark.parametrize("size", [1_000, 10_000, 50_000])
def test_the_bytes_of_data_are_linear_in_the_value(size: int) -> None:
    items = [f"item {number}" for number in range(size // 20)]
    events = [call("c"), field("c", "items", kind="data"), value("c", [], "items")]
    for number, item in enumerate(items):
        events += [value("c", "", "items", path=(number,)), *(text("c", c, "items", path=(number,)) for c in item)]
    events += [text("c", "x", "items", path=(len(items) - 1,)) for _ in range(size)]
    turn = Lines(view())
    sent = sum(len(turn.feed([each])) for each in events)
    assert sent < 8 * len(encode([*items, "x" * size]))
