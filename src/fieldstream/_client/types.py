"""What a client knows of a program beside what the server sends: the types of its fields, where it was given them."""

from collections.abc import Mapping
from typing import Any, cast

import dspy
from dspy.signatures import make_signature

from fieldstream import tap
from fieldstream._errors import UnknownFieldError
from fieldstream._fields import FieldName, find_among, find_field, find_list, predictors
from fieldstream.events import UNSET, CallEnded, CallStarted, Event


class PlainAnswer(tap.Answer):
    """A call of a predictor whose signature nobody knows: its values are what JSON has."""

    def __init__(self) -> None:
        super().__init__(None)

    def element(self, field: str, value: Any, index: int) -> Any:
        return value

    def elements_come_early(self, field: str) -> bool:
        return True


class Types:
    """A program's fields, by what the server says of them, and by the program or signature that the client has."""

    def __init__(self, name: str, program: Any = None) -> None:
        self._name = name
        self._module = program if isinstance(program, dspy.Module) else None
        self._signature: Any = None
        if self._module is None and program is not None:
            self._signature = make_signature(program) if isinstance(program, str) else program
        self._signatures = {path: each.signature for path, each in predictors(self._module).items()}
        self._described: dict[str, list[str]] = {}

    def describe(self, description: Mapping[str, Any]) -> None:
        """Take what the server says of the program."""
        self._described = {}
        for field in description.get("fields") or ():
            predictor, _, name = str(field).rpartition("/")
            self._described.setdefault(predictor, []).append(name)

    def find_field(self, name: str, *, typed: bool) -> FieldName:
        """The field of this name. Raises ``UnknownFieldError``; ``ValueError`` where a type is needed and not known."""
        found = find_among(self._described, f"program {self._name!r}", name)
        if typed and not self._knows(found):
            raise ValueError(
                f"the type of field {name!r} is not known here, which typed=True needs; give the client the program "
                f"or its signature: Client(url, programs={{{self._name!r}: ...}})"
            )
        return found

    def find_list(self, name: str) -> FieldName:
        """The same for a field that is a list, as far as that is known."""
        found = self.find_field(name, typed=False)
        if self._module is not None and self._knows(found):
            find_list(self._module, _words(found))
        return found

    def _knows(self, name: FieldName) -> bool:
        if self._signature is not None:
            return name.field in self._signature.output_fields
        if self._module is None:
            return False
        try:
            find_field(self._module, _words(name))
        except UnknownFieldError:
            return False
        return True

    def answer(self, predictor: str) -> tap.Answer:
        """What is known of a call of the predictor with this path."""
        signature = self._signature if self._module is None else self._signatures.get(predictor)
        return PlainAnswer() if signature is None else tap.Answer(signature)


def _words(name: FieldName) -> str:
    return name.field if name.predictor is None else f"{name.predictor}/{name.field}"


class Answers(dict[str, tap.Answer]):
    """What is known of a run's calls, by their ids, told by its events."""

    def __init__(self, types: Types) -> None:
        super().__init__()
        self.types = types

    def hear(self, event: Event) -> None:
        """Take what an event tells."""
        match event:
            case CallStarted(kind="predictor"):
                self[event.call] = self.types.answer(event.name)
            case CallEnded(fields=dict(fields)) if event.call in self:
                answer = self[event.call]
                known: Any = answer.signature.output_fields if answer.signature is not None else {}
                typed: Any = answer.so_far({name: value for name, value in fields.items() if name in known})
                answer.prediction = {**fields, **dict(typed.items())}
            case _:
                pass


def prediction_of(result: Any) -> Any:
    """What a program returned, as far as JSON tells: a prediction, or a value."""
    if result is UNSET:
        return None
    return dspy.Prediction(**cast("dict[str, Any]", result)) if isinstance(result, dict) else result
