"""Signatures: of one to five output fields, of every type that DSPy's adapters take."""

# Types that are put together at run time are nothing that a type checker could follow.
# pyright: reportUnusedVariable=false, reportUnusedImport=false, reportCallIssue=false, reportArgumentType=false, reportInvalidTypeForm=false, reportGeneralTypeIssues=false

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Optional
from uuid import UUID

import dspy
import pydantic
from hypothesis import reject
from hypothesis import strategies as st
from pydantic import Field
from typing_extensions import TypedDict

from tests.corpus import models, values

NAMES = (
    "answer",
    "items",
    "note",
    "total",
    "person",
    "tags",
    "plan",
    "name",
    "value",
    "item",
    "key",
    "reasoning_",
    "x1",
)
"""Of fields and of members. Some mean something to an adapter's format."""


@dataclass(frozen=True)
class Typed:
    """A type, the values that it has, and whether code of its author's stands between a text and a value."""

    name: str
    annotation: Any = dataclasses.field(repr=False)
    values: st.SearchStrategy[Any] = dataclasses.field(repr=False)
    own: bool = dataclasses.field(default=False, repr=False)

    def __repr__(self) -> str:
        return self.name


def _typed(annotation: Any, strategy: st.SearchStrategy[Any], *, own: bool = False) -> Typed:
    return Typed(getattr(annotation, "__name__", None) or repr(annotation), annotation, strategy, own)


def _named(annotation: Any, strategy: st.SearchStrategy[Any], *, own: bool = False) -> Typed:
    return Typed(repr(annotation).replace("tests.corpus.", "").replace("typing.", ""), annotation, strategy, own)


_LETTERS = ("a", "b b", "it's", 'say "hi"', "3", "true")
_MIXED = (1, 2, "1", True)

TEXTS = (
    _typed(str, values.strings),
    _named(str | None, st.none() | values.strings),
    _typed(dspy.Reasoning, values.strings.map(lambda text: dspy.Reasoning(content=text))),
    _named(Annotated[str, "whatever"], values.strings),
)

SCALARS = (
    _typed(int, values.integers),
    _typed(float, values.floats),
    _typed(bool, st.booleans()),
    _named(Literal[_LETTERS], st.sampled_from(_LETTERS)),
    _named(Literal[1, 2, 30], st.sampled_from((1, 2, 30))),
    _named(Literal[_MIXED], st.sampled_from(_MIXED)),
    _typed(values.Colour, st.sampled_from(values.Colour)),
    _typed(values.Level, st.sampled_from(values.Level)),
    _typed(values.Step, st.sampled_from(values.Step)),
    _typed(values.Weekday, st.sampled_from(values.Weekday)),
    _typed(date, values.dates),
    _typed(datetime, values.datetimes),
    _typed(time, values.times),
    _typed(timedelta, values.durations),
    _typed(Decimal, values.decimals),
    _typed(UUID, values.uuids),
    _typed(bytes, values.binaries),
    _named(Annotated[int, Field(ge=0)], st.integers(0, 99)),
    _named(Annotated[str, Field(min_length=1, pattern="^[a-z]")], st.sampled_from(("a", "blue", "an apple"))),
    _typed(pydantic.AnyUrl, st.sampled_from(("https://a.example/", "http://b.example/x?y=1&z=2")).map(pydantic.AnyUrl)),
)

UNIONS = (
    _named(int | str, values.integers | values.strings),
    _named(int | float, values.integers | values.floats),
    _named(bool | int | str, st.booleans() | values.integers | values.words),
    _named(date | str, values.dates | values.strings),
    _named(Literal["auto"] | int, st.just("auto") | values.integers),
    _named(float | None, st.none() | values.floats),
    _named(str | int | None, st.none() | values.strings | values.integers),
    _named(str | list[str], values.strings | st.lists(values.strings, max_size=3)),
    _named(list[int] | int, values.integers | st.lists(values.integers, max_size=3)),
    _named(
        dict[str, int] | list[int],
        st.dictionaries(values.words, values.integers, max_size=2) | st.lists(values.integers, max_size=3),
    ),
    _named(models.Point | str, models.points | values.words),
    _named(Optional[models.Cat], st.none() | models.cats),  # noqa: UP045
    _named(models.Cat | models.Dog, models.cats | models.dogs),
    _named(models.Pet, models.cats | models.dogs),
    _named(models.Bird | models.Fish, models.birds | models.fish),
    _named(models.Bird | list[models.Bird] | None, st.none() | models.birds | st.lists(models.birds, max_size=2)),
)


def _built(model: Any, *, own: bool = False, **members: st.SearchStrategy[Any]) -> Typed:
    return _typed(model, st.fixed_dictionaries(members).map(_valid(model)), own=own)


def _valid(annotation: Any) -> Callable[[Any], Any]:
    adapter = pydantic.TypeAdapter(annotation)

    def validated(given: Any) -> Any:
        try:
            return adapter.validate_python(given, by_name=True, by_alias=True)
        except pydantic.ValidationError:  # Of a lone surrogate, say, in a string with constraints.
            reject()

    return validated


