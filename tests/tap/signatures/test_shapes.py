"""Values of every type, as they are written, against what DSPy's adapters make of the whole."""

# Types that are put together at run time are nothing that a type checker could follow.
# pyright: reportInvalidTypeForm=false

import gc
import weakref
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple

import dspy
import pydantic
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, RootModel
from tests.corpus import trees
from tests.corpus.signatures import types
from tests.corpus.splits import splits
from tests.fields.growth import Growth, grows_to, identical

from fieldstream.events import UNSET
from fieldstream.fields import Items, Later, Members, Scalar, corrections
from fieldstream.fields.values.markers import Done, NotNull, WithState
from fieldstream.tap.signatures.adapters import parser_of
from fieldstream.tap.signatures.shapes import slots_of
from fieldstream.tap.signatures.values import field_kind, to_json

CHAT, JSON = dspy.ChatAdapter(), dspy.JSONAdapter()


def signature_of(annotation: Any) -> Any:
    fields: Any = {"question": (str, dspy.InputField()), "x": (annotation, dspy.OutputField())}
    new: Any = dspy.Signature
    return new(fields, "Answer.")


def answer(adapter: dspy.Adapter, body: str) -> str:
    """The field's literal in the adapter's format."""
    return f"[[ ## x ## ]]\n{body}\n\n[[ ## completed ## ]]\n" if adapter is CHAT else f'{{"x": {body}}}'


def shown(annotation: Any, body: str, adapter: dspy.Adapter = CHAT, size: int = 1) -> list[Any]:
    """What a reader sees of the field after each chunk, without repetition."""
    new_parser = parser_of(adapter, signature_of(annotation))
    assert new_parser is not None
    parser, growth = new_parser(), Growth()
    text = answer(adapter, body)
    seen: list[Any] = []
    for at in range(0, len(text), size):
        growth.apply(parser.feed(text[at : at + size]))
        if growth.value is not UNSET and repr(growth.value) not in map(repr, seen[-1:]):
            seen.append(to_json(growth.value))
    growth.apply(parser.finish())
    return seen if seen and identical(seen[-1], growth.value) else [*seen, growth.value]


def read(annotation: Any, text: str, adapter: dspy.Adapter, chunks: Sequence[str], *, clean: bool) -> Growth:
    """Read a text, and assert what must hold of it: in the end always, on the way where nothing in it is amiss."""
    signature = signature_of(annotation)
    try:
        parsed = adapter.parse(signature, text)["x"]
    except Exception:  # What the adapter refuses must do no harm.
        parsed, clean = UNSET, False
    final = UNSET if parsed is UNSET else to_json(parsed)
    new_parser = parser_of(adapter, signature)
    assert new_parser is not None
    parser, growth = new_parser(), Growth()
    for chunk in chunks:
        growth.apply(parser.feed(chunk))
        assert not clean or grows_to(growth.value, final), growth.value
    growth.apply(parser.finish())
    if final is UNSET:
        return growth
    if clean:
        assert not growth.withdrawn
        for path, value in growth.completed.items():
            whole = final
            for key in path:
                whole = whole[key]
            assert grows_to(value, whole) if path else identical(value, whole)
    ended = () in growth.completed
    growth.apply(corrections("x", growth.value, final, ended=ended))
    assert identical(growth.value, final)
    return growth


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_what_is_shown_grows_to_what_parse_says(data: st.DataObject) -> None:
    typed = data.draw(types().filter(lambda typed: field_kind(typed.annotation) == "data"))
    value = data.draw(typed.values)
    adapter = data.draw(st.sampled_from((CHAT, JSON)))
    text = answer(adapter, trees.written(trees.tree_of(value), data.draw(trees.strict_styles)))
    if any("\ud800" <= char <= "\udfff" for char in text):
        reject()  # As a key, half a character makes words of the whole value.
    try:
        same = identical(to_json(adapter.parse(signature_of(typed.annotation), text)["x"]), to_json(value))
    except Exception:  # There are values that their own types refuse.
        reject()
    read(typed.annotation, text, adapter, data.draw(splits(text)), clean=same and not typed.own)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_models_make_of_it_the_end_is_right(data: st.DataObject) -> None:
    typed = data.draw(types().filter(lambda typed: field_kind(typed.annotation) == "data"))
    tree = data.draw(trees.slipped(trees.tree_of(data.draw(typed.values))))
    adapter = data.draw(st.sampled_from((CHAT, JSON)))
    text = answer(adapter, trees.written(tree, data.draw(trees.loose_styles)))
    read(typed.annotation, text, adapter, data.draw(splits(text)), clean=False)


