"""The state of a run, from its events."""

import pytest

from fieldstream.events import UNSET, CallStarted, Event, FieldSnapshot, RunSnapshot
from fieldstream.terminal.view import View
from tests.terminal.story import USAGE, Story, agent, at_once, qa


def view_of(story: Story, most: int | None = None) -> View:
    view = View()
    for event in story.events[:most]:
        view.apply(event)
    return view


def test_a_run_from_its_beginning_to_its_end() -> None:
    view = view_of(qa())
    assert (view.program, view.run, view.outcome) == ("QA", "r1", "completed")
    assert view.result == {"reasoning": "Light scatters.", "answer": "Blue!"}
    assert view.usage == {"openai/sim": USAGE}
    assert view.chunks == 4
    assert view.first_text == 0.5
    assert view.at == view_of(qa()).at > 1


def test_calls_are_nested() -> None:
    view = view_of(agent())
    (root,) = view.roots
    assert [call.name for call in root.children] == ["plan", "search", "answer"]
    assert [call.name for call in view.walk()] == ["Agent", "plan", "openai/sim", "openai/sim", "search", "answer"]
    assert [call.id for call in view.calls["c3"].above()] == ["c2", "c1"]


def test_a_call_takes_its_time() -> None:
    view = view_of(qa(), 6)
    call = view.calls["c2"]
    assert call.running
    assert call.elapsed(1.2) == pytest.approx(1.0)
    assert view_of(qa()).calls["c2"].elapsed(99) == pytest.approx(1.1)


def test_a_text_grows() -> None:
    story = Story().call("c1", "predictor", "p").open("c1", "answer").text("c1", "answer", "a", "b")
    known = view_of(story).calls["c1"].fields["answer", 0]
    assert (known.text(), known.ended, known.blank) == ("ab", False, False)
    known = view_of(story.close("c1", "answer")).calls["c1"].fields["answer", 0]
    assert known.ended


def test_a_value_grows() -> None:
    story = (
        Story()
        .call("c1", "predictor", "p")
        .open("c1", "people", "data")
        .value("c1", "people", [])
        .value("c1", "people", {}, 0)
        .text("c1", "people", "A", "da", path=(0, "name"))
        .value("c1", "people", 36, 0, "age")
    )
    known = view_of(story).calls["c1"].fields["people", 0]
    assert known.draft is not None
    assert known.draft.value == [{"name": "Ada", "age": 36}]
    assert known.text() == '[{"name": "Ada", "age": 36}]'


def test_applying_deltas_leaves_the_events_as_they_are() -> None:
    story = Story().call("c1", "predictor", "p").open("c1", "tags", "data").value("c1", "tags", [])
    story.value("c1", "tags", "x", 0)
    view_of(story)
    assert view_of(story).calls["c1"].fields["tags", 0].text() == '["x"]'
    assert (
        story.events[3]
        == Story().call("c1", "predictor", "p").open("c1", "tags", "data").value("c1", "tags", []).events[3]
    )


def test_a_text_that_turns_out_to_be_none() -> None:
    story = Story().call("c1", "predictor", "p").open("c1", "note").text("c1", "note", "nu")
    story.reset("c1", "note", "repair").value("c1", "note", None)
    known = view_of(story).calls["c1"].fields["note", 0]
    assert known.text() == "null"
    assert [(each.reason, each.text) for each in known.withdrawn] == [("repair", "nu")]


def test_a_reset_withdraws_what_was_there() -> None:
    story = Story().call("c1", "predictor", "p").wrote("c1", "answer", "wro", "ng").reset("c1", "answer", "retry")
    known = view_of(story).calls["c1"].fields["answer", 0]
    assert (known.blank, known.ended) == (True, False)
    known = view_of(story.text("c1", "answer", "right")).calls["c1"].fields["answer", 0]
    assert known.text() == "right"
    assert [(each.reason, each.text, each.path) for each in known.withdrawn] == [("retry", "wrong", ())]


def test_a_reset_inside_a_value() -> None:
    story = Story().call("c1", "predictor", "p").open("c1", "tags", "data").value("c1", "tags", [])
    story.text("c1", "tags", "a", path=(0,)).text("c1", "tags", "b", path=(1,)).reset("c1", "tags", "repair", 1)
    known = view_of(story).calls["c1"].fields["tags", 0]
    assert known.text() == '["a"]'
    assert [(each.text, each.path) for each in known.withdrawn] == [("b", (1,))]