MODELS = (
    _typed(models.Tree, models.trees),
    _typed(models.Link, models.links),
    _typed(models.Cat, models.cats),
    _typed(models.Dog, models.dogs),
    _typed(models.Fish, models.fish),
    _typed(models.Point, models.points),
    _built(models.Trimmed, tag=values.strings, note=st.none() | values.strings),
    _built(models.Area, width=st.integers(0, 9), height=st.integers(0, 9)),
    _built(models.Named, first=values.strings, second=values.strings, third=values.integers),
    _built(models.Either, full_name=values.strings, age=st.none() | values.integers),
    _built(models.Open, name=values.strings, more=values.integers),
    _built(models.Frozen, text=values.strings, number=values.integers),
    _built(models.Line, start=models.points, names=st.lists(values.strings, max_size=3)),
    _built(models.Movie, title=values.strings),
    _built(models.Movie, title=values.strings, year=values.integers),
    _built(models.Partial, tags=st.lists(values.strings, max_size=3)),
    _built(models.Box[int], content=values.integers),
    _built(models.Box[list[str]], content=st.lists(values.strings, max_size=3)),
    _built(models.Box[models.Fish | None], content=st.none() | models.fish),
    _typed(models.Numbers, st.lists(values.integers, max_size=4).map(models.Numbers)),
    _typed(models.Inner, st.dictionaries(values.words, values.strings, max_size=3).map(models.Inner)),
    _typed(models.Pair, st.builds(models.Pair, values.strings, values.integers)),
    _built(models.Shouted, own=True, text=values.strings),
    _built(models.Listed, own=True, names=st.lists(values.words, max_size=3)),
    _built(models.Ordered, own=True, low=st.integers(-9, 9), high=st.integers(-9, 9)),
    _built(models.Wrapped, own=True, label=values.strings),
    _built(models.Refusing, own=True, share=st.sampled_from((0, 0.5, 1))),
    _built(models.Shown, own=True, amount=st.integers(-9, 9), secret=values.words),
    _built(models.Deep, own=True, city=values.words),
)

_Python = dspy.Code["python"]  # Another class each time.

SPECIAL = (
    _named(Any, values.plain),
    _typed(dict, st.dictionaries(values.words, values.plain, max_size=3)),
    _typed(list, st.lists(values.plain, max_size=3)),
    _typed(object, values.plain),
    _typed(dspy.Code, values.strings.map(lambda code: dspy.Code(code=code)), own=True),
    _typed(_Python, values.strings.map(lambda code: _Python(code=code)), own=True),
    _typed(
        dspy.History,
        st.lists(st.fixed_dictionaries({"question": values.words, "answer": values.words}), max_size=2).map(
            lambda messages: dspy.History(messages=messages)
        ),
        own=True,
    ),
)

_keys = st.sampled_from([scalar for scalar in SCALARS if scalar.annotation in (int, bool, values.Level, values.Step)])


@st.composite
def types(draw: st.DrawFn, depth: int = 2) -> Typed:
    """A type: any of the above; or, down to a depth, one that is put together of others."""
    groups: list[Callable[[st.DrawFn, int], Typed]] = [_text, _scalar, _union, _model, _special]
    if depth:
        groups += [_list, _list, _mapping, _tuple, _set, _optional, _record, _record]
    return draw(st.sampled_from(groups))(draw, depth - 1)


def _text(draw: st.DrawFn, depth: int) -> Typed:
    return draw(st.sampled_from(TEXTS))


def _scalar(draw: st.DrawFn, depth: int) -> Typed:
    return draw(st.sampled_from(SCALARS))


def _union(draw: st.DrawFn, depth: int) -> Typed:
    return draw(st.sampled_from(UNIONS))


def _model(draw: st.DrawFn, depth: int) -> Typed:
    return draw(st.sampled_from(MODELS))


def _special(draw: st.DrawFn, depth: int) -> Typed:
    return draw(st.sampled_from(SPECIAL))


def _list(draw: st.DrawFn, depth: int) -> Typed:
    inner = draw(types(depth))
    return Typed(f"list[{inner}]", list[inner.annotation], st.lists(inner.values, max_size=4), inner.own)


def _mapping(draw: st.DrawFn, depth: int) -> Typed:
    inner = draw(types(depth))
    key, keys = draw(st.sampled_from(((str, values.strings), (str, values.words), (int, st.integers(-9, 99)))))
    strategy = st.dictionaries(keys, inner.values, max_size=3)
    return Typed(f"dict[{key.__name__}, {inner}]", dict[key, inner.annotation], strategy, inner.own)


def _tuple(draw: st.DrawFn, depth: int) -> Typed:
    inner = draw(st.lists(types(depth), min_size=1, max_size=3))
    if len(inner) == 1:
        strategy = st.lists(inner[0].values, max_size=3).map(tuple)
        return Typed(f"tuple[{inner[0]}, ...]", tuple[inner[0].annotation, ...], strategy, inner[0].own)
    annotation = tuple[tuple(one.annotation for one in inner)]
    own = any(one.own for one in inner)
    name = ", ".join(one.name for one in inner)
    return Typed(f"tuple[{name}]", annotation, st.tuples(*(one.values for one in inner)), own)