class Colour(Enum):
    RED = "red"


class Row(NamedTuple):
    key: str
    number: int = 3


class Checked(BaseModel):
    model_config = ConfigDict(validate_default=True)

    size: Any = 3


class Made(BaseModel):
    name: str
    ids: list[int] = Field(default_factory=lambda: [1])


class Finished(BaseModel):
    name: str

    def model_post_init(self, context: Any, /) -> None:
        self.name += "!"


class Private(BaseModel):
    name: str
    _cache: dict[str, int] = pydantic.PrivateAttr(default_factory=dict[str, int])


class Priced(BaseModel):
    price: float = 2

    @pydantic.field_serializer("price")
    def _price(self, value: float) -> str:
        return f"{value:.2f}"


class Stripped(BaseModel):
    name: str

    @pydantic.field_validator("name", mode="before")
    @classmethod
    def _strip(cls, value: Any) -> Any:
        return value.strip() if isinstance(value, str) else value


@pytest.mark.parametrize("adapter", [CHAT, JSON], ids=["chat", "json"])
@pytest.mark.parametrize(
    ("annotation", "body", "complete"),
    [
        (list[int], "[1, 2]", True),
        (list[Any], "[]", True),
        (Any, "[{}, [], [[]]]", True),
        (dict[str, Any], '{"a": {}, "b": {"c": []}}', True),
        (dict[int, str], '{"1": "a", "02": "b"}', True),
        (dict[Colour, str], '{"red": "a"}', True),
        (dict[date, list[str]], '{"2026-01-02": ["a"]}', True),
        (dict[Decimal, int], '{"1.50": 1}', True),
        (Row, '["a", 1]', True),
        (Row, '["a"]', False),
        (list[Row], '[["a", 1], {"key": "b"}]', False),
        (Sequence[str], '["a", "b"]', True),
        (Sequence[int] | None, "[1]", True),
        (Checked, "{}", False),
        (Made, '{"name": "a"}', False),
        (Made, '{"name": "a", "ids": [2]}', True),
        (Finished, '{"name": "a"}', False),
        (Private, '{"name": "a"}', True),
        (Priced, "{}", False),
        (Priced, '{"price": 1}', False),
        (Stripped, '{"name": " a "}', False),
        (list[int | Stripped], '[1, {"name": " a "}]', False),
        (list[Made | Finished], '[{"name": "a", "ids": []}]', False),
        (RootModel[list[str]], '["a"]', True),
        (Literal[1, "1"] | None, '"1"', False),
        (tuple[int, str], '[1, "a"]', True),
    ],
)
def test_only_what_is_exact_is_complete(annotation: Any, body: str, complete: bool, adapter: dspy.Adapter) -> None:
    text = answer(adapter, body)
    growth = read(annotation, text, adapter, list(text), clean=False)
    assert not complete or () in growth.completed
    if () in growth.completed:
        assert not growth.withdrawn
        assert identical(growth.completed[()], to_json(adapter.parse(signature_of(annotation), text)["x"]))


def test_strings_grow_and_elements_are_told_with_their_end() -> None:
    new_parser = parser_of(CHAT, signature_of(list[str]))
    assert new_parser is not None
    parser, growth = new_parser(), Growth()
    growth.apply(parser.feed('[[ ## x ## ]]\n["a'))
    assert growth.value == ["a"]
    growth.apply(parser.feed("b"))
    assert growth.value == ["ab"]
    growth.apply(parser.feed('",'))
    assert growth.completed == {(0,): "ab"}
    growth.apply(parser.feed(' "c"'))
    assert growth.value == ["ab", "c"]
    growth.apply(parser.feed("]"))
    assert growth.completed == {(0,): "ab", (1,): "c"}


