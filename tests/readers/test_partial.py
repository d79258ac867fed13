"""A value while it is written: plain, and as an object of its type."""

import copy
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal, NotRequired, cast

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator
from typing_extensions import TypedDict

from fieldstream import Stateful, WithState
from fieldstream.events import UNSET, Path
from fieldstream.fields import corrections
from fieldstream.fields.changes import Appended, Assigned, Withdrawn
from fieldstream.readers.partial import PartialValue
from fieldstream.tap.signatures.answers import Answer
from tests.fields.helpers import cpu_ratio


def partial(kind: Any, *, typed: bool = True) -> PartialValue:
    fields = {"q": (str, dspy.InputField()), "f": (kind, dspy.OutputField())}
    return PartialValue(Answer(cast("Any", dspy.Signature)(fields)).slot("f"), typed=typed)


# Plain

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text("ab", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)


def lead(value: PartialValue, shown: Any, goal: Any) -> None:
    """Apply what leads from one value to the other."""
    for change in corrections("f", copy.deepcopy(shown), copy.deepcopy(goal)):
        match change:
            case Appended(_, text, path):
                for character in text:
                    value.append(path, character)
            case Assigned(_, assigned, path):
                before = copy.deepcopy(assigned)
                value.assign(path, assigned)
                assert assigned == before, "what events hold is others', too"
            case Withdrawn(_, _, path):
                value.withdraw(path)
            case _:
                raise AssertionError(change)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_it_is_what_the_deltas_say(values: list[Any]) -> None:
    value = PartialValue(None, typed=False)
    assert value.value is UNSET
    shown: Any = UNSET
    for goal in values:
        lead(value, shown, goal)
        assert value.value == goal
        assert type(value.value) is type(goal)
        shown = goal


def test_it_is_live() -> None:
    value = partial(dict[str, Any], typed=False)
    value.assign((), {})
    seen = value.value
    value.append(("a",), "x")
    value.append(("a",), "y")
    value.assign(("b",), [])
    value.assign(("b", 0), 1)
    assert seen is value.value
    assert seen == {"a": "xy", "b": [1]}
    value.withdraw(("b", 0))
    value.withdraw(("a",))
    assert seen == {"b": []}


@pytest.mark.parametrize("typed", [False, True])
def test_a_text_that_grows_costs_its_length(typed: bool) -> None:
    def work(size: int) -> None:
        value = partial(Page, typed=typed)
        value.assign((), {})
        for _ in range(size):
            value.append(("body",), "abcd")
            assert value.value  # as a reader at each piece has it

    assert cpu_ratio(work, 5_000, 250_000) < 2


# Typed


class Page(BaseModel):
    body: str


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(("place", "new"), [((), {"one": [{}]}), (("one",), [{}]), (("one", 0), {})])
def test_what_takes_the_place_of_a_container_is_filled_in_its_place(place: Path, new: Any) -> None:
    value = PartialValue(None, typed=False)
    value.assign((), {"one": [{}]})
    value.append(("one", 0, "text"), "before")
    value.assign(("one", 0, "number"), 1)
    value.assign(place, new)
    value.append(("one", 0, "text"), "af")
    value.append(("one", 0, "text"), "ter")
    assert value.value == {"one": [{"text": "after"}]}


class Inner(BaseModel):
    a: int = 3
    when: date


class Everything(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)
    calls: ClassVar[int] = 0
    _secret: int = PrivateAttr(default=7)
    _made: list[int] = PrivateAttr(default_factory=lambda: [1])

    name: str = "unnamed"
    colour: Colour
    inner: Inner | None
    inners: list[Inner] = []
    table: dict[str, Inner]
    kind: Literal["x", 1]
    aliased: Annotated[int, Field(alias="Aliased")]
    either: Inner | Page

    @field_validator("name")
    @classmethod
    def check(cls, name: str) -> str:
        raise AssertionError("no validator is run")

    @model_validator(mode="after")
    def check_all(self) -> Any:
        raise AssertionError("no validator is run")

    def model_post_init(self, context: Any) -> None:
        raise AssertionError("none of the author's code is run")