def test_candidates_are_told_apart() -> None:
    story = Story().call("c1", "predictor", "p").open("c1", "answer").open("c1", "answer", candidate=1)
    story.text("c1", "answer", "x").text("c1", "answer", "y", candidate=1)
    fields = view_of(story).calls["c1"].fields
    assert {each.label: each.text() for each in fields.values()} == {"answer": "x", "answer #2": "y"}


def test_calls_at_the_same_time_are_kept_apart() -> None:
    view = view_of(at_once())
    assert {call.name: call.fields["answer", 0].text() for call in view.roots[0].children} == {
        "left": "one two",
        "right": "uno due",
    }


def test_what_is_shown_of_the_tree() -> None:
    view = view_of(agent())
    assert [call.name for call in view.walk() if call.shown] == ["plan", "search", "answer"]
    story = (
        Story("f")
        .call("c1", "lm", "openai/sim")
        .call("c2", "module", "Retriever", None)
        .call("c3", "module", "R", "c2")
    )
    assert [call.name for call in view_of(story).walk() if call.shown] == ["openai/sim", "R"]


def test_a_failure_is_blamed_on_the_innermost() -> None:
    error = ("ValueError", "no")
    story = Story().call("c1", "module", "QA").call("c2", "predictor", "p", "c1").call("c3", "lm", "sim", "c2")
    view = view_of(story.end("c3", error).end("c2", error).end("c1", ("KeyError", "else")).failed("KeyError", "else"))
    assert [call.id for call in view.walk() if call.blames_itself] == ["c1", "c3"]
    assert view.outcome == "failed"
    assert view.error is not None
    assert view.error.kind == "KeyError"


def test_what_was_cancelled_is_no_failure() -> None:
    story = Story().call("c1", "predictor", "p").text("c1", "answer", "half")
    view = view_of(story.end("c1", ("cancelled", "the run was cancelled")).cancelled())
    assert view.calls["c1"].interrupted
    assert not view.calls["c1"].blames_itself
    assert view.calls["c1"].fields["answer", 0].ended


def test_a_status_lasts_as_long_as_its_call() -> None:
    story = Story().call("c1", "tool", "t").status("Working", "c1")
    assert view_of(story).status == "Working"
    assert view_of(story.end("c1")).status is None
    assert view_of(story.status("Later")).status == "Later"


def test_text_of_an_lm() -> None:
    view = view_of(Story("f").call("c1", "lm", "openai/sim").lm_text("c1", "hmm", "reasoning").lm_text("c1", "yes"))
    assert {known.label: known.text() for known in view.calls["c1"].fields.values()} == {
        "reasoning": "hmm",
        "text": "yes",
    }
    assert view.first_text == 0.2
    assert view.chunks == 0


def test_the_result_is_told_by_the_only_predictor() -> None:
    assert view_of(qa()).told
    assert not view_of(agent()).told


def test_a_reader_that_joins_in_the_middle() -> None:
    calls = [
        CallStarted(seq=1, at=0.1, call="c1", kind="module", name="QA"),
        CallStarted(seq=2, at=0.2, call="c2", parent="c1", kind="predictor", name="predict"),
    ]
    fields = [
        FieldSnapshot(call="c2", field="answer", kind="text", value="Bl"),
        FieldSnapshot(call="c2", field="tags", kind="data", value=["a"], ended=True),
        FieldSnapshot(call="c2", field="later", kind="text", value=UNSET),
    ]
    view = view_of(qa())
    view.apply(RunSnapshot(seq=9, at=0.9, run="r2", program="QA", calls=calls, fields=fields))
    story = Story().text("c2", "answer", "ue").value("c2", "tags", "b", 1)
    for event in story.events[1:]:
        view.apply(event)
    assert [known.text() for known in view.calls["c2"].fields.values()] == ["Blue", '["a", "b"]', ""]
    assert view.run == "r2"


def test_events_of_calls_that_nobody_knows_change_nothing() -> None:
    story = Story().open("c9", "answer").text("c9", "answer", "x").reset("c9", "answer", "retry").close("c9", "answer")
    story._begun["c9"] = 0.0
    view = view_of(story.lm_text("c9", "x").end("c9"))
    assert view.calls == {}
    assert view.chunks == 1


def test_the_order_of_calls_is_that_of_their_beginnings() -> None:
    events: list[Event] = at_once().events
    view = View()
    for event in events:
        view.apply(event)
    assert [call.name for call in view.walk()] == ["Pair", "left", "right"]