def test_what_is_equal_only_for_python_is_not_mixed_up() -> None:
    """Types compare equal that do not mean the same; the shapes of one must not be those of the other."""

    class One(BaseModel):
        kind: Literal[1]
        first: str = ""

    class Other(BaseModel):
        kind: Literal[True]
        second: str = ""

    for annotation, value in ((list[Literal[1]], 1), (list[Literal[True]], True)):
        assert identical(shown(annotation, f"[{'true' if value is True else 1}]")[-1], [value])
    for annotation in (float | int, int | float, One | Other, Other | One):
        for body in ("1", "2.0", '{"kind": true, "second": "a"}', '{"kind": 1, "first": "a"}'):
            for adapter in (CHAT, JSON):
                text = answer(adapter, body)
                read(annotation, text, adapter, [text], clean=False)
    first, second = (slots_of(signature_of(Annotated[list[int], Field(default=default)]))["x"] for default in (1, True))
    assert isinstance(first.shape, Items)
    assert isinstance(second.shape, Items)


def test_shapes_are_made_once() -> None:
    class Own(BaseModel):
        items: list[str]

    def shape() -> Any:
        return slots_of(signature_of(dict[str, list[Own]]))["x"].shape

    assert shape() is shape(), "a type that is written twice is the same"
    assert slots_of(signature_of(Annotated[list[int], pydantic.WithJsonSchema({})]))["x"].shape is not None


def test_not_every_type_that_ever_was_is_kept() -> None:
    def once(number: int) -> "weakref.ref[Any]":
        own = pydantic.create_model(f"Own{number}", name=(str, ...))
        slots_of(signature_of(list[own]))
        return weakref.ref(own)

    known = [once(number) for number in range(300)]
    gc.collect()
    assert sum(each() is not None for each in known) <= 257


def test_a_recursive_type_is_known() -> None:
    class Node(BaseModel):
        name: str
        children: "list[Node]" = []

    Node.model_rebuild()
    assert shown(Node, '{"name": "a", "children": [{"name": "b"}]}')[-1] == {
        "name": "a",
        "children": [{"name": "b", "children": []}],
    }
    assert shown(dict[str, pydantic.JsonValue], '{"a": [{"b": [1]}]}')[-1] == {"a": [{"b": [1]}]}


def test_a_type_that_has_no_schema_is_left_to_dspy() -> None:
    class Anything:
        pass

    with pytest.raises(pydantic.PydanticSchemaGenerationError):
        pydantic.TypeAdapter(Anything)

    class Info:
        annotation = Anything
        metadata: tuple[Any, ...] = ()

    class Signature:
        output_fields = {"x": Info}  # noqa: RUF012

    assert isinstance(slots_of(Signature)["x"].shape, Later)


class Ticket(BaseModel):
    id: Annotated[str, NotNull]
    body: str = ""
    price: Annotated[list[int], Done] = []
    seller: Annotated[str | None, WithState, Field(alias="Seller")] = None


def test_marks_are_read_wherever_they_stand() -> None:
    slot = slots_of(signature_of(list[Ticket]))["x"]
    assert isinstance(slot.shape, Items)
    assert slot.shape.rest is not None
    shape = slot.shape.rest.shape
    assert isinstance(shape, Members)
    marks = {name: (slot.done, slot.needed, slot.stateful) for name, slot in shape.slots.items()}
    no, yes = False, True
    assert marks == {"id": (no, yes, no), "body": (no, no, no), "price": (yes, no, no), "seller": (no, no, yes)}

    class Signature(dspy.Signature):
        question: str = dspy.InputField()
        all: Annotated[list[str], Done] = dspy.OutputField()
        text: Annotated[str, Done()] = dspy.OutputField()
        maybe: Annotated[Ticket, Done] | None = dspy.OutputField()
        either: int | Annotated[list[int], WithState()] = dspy.OutputField()
        plain: list[str] = dspy.OutputField()

    slots = slots_of(Signature)
    assert {name for name, slot in slots.items() if slot.done} == {"all", "text", "maybe"}
    assert {name for name, slot in slots.items() if slot.stateful} == {"either"}


