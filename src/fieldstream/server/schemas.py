"""Models of a program's inputs and outputs: FastAPI documents them, and validates what clients send with them."""

import warnings
from collections.abc import Mapping
from typing import Annotated, Any, cast

import pydantic
from pydantic import ConfigDict, Field, TypeAdapter, WithJsonSchema, model_validator
from pydantic_core import to_jsonable_python

from fieldstream._inputs import Input, Inputs

_ANYTHING = Annotated[Any, WithJsonSchema({"type": "string"})]
"""An input of which nobody knows the type: it is told to be a text, and taken as it comes."""


class ProgramModel(pydantic.BaseModel):
    """What the models of all programs are. The members' own names are numbers; the program's names are their aliases,
    because an input may be called what a model's attribute is.
    """

    @model_validator(mode="before")
    @classmethod
    def unwrap(cls, value: object) -> object:
        """The inputs themselves, also where they come as ``{"inputs": {…}}``."""
        if isinstance(value, dict) and "inputs" not in {info.alias for info in cls.model_fields.values()}:
            members = cast("dict[str, Any]", value)
            if members.keys() == {"inputs"} and isinstance(members["inputs"], dict):
                return cast("object", members["inputs"])
        return cast("object", value)

    def given(self) -> dict[str, Any]:
        """The inputs that were given, by name. Those that were not are left to the program."""
        names = {name: str(info.alias) for name, info in type(self).model_fields.items()}
        known = {alias: getattr(self, name) for name, alias in names.items() if name in self.model_fields_set}
        return known | (self.model_extra or {})


def model_of(title: str, members: Inputs) -> type[ProgramModel]:
    """A model with these members. What it does not know it takes only where they are open."""
    types = {f"input_{number}": _member(name, each) for number, (name, each) in enumerate(members.known.items())}

    class Base(ProgramModel):
        model_config = ConfigDict(
            extra="allow" if members.open else "forbid",
            arbitrary_types_allowed=True,
            title=title,
            serialize_by_alias=True,
        )

    create: Any = pydantic.create_model
    return cast("type[ProgramModel]", create(title, __base__=Base, __doc__="", **types))


def inputs_title(name: str) -> str:
    """How a program's inputs are called in OpenAPI: ``QaInputs``."""
    return f"{_camel(name)}Inputs"


def outputs_title(name: str) -> str:
    """How a program's outputs are called in OpenAPI: ``QaOutputs``."""
    return f"{_camel(name)}Outputs"


def _camel(name: str) -> str:
    for mark in "._-":
        name = name.replace(mark, " ")
    return "".join(part[:1].upper() + part[1:] for part in name.split())


def _member(name: str, each: Input) -> tuple[Any, Any]:
    about: dict[str, Any] = {"alias": name, "title": name}
    if each.description:
        about["description"] = each.description
    kind = _ANYTHING if each.guessed else _type(each.type)
    return kind, Field(**about) if each.required else Field(default=_plain(each.default), **about)


def _type(kind: Any) -> Any:
    """The type, where there is JSON for it; else any."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            TypeAdapter[Any](kind).json_schema()
    except Exception:  # A type's author may raise anything.
        return Any
    return kind


def _plain(default: Any) -> Any:
    """A default as JSON, to be told; it is never given to the program, which has its own."""
    try:
        plain = to_jsonable_python(default)
    except ValueError:
        return None
    return cast("Any", plain) if isinstance(plain, bool | int | float | str | list | Mapping | None) else None