def test_a_model() -> None:
    value = partial(Everything)
    value.assign((), {})
    seen = value.value
    assert type(seen) is Everything
    names = ["name", "colour", "inner", "inners", "table", "kind", "aliased", "either"]
    assert [getattr(seen, name) for name in names] == [None] * 8
    assert (seen._secret, seen._made) == (7, None)
    value.append(("name",), "An")
    value.append(("name",), "na")
    value.assign(("colour",), "red")
    value.assign(("inner",), {})
    value.assign(("inner", "when"), "2024-05-06")
    value.assign(("inners",), [])
    value.assign(("inners", 0), {})
    value.assign(("inners", 0, "a"), 5)
    value.assign(("table",), {})
    value.assign(("table", "one"), {"a": 1, "when": "2024-05-07"})
    value.assign(("kind",), 1)
    value.assign(("aliased",), 4)
    value.assign(("either",), {})
    value.assign(("either", "body"), "b")
    value.assign(("more",), {"x": [1]})
    assert value.value is seen
    assert (seen.name, seen.colour, seen.kind, seen.aliased) == ("Anna", Colour.RED, 1, 4)
    assert type(seen.inner) is Inner
    assert (seen.inner.a, seen.inner.when) == (None, date(2024, 5, 6))
    assert (seen.inners[0].a, seen.inners[0].when) == (5, None)
    assert type(seen.table["one"]) is Inner
    assert seen.either == {"body": "b"}, "of several types it is known in the end which one it is"
    assert seen.model_extra == {"more": {"x": [1]}}
    value.assign(("more", "x", 1), 2)
    assert seen.model_extra == {"more": {"x": [1, 2]}}
    value.withdraw(("more",))
    assert seen.model_extra == {}
    value.append(("more",), "te")
    value.append(("more",), "xt")
    assert seen.model_extra == {"more": "text"}
    assert "more" not in vars(seen)
    value.withdraw(("inners", 0))
    value.withdraw(("inner",))
    assert (seen.inners, seen.inner) == ([], None)


def test_a_model_that_is_looked_at() -> None:
    value = partial(Everything)
    value.assign((), {})
    for step in range(3):
        seen = value.value
        assert seen == seen
        assert seen == copy.deepcopy(seen)
        assert "colour=" in repr(seen)
        assert "colour=" in str(seen)
        assert set(seen.model_dump(warnings=False)) >= {"name", "colour"}
        assert seen.model_dump_json(warnings=False)
        value.append(("name",), "x")
        value.assign(("inner",), {"a": step})
    assert value.value.model_dump(exclude_unset=True) == {"name": "xxx", "inner": {"a": 2}}
    value.withdraw(("name",))
    assert value.value.model_dump(exclude_unset=True) == {"inner": {"a": 2}}


@dataclass
class Data:
    name: str
    inner: "Frozen"
    tags: list[str] = field(default_factory=lambda: ["default"])
    made: int = field(init=False)

    def __post_init__(self) -> None:
        raise AssertionError("none of the author's code is run")


@dataclass(frozen=True, slots=True)
class Frozen:
    a: int = 1
    when: date | None = None


def test_dataclasses() -> None:
    value = partial(Data)
    value.assign((), {})
    seen = value.value
    assert type(seen) is Data
    assert repr(seen) == "Data(name=None, inner=None, tags=None, made=None)"
    value.append(("name",), "n")
    value.assign(("inner",), {})
    value.assign(("inner", "when"), "2024-05-06")
    value.assign(("tags",), [])
    value.append(("tags", 0), "t")
    assert seen == value.value
    assert seen.inner == Frozen(cast("Any", None), date(2024, 5, 6))
    assert (seen.name, seen.tags) == ("n", ["t"])
    value.withdraw(("inner", "when"))
    assert seen.inner.when is None


class Typed(TypedDict):
    name: str
    inner: NotRequired[Inner]


def test_a_typed_dictionary() -> None:
    value = partial(Typed)
    value.assign((), {})
    assert value.value == {"name": None, "inner": None}
    value.append(("name",), "n")
    value.assign(("inner",), {"a": 1})
    assert value.value["name"] == "n"
    assert type(value.value["inner"]) is Inner
    value.withdraw(("name",))
    value.withdraw(("inner",))
    assert value.value == {"name": None, "inner": None}


class Same(BaseModel):
    value: "Same | None" = None
    state: str = "s"