def test_one_use_of_a_model_is_marked_the_other_not() -> None:
    class Inner(BaseModel):
        name: str

    class Outer(BaseModel):
        first: Annotated[Inner, Done]
        second: Inner
        third: Annotated[Inner, Done]

    body = '{"first": {"name": "a"}, "second": {"name": "b"}, "third": {"name": "c"}}'
    assert shown(Outer, body) == [
        {},
        {"first": {"name": "a"}},
        {"first": {"name": "a"}, "second": {}},
        {"first": {"name": "a"}, "second": {"name": "b"}},
        {"first": {"name": "a"}, "second": {"name": "b"}, "third": {"name": "c"}},
    ]


@pytest.mark.parametrize("adapter", [CHAT, JSON], ids=["chat", "json"])
def test_what_is_done_appears_whole(adapter: dspy.Adapter) -> None:
    class Doc(BaseModel):
        title: Annotated[str, Done, Field(min_length=1)]
        parts: list[Annotated[str, Done]]

    assert shown(Doc, '{"title": "ab", "parts": ["cd", "ef"]}', adapter) == [
        {},
        {"title": "ab"},
        {"title": "ab", "parts": []},
        {"title": "ab", "parts": ["cd"]},
        {"title": "ab", "parts": ["cd", "ef"]},
    ]
    assert shown(Annotated[list[str], Done], '["ab", "c"]', adapter) == [["ab", "c"]]
    assert shown(Annotated[str, Done], "some text" if adapter is CHAT else '"some text"', adapter) == ["some text"]


def test_an_object_waits_for_what_it_needs() -> None:
    body = '[{"body": "a", "price": [1], "Seller": "b", "id": "xy"}]'
    assert shown(list[Ticket], body) == [
        [],
        [{"body": "a", "price": [1], "seller": "b", "id": "x"}],
        [{"body": "a", "price": [1], "seller": "b", "id": "xy"}],
    ]
    never = shown(list[Ticket], '[{"body": "a"}]')
    assert never == [[], [{"body": "a", "price": [], "seller": None}]], "it comes with its end, if not before"
    nothing = shown(dict[str, Ticket], '{"a": {"id": null, "body": "b"}}')
    assert nothing[:-1] == [{}]


def test_marks_leave_values_and_prompts_as_they_are() -> None:
    def models(done: Any, needed: Any, stateful: Any) -> Any:
        class Inner(BaseModel):
            name: Annotated[str, needed, Field(description="of it")]
            maybe: Annotated[int | None, stateful, Field(ge=0)] = None

        class Outer(BaseModel):
            first: Annotated[Inner, done]
            second: Inner
            tags: list[Annotated[str, done]]

        return Outer

    plain, marked = models("a", "b", "c"), models(Done, NotNull, WithState())
    assert marked.model_json_schema() == plain.model_json_schema()
    for adapter in (CHAT, JSON, dspy.XMLAdapter()):
        prompts = [
            adapter.format(signature_of(annotation), [], {"question": "?"})
            for annotation in (list[plain], list[marked], Annotated[list[marked], Done])
        ]
        assert prompts[0] == prompts[1] == prompts[2]
    value = {"first": {"name": "a"}, "second": {"name": "b", "maybe": 1}, "tags": ["c"]}
    assert marked.model_validate(value).model_dump() == plain.model_validate(value).model_dump()
    with pytest.raises(pydantic.ValidationError):
        marked.model_validate({"first": {"name": "a"}, "second": {"name": "b", "maybe": -1}, "tags": []})


def test_a_field_of_one_scalar_is_read_as_dspy_reads_it() -> None:
    slot = slots_of(signature_of(int))["x"]
    assert isinstance(slot.shape, Scalar)
    assert shown(int, "12") == [12]
    assert shown(float, "1,000") == shown(float, "1,000")
    assert shown(RootModel[str], '"a"')[-1] == "a"
