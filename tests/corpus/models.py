"""Models written by hand: what their authors' own code does to a value, and what refers to itself."""

import dataclasses
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypeVar

import pydantic
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

from tests.corpus import values

T = TypeVar("T")


class Tree(BaseModel):
    """It holds its like."""

    name: str
    children: list["Tree"] = []


class Link(BaseModel):
    value: int
    next: "Link | None" = None


class Trimmed(BaseModel):
    """Pydantic changes what is written."""

    tag: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)]
    note: Annotated[str, StringConstraints(to_upper=True)] | None = None


class Shouted(BaseModel):
    """It changes a member once it is valid."""

    text: str
    count: int = 0

    @pydantic.field_validator("text")
    @classmethod
    def _shout(cls, value: str) -> str:
        return value.upper() + "!"


class Listed(BaseModel):
    """It takes a list apart before it is looked at."""

    names: list[str]

    @pydantic.field_validator("names", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class Ordered(BaseModel):
    """It changes itself once it is whole."""

    low: int
    high: int

    @pydantic.model_validator(mode="after")
    def _order(self) -> "Ordered":
        if self.low > self.high:
            self.low, self.high = self.high, self.low
        return self


class Wrapped(BaseModel):
    """It changes what it is made of."""

    label: str
    size: int = 1

    @pydantic.model_validator(mode="before")
    @classmethod
    def _unwrap(cls, data: Any) -> Any:
        return {"label": data} if isinstance(data, str) else data


class Refusing(BaseModel):
    """It refuses some of what its type allows."""

    share: float

    @pydantic.field_validator("share")
    @classmethod
    def _check(cls, value: float) -> float:
        if not 0 <= value <= 1:
            raise ValueError("a share lies between 0 and 1")
        return value


class Area(BaseModel):
    """It has a member that nobody writes."""

    width: int
    height: int

    @pydantic.computed_field
    @property
    def size(self) -> int:
        return self.width * self.height


class Shown(BaseModel):
    """It looks different as JSON."""

    amount: float
    secret: pydantic.SecretStr = pydantic.SecretStr("")

    @pydantic.field_serializer("amount", when_used="json")
    def _shown(self, value: float) -> str:
        return f"{value:.2f} EUR"


class Named(BaseModel):
    """Its members have other names in a text."""

    model_config = ConfigDict(populate_by_name=False)

    first: str = Field(alias="firstName")
    second: str = Field(
        "", validation_alias=pydantic.AliasChoices("last-name", "surname"), serialization_alias="surname"
    )
    third: int = Field(0, alias="3")


class Deep(BaseModel):
    """One of its members is elsewhere in a text."""

    city: str = Field("", validation_alias=pydantic.AliasPath("address", "city"))
    first: int = Field(0, validation_alias=pydantic.AliasChoices("first", pydantic.AliasPath("all", 0)))

    @pydantic.model_serializer(mode="plain")
    def _as_written(self, info: pydantic.SerializationInfo) -> dict[str, Any]:
        if info.by_alias:
            return {"address": {"city": self.city}, "all": [self.first]}
        return {"city": self.city, "first": self.first}


class Either(BaseModel):
    """It is known by both names."""

    model_config = ConfigDict(populate_by_name=True, extra="forbid")

    full_name: str = Field(alias="fullName")
    age: int | None = None


class Open(BaseModel):
    """It keeps whatever else there is, as numbers."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]

    name: str


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, str_strip_whitespace=True, strict=True)

    text: str
    number: int = 0


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int
    name: str = ""


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Bird(BaseModel):
    wings: int = 2
    song: str


class Fish(BaseModel):
    fins: int = 2
    song: str | None = None
    pond: list[str] = []


class Box(BaseModel, Generic[T]):
    """Of something."""

    content: T
    label: str = "box"


class Numbers(RootModel[list[int]]):
    """Its text is a list."""


class Inner(RootModel[dict[str, str]]):
    """Its text is an object without a class of its own."""


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.0
    label: str | None = None


@pydantic_dataclass
class Line:
    start: Point
    names: list[str] = dataclasses.field(default_factory=list[str])


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Partial(TypedDict, total=False):
    title: str
    tags: list[str]


class Pair(NamedTuple):
    key: str
    value: int = 0


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]

cats = st.builds(Cat, kind=st.just("cat"), lives=values.integers, name=values.strings)
dogs = st.builds(Dog, kind=st.just("dog"), tricks=st.lists(values.strings, max_size=3))
birds = st.builds(Bird, wings=st.integers(0, 4), song=values.strings)
fish = st.builds(Fish, fins=st.integers(0, 4), song=st.none() | values.strings, pond=st.lists(values.words, max_size=2))
trees = st.recursive(
    st.builds(Tree, name=values.strings),
    lambda inner: st.builds(Tree, name=values.strings, children=st.lists(inner, max_size=3)),
    max_leaves=4,
)
links = st.lists(values.integers, min_size=1, max_size=4).map(
    lambda numbers: Link.model_validate(
        {"value": numbers[0]} if len(numbers) == 1 else {"value": numbers[0], "next": {"value": numbers[1]}}
    )
)
points = st.builds(Point, x=values.integers, y=st.floats(-9, 9), label=st.none() | values.strings)