def test_a_type_that_holds_itself() -> None:
    value = partial(Same)
    value.assign((), {})
    value.assign(("value",), {})
    value.assign(("value", "state"), "t")
    assert type(value.value.value) is Same
    assert (value.value.state, value.value.value.state) == (None, "t")


@pytest.mark.parametrize(
    ("kind", "shown", "revived"),
    [
        (date, "2024-05-06", date(2024, 5, 6)),
        (Colour, "red", Colour.RED),
        (Colour | None, None, None),
        (int, 3, 3),
        (bytes, "ab", b"ab"),
        (list[date], ["2024-05-06", "[redacted]"], [date(2024, 5, 6), "[redacted]"]),
        (date, "[redacted]", "[redacted]"),
        (Colour, "[redacted]", "[redacted]"),
        (dict[str, Colour], {"a": "red"}, {"a": Colour.RED}),
        (list[Inner], [{"when": "[redacted]"}], None),
        (Any, {"a": [1]}, {"a": [1]}),
    ],
)
def test_scalars_are_what_they_will_be_if_they_can(kind: Any, shown: Any, revived: Any) -> None:
    plain, typed = partial(kind, typed=False), partial(kind)
    plain.assign((), shown)
    typed.assign((), shown)
    assert plain.value == shown
    if kind == list[Inner]:
        assert typed.value[0].when == "[redacted]"
    else:
        assert typed.value == revived
        assert type(typed.value) is type(revived)


# With states


class Ticket(BaseModel):
    title: Annotated[str, WithState]
    tags: Annotated[list[str], WithState]
    note: Annotated[str | None, WithState] = None


class Tickets(BaseModel):
    tickets: list[Ticket]


def states(ticket: Any) -> list[tuple[Any, str]]:
    if isinstance(ticket, dict):
        members = cast("dict[str, Any]", ticket)
        return [(members[name]["value"], members[name]["state"]) for name in ("title", "tags", "note")]
    return [(member.value, member.state) for member in (ticket.title, ticket.tags, ticket.note)]


@pytest.mark.parametrize("typed", [False, True])
def test_states(typed: bool) -> None:
    value = partial(Tickets, typed=typed)
    at: Path = ("tickets", 0)
    value.assign((), {})
    value.assign(("tickets",), [])
    assert not value.has_states
    value.assign(at, {})
    assert value.has_states

    def ticket() -> Any:
        return value.value.tickets[0] if typed else value.value["tickets"][0]

    assert states(ticket()) == [(None, "pending"), (None, "pending"), (None, "pending")]
    value.append((*at, "title"), "a")
    value.append((*at, "title"), "b")
    assert states(ticket())[0] == ("ab", "incomplete")
    value.complete((*at, "title"))
    assert states(ticket())[0] == ("ab", "complete")
    value.assign((*at, "tags"), [])
    value.append((*at, "tags", 0), "t")
    assert states(ticket()) == [("ab", "complete"), (["t"], "incomplete"), (None, "pending")]
    value.withdraw((*at, "tags"))
    assert states(ticket())[1] == (None, "pending")
    value.assign((*at, "tags"), ["u"])
    value.assign((*at, "note"), None)
    assert states(ticket()) == [("ab", "complete"), (["u"], "incomplete"), (None, "complete")]
    value.complete_all()
    assert states(ticket()) == [("ab", "complete"), (["u"], "complete"), (None, "complete")]
    value.break_off()
    assert states(ticket())[1] == (["u"], "incomplete"), "it was not whole after all"
    value.complete((*at, "nothing"))


@pytest.mark.parametrize("typed", [False, True])
def test_a_state_of_the_whole(typed: bool) -> None:
    slot = Answer(StatedText).slot("f")
    value = PartialValue(slot, typed=typed)
    value.append((), "a")
    value.append((), "b")

    def state(name: str) -> Any:
        return Stateful("ab", cast("Any", name)) if typed else {"value": "ab", "state": name}

    assert value.value == state("incomplete")
    value.complete_all()
    assert value.value == state("complete")


class StatedText(dspy.Signature):
    q: str = dspy.InputField()
    f: Annotated[str, WithState] = dspy.OutputField()


def test_stateful() -> None:
    one = Stateful([1], "complete")
    assert repr(one) == "Stateful([1], 'complete')"
    assert one == Stateful([1], "complete")
    assert one != Stateful([1], "incomplete")
    assert one != [1]
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)
