"""Redaction on runs: whatever a reader sees, at whatever time, there is no secret in it."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from fieldstream.events import (
    CallEnded,
    CallStarted,
    Custom,
    Event,
    Failure,
    FieldDelta,
    FieldEnded,
    FieldReset,
    FieldSnapshot,
    FieldStarted,
    LmDelta,
    RunEnded,
    RunSnapshot,
    RunStarted,
    Status,
)
from fieldstream.transforms import Pipeline, Redact
from tests.support.order import check_order
from tests.support.values import apply, check_exact
from tests.transforms.runs import runs, through

SECRETS = [
    Redact("ab", "#"),
    Redact("a", ""),
    Redact(["abc", "ca"], "#"),
    Redact(re.compile("a+b"), "#"),
    Redact(re.compile(r"\bb\w*"), "#"),
    Redact(re.compile("(?m)^.+$"), "#"),
    Redact(re.compile("a.*?c", re.DOTALL), "#"),
    Redact(re.compile("ab(?! )"), "#"),
    Redact(re.compile("a.{0,3}b"), "#", longest=5),
    Redact(lambda text: text.replace("ab", "#"), "#"),
]
redactions = st.sampled_from(SECRETS)


def strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, item in value.items():
                yield from strings(key)
                yield from strings(item)
        case list() | tuple():
            for item in value:
                yield from strings(item)
        case Failure(message=message):
            yield message
        case _:
            pass


@given(runs(), redactions)
def test_what_comes_out_is_a_run_of_redacted_values(events: list[Event], redact: Redact) -> None:
    check_order(events)
    check_exact(events)
    out = through([redact], events)
    check_order(out)
    check_exact(out)
    ends = {event.call: event for event in events if isinstance(event, CallEnded)}
    for event in out:
        if isinstance(event, CallEnded) and event.fields is not None:
            before = ends[event.call].fields
            assert before is not None
            assert event.fields.keys() == before.keys()
            for name, value in event.fields.items():
                assert list(strings_of_values(value)) == [redact.text(text) for text in strings_of_values(before[name])]


def strings_of_values(value: Any) -> Iterator[str]:
    """Without the keys, which are told apart where they are redacted alike."""
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from strings_of_values(item)
        case list():
            for item in value:
                yield from strings_of_values(item)
        case _:
            pass


@given(runs(), st.sampled_from(SECRETS[:-1]))
def test_at_no_time_is_anything_shown_that_a_continuation_redacts(events: list[Event], redact: Redact) -> None:
    pipeline = Pipeline([redact])
    stage: Any = pipeline._stages[0]
    out: list[Event] = []
    raw: list[Event] = []
    for event in events:
        raw.append(event)
        pipeline.feed(event, 0.0)
        out += pipeline.advance(0.0)
        match event:
            case FieldDelta(text=str()):
                place = (event.call, event.candidate)
                whole = leaf(apply(raw)[place][event.field], event.path)
                shown = leaf(apply(out)[place][event.field], stage.place(event.path))
            case LmDelta():
                whole, shown = ("".join(of_lm(said, event)) for said in (raw, out))
            case _:
                continue
        for count in range(3):
            for letters in itertools.product("abc \n", repeat=count):
                assert redact.text(whole + "".join(letters)).startswith(shown)


def leaf(value: Any, path: tuple[Any, ...]) -> str:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError):
            return ""  # nothing of it is shown yet
    return value if isinstance(value, str) else ""


def of_lm(events: list[Event], delta: LmDelta) -> Iterator[str]:
    for event in events:
        if isinstance(event, LmDelta) and (event.call, event.channel) == (delta.call, delta.channel):
            yield event.text


@given(runs())
def test_no_string_of_any_event_has_the_secret(events: list[Event]) -> None:
    names = {"call", "parent", "field", "name", "kind", "run", "program", "reason", "outcome", "channel"}
    for event in through([Redact("ab", "#")], events):
        members = {name: value for name, value in asdict(event).items() if name not in names}
        assert not [text for text in strings(members) if "ab" in text]


@given(runs(), redactions, st.floats(0, 9))
def test_what_comes_out_depends_on_what_came_in_alone(events: list[Event], redact: Redact, now: float) -> None:
    pipeline = Pipeline([redact])
    for event in events:
        pipeline.feed(event, now)
    assert pipeline.advance(now) == through([redact], events)


# Readable cases


def delta(text: str | None = None, path: tuple[Any, ...] = (), **members: Any) -> FieldDelta:
    return FieldDelta(seq=0, at=0.0, call="c", field="f", path=path, text=text, **members)


def fed(redact: Redact, *events: Event) -> list[Event]:
    stage = redact.start()
    return [replace(given, seq=0) for event in events for given in stage.feed(event)]


ENDED = FieldEnded(seq=0, at=0.0, call="c", field="f")


def test_a_secret_at_every_split() -> None:
    text = "the key is sk-12345678, keep it"
    redact = Redact(re.compile(r"sk-\d+"))
    for first, second in itertools.combinations(range(len(text) + 1), 2):
        pieces = [text[:first], text[first:second], text[second:]]
        shown = [event.text or "" for event in fed(redact, *map(delta, filter(None, pieces)), ENDED)[:-1]]  # type: ignore[union-attr] # pyright: ignore[reportAttributeAccessIssue]
        assert "".join(shown) == "the key is […], keep it"
        assert not any("sk-" in piece for piece in shown)


def test_a_field_elsewhere_ends_a_string() -> None:
    redact = Redact("secret", "#")
    assert fed(redact, delta("a sec", (0,)), delta("ret", (1,)), ENDED) == [
        delta("a ", (0,)),
        delta("sec", (0,)),
        delta("ret", (1,)),
        ENDED,
    ]


def test_a_string_that_goes_on_after_its_end_is_told_anew() -> None:
    redact = Redact("secret", "#")
    assert fed(redact, delta("a sec", (0,)), delta("b", (1,)), delta("ret", (0,)), delta(" c", (0,)), ENDED)[3:] == [
        delta(path=(0,), value="a #"),
        delta(" c", (0,)),
        ENDED,
    ]


def test_what_is_withdrawn_or_replaced_is_not_shown_first() -> None:
    redact = Redact("secret", "#")
    assert fed(redact, delta("sec", (0, "a")), delta(path=(0,), value=1), ENDED) == [delta(path=(0,), value=1), ENDED]


def test_what_is_withdrawn_was_there() -> None:
    redact = Redact("secret", "#")
    reset = FieldReset(seq=0, at=0.0, call="c", field="f", path=(0,), reason="repair")
    assert fed(redact, delta("sec", (0,)), reset) == [delta(path=(0,), value=""), reset]
    assert fed(redact, delta("a sec", (0,)), reset) == [delta("a ", (0,)), reset]


def test_a_string_that_is_taken_away_is_still_there() -> None:
    redact = Redact("secret", "")
    assert fed(redact, delta("secret", (0,)), delta("b", (1,)), ENDED) == [
        delta(path=(0,), value=""),
        delta("b", (1,)),
        ENDED,
    ]
    assert fed(redact, delta("secret"), ENDED) == [ENDED], "a text field begins with nothing"


def test_keys_are_redacted_and_told_apart() -> None:
    redact = Redact(["ann", "bob"], "#")
    value = {"ann": 1, "bob": {"ann": "bob"}, "#": 2}
    assert fed(redact, delta(value=value), delta("x", ("bob", "new"))) == [
        delta(value={"#": 1, "#2": {"#": "#"}, "#3": 2}),
        delta("x", ("#2", "new")),
    ]


def test_every_place_where_a_string_can_be() -> None:
    failure = Failure(kind="E", message="no ab")
    out = fed(
        Redact("ab", "#"),
        CallStarted(seq=0, at=0, call="t", kind="tool", name="ab", arguments={"ab": ["ab"]}),
        Status(seq=0, at=0, message="ab"),
        Custom(seq=0, at=0, value={"x": "cab"}, name="ab"),
        CallEnded(seq=0, at=0, call="t", seconds=1, result=("ab", 1), error=failure),
        RunEnded(seq=0, at=0, outcome="failed", result=["ab"], error=failure),
    )
    redacted = Failure(kind="E", message="no #")
    assert out == [
        CallStarted(seq=0, at=0, call="t", kind="tool", name="ab", arguments={"#": ["#"]}),
        Status(seq=0, at=0, message="#"),
        Custom(seq=0, at=0, value={"x": "c#"}, name="ab"),
        CallEnded(seq=0, at=0, call="t", seconds=1, result=["#", 1], error=redacted),
        RunEnded(seq=0, at=0, outcome="failed", result=["#"], error=redacted),
    ]


@pytest.mark.parametrize("ended", [False, True])
def test_a_snapshot_holds_back_what_may_go_on(ended: bool) -> None:
    def snapshot(text: Any, value: Any) -> RunSnapshot:
        return RunSnapshot(
            seq=0,
            at=0.0,
            run="r",
            program="p",
            calls=[CallStarted(seq=0, at=0, call="c", kind="predictor", name="p", arguments={"x": "secret"})],
            fields=[
                FieldSnapshot(call="c", field="f", kind="text", value=text, ended=ended),
                FieldSnapshot(call="c", field="g", kind="data", value=value, ended=ended),
            ],
        )

    out = fed(Redact("secret", "#"), snapshot("my sec", {"a": "sec", "b": ["secret", "se"]}))
    shown = out[0]
    assert isinstance(shown, RunSnapshot)
    assert shown.calls[0].arguments == {"x": "#"}
    held = (shown.fields[0].value, shown.fields[1].value)
    if ended:
        assert held == ("my sec", {"a": "sec", "b": ["#", "se"]})
        return
    assert held == ("my ", {"a": "sec", "b": ["#", ""]})
    stage = Redact("secret", "#").start()
    list(stage.feed(snapshot("my sec", {"a": "sec", "b": ["secret", "se"]})))
    more = [delta("ret!"), replace(delta("cret", ("b", 1)), field="g"), replace(delta("ret", ("a",)), field="g")]
    assert [given for event in more for given in stage.feed(event)] == [
        delta("#!"),
        replace(delta("#", ("b", 1)), field="g"),
        replace(delta(path=("a",), value="#"), field="g"),
    ]


@example(["ab"])
@given(st.lists(st.text("ab", min_size=1)))
def test_other_calls_do_not_wait_for_a_text_that_is_held_back(pieces: list[str]) -> None:
    redact = Redact(re.compile("[ab]+"), "#")
    status = Status(seq=0, at=0.0, message="c")
    events = [RunStarted(seq=0, at=0.0, run="r", program="p"), FieldStarted(seq=0, at=0.0, call="c", field="f")]
    out = fed(redact, *events, *map(delta, pieces), status)
    assert out == [*events, status]