def _set(draw: st.DrawFn, depth: int) -> Typed:
    # Not of several strings: Python puts those in another order in each process, and with them the text.
    inner = draw(_keys)
    if draw(st.booleans()):
        return Typed(f"set[{inner}]", set[inner.annotation], st.sets(inner.values, max_size=3), inner.own)
    return Typed(f"frozenset[{inner}]", frozenset[inner.annotation], st.frozensets(inner.values, max_size=3), inner.own)


def _optional(draw: st.DrawFn, depth: int) -> Typed:
    inner = draw(types(depth))
    return Typed(f"Optional[{inner}]", Optional[inner.annotation], st.none() | inner.values, inner.own)  # noqa: UP045


@dataclass(frozen=True)
class _Member:
    typed: Typed
    optional: bool
    alias: str | None

    def __repr__(self) -> str:
        alias = f" as {self.alias!r}" if self.alias else ""
        return f"{'?' if self.optional else ''}{self.typed}{alias}"


@st.composite
def _members(draw: st.DrawFn, depth: int) -> dict[str, _Member]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    aliases = st.sampled_from((None, None, None, "Alias", "an alias", "item", "class", "a-b"))
    members = {name: _Member(draw(types(depth)), draw(st.booleans()), draw(aliases)) for name in names}
    taken = [member.alias for member in members.values() if member.alias]
    if len(set(taken) | set(names)) < len(taken) + len(names):
        return {name: dataclasses.replace(member, alias=None) for name, member in members.items()}
    return members


def _record(draw: st.DrawFn, depth: int) -> Typed:
    members = draw(_members(depth))
    make = draw(st.sampled_from((_pydantic, _pydantic, _pydantic, _dataclass, _typed_dict, _named_tuple)))
    name, annotation = make(draw, members)
    own = any(member.typed.own for member in members.values())
    strategy = st.fixed_dictionaries(
        {name: member.typed.values for name, member in members.items() if not member.optional},
        optional={name: member.typed.values for name, member in members.items() if member.optional},
    )
    return Typed(f"{name}({members})", annotation, strategy.map(_valid(annotation)), own)


def _pydantic(draw: st.DrawFn, members: Mapping[str, _Member]) -> tuple[str, Any]:
    extra = draw(st.sampled_from(("ignore", "ignore", "allow", "forbid")))
    by_name = draw(st.booleans())

    def field(member: _Member) -> Any:
        if not member.optional:
            return Field(alias=member.alias)
        return Field(None, alias=member.alias) if member.typed.annotation is not str else Field("", alias=member.alias)

    model = pydantic.create_model(
        "Record",
        __config__=pydantic.ConfigDict(extra=extra, populate_by_name=by_name),
        **{
            name: (
                Optional[member.typed.annotation]  # noqa: UP045
                if member.optional and member.typed.annotation is not str
                else member.typed.annotation,
                field(member),
            )
            for name, member in members.items()
        },
    )
    return f"Model, extra={extra}{', populate_by_name' if by_name else ''}", model


def _dataclass(draw: st.DrawFn, members: Mapping[str, _Member]) -> tuple[str, Any]:
    required = [(name, member.typed.annotation) for name, member in members.items() if not member.optional]
    optional = [
        (name, Optional[member.typed.annotation], dataclasses.field(default=None))  # noqa: UP045
        for name, member in members.items()
        if member.optional
    ]
    return "dataclass", dataclasses.make_dataclass("Record", [*required, *optional])


def _typed_dict(draw: st.DrawFn, members: Mapping[str, _Member]) -> tuple[str, Any]:
    if all(member.optional for member in members.values()):
        total = {name: member.typed.annotation for name, member in members.items()}
        return "TypedDict, total=False", TypedDict("Record", total, total=False)
    return "TypedDict", TypedDict(
        "Record",
        {
            name: NotRequired[member.typed.annotation] if member.optional else member.typed.annotation
            for name, member in members.items()
        },
    )


def _named_tuple(draw: st.DrawFn, members: Mapping[str, _Member]) -> tuple[str, Any]:
    kind: Any = NamedTuple("Record", [(name, Optional[member.typed.annotation]) for name, member in members.items()])  # noqa: UP045
    kind.__new__.__defaults__ = (None,) * len(members)
    kind._field_defaults = dict.fromkeys(members)
    return "NamedTuple", kind


output_fields: st.SearchStrategy[dict[str, Typed]] = st.lists(
    st.sampled_from([name for name in NAMES if name != "name"]), min_size=1, max_size=5, unique=True
).flatmap(lambda names: st.fixed_dictionaries({name: types() for name in names}))
"""The output fields of a signature."""


def signature_of(fields: Mapping[str, Typed]) -> Any:
    """A signature with these output fields."""
    return dspy.Signature(
        {
            "question": (str, dspy.InputField()),
            **{name: (typed.annotation, dspy.OutputField()) for name, typed in fields.items()},
        },
        "Answer.",
    )
