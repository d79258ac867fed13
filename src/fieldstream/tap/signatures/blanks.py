"""Objects of a program's types in which nothing is there yet. None of the code that their authors wrote makes them.

Touches of Pydantic: what a model's instance is made of (``BaseModel.__slots__``), and ``__private_attributes__``.
"""

import dataclasses
from typing import Any

from pydantic import BaseModel
from pydantic.fields import ModelPrivateAttr
from pydantic_core import PydanticUndefined


def blank_model(kind: type[BaseModel]) -> BaseModel:
    """A model whose fields are ``None``. ``model_construct`` would run its ``model_post_init``."""
    blank = kind.__new__(kind)
    private = {name: _known_default(attribute) for name, attribute in kind.__private_attributes__.items()}
    object.__setattr__(blank, "__dict__", dict.fromkeys(kind.model_fields))
    object.__setattr__(blank, "__pydantic_fields_set__", set[str]())
    object.__setattr__(blank, "__pydantic_extra__", {} if kind.model_config.get("extra") == "allow" else None)
    object.__setattr__(blank, "__pydantic_private__", private or None)
    return blank


def _known_default(attribute: ModelPrivateAttr) -> Any:
    """A private attribute's default; ``None`` where there is none, or code of its author's would make it."""
    default = attribute.get_default() if attribute.default_factory is None else PydanticUndefined
    return None if default is PydanticUndefined else default


def blank_dataclass(kind: type[Any], names: tuple[str, ...]) -> Any:
    """A dataclass's object whose fields, and these of its inputs, are ``None``."""
    blank = object.__new__(kind)
    for name in {*names, *(field.name for field in dataclasses.fields(kind))}:
        object.__setattr__(blank, name, None)
    return blank
