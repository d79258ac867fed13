"""A program as clients see it: its name, its inputs and outputs, and what of its runs is shown as what."""

import copy
import re
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, Self, Union, cast, get_args, get_origin

import dspy
import pydantic

from fieldstream._errors import UnknownFieldError
from fieldstream._fields import predictors
from fieldstream._inputs import Input, Inputs, description_of, inputs_of, signature_of
from fieldstream._stream import Streamer
from fieldstream.server.exposure import Expose, Visible
from fieldstream.server.schemas import ProgramModel, inputs_title, model_of, outputs_title
from fieldstream.wire.view import ChatView, FieldPath

_TRACES: Mapping[str, tuple[str, ...]] = {
    "Avatar": ("actions",),
    "CodeAct": ("trajectory",),
    "RLM": ("final_reasoning", "trajectory"),
    "ReAct": ("trajectory",),
    "ReActV2": ("history",),
}
"""What DSPy's agents return of their steps: thoughts, and tools with their arguments and results."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Mount:
    """A program to be served, with what is to be said of it beyond that.

    ``program`` is a DSPy module, a function that uses some, or a ``Streamer``. ``input`` names its main text input,
    which a chat's last message is, where it has several; ``output`` the field whose text is what it says in a chat,
    where that is not its first text; ``expose`` what clients may see; ``description`` what it is for.

    Raises ``UnknownFieldError`` or ``ValueError`` for names that the program does not have.
    """

    def __init__(
        self,
        program: Callable[..., Any] | Streamer,
        *,
        input: str | None = None,
        output: str | None = None,
        expose: Expose | None = None,
        description: str | None = None,
    ) -> None:
        self.watch = program if isinstance(program, Streamer) else Streamer(program)
        self.program = self.watch.program
        self.name = ""
        self._known: Inputs = inputs_of(self.program)
        self._outputs = _Outputs(self.program)
        self.visible = self._outputs.visible(expose or Expose())
        self.description = _description(self.program) if description is None else description
        self.input = self._input(input)
        self.history = self._history()
        self.output = self._outputs.main(output, self.visible)

    def named(self, name: str) -> Self:
        """The same under a name, by which clients know it. Raises ``ValueError`` for what is no name in a URL."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a program; use letters, digits and . _ - alone")
        named = copy.copy(self)
        named.name = name
        named.inputs = model_of(inputs_title(name), self._known)
        named.outputs = model_of(outputs_title(name), self._outputs.shown(self.visible))
        return named

    inputs: type[ProgramModel]
    """Its inputs as a model: what a client gives is validated into their types."""
    outputs: type[ProgramModel]
    """What clients see of its outputs, as a model; any, where that is not known."""

    def view(self, run: str) -> ChatView:
        """What a chat shows of its runs as what."""
        return ChatView(run=run, program=self.name, output=self.output, reasoning=self._outputs.reasoning)

    def with_output(self, name: str) -> Self:
        """The same, of which another field is what it says in a chat.

        Raises ``UnknownFieldError`` for one that it does not have, or that may not be seen.
        """
        other = copy.copy(self)
        other.output = self._outputs.main(name, self.visible)
        return other

    def described(self) -> dict[str, Any]:
        """What clients are told of it: names, and JSON Schemas."""
        return {
            "name": self.name,
            "description": self.description,
            "inputs": self.inputs.model_json_schema(),
            "outputs": self.outputs.model_json_schema(mode="serialization"),
            "input": self.input,
            "output": self.output.field if self.output is not None else None,
            "fields": self._outputs.names(self.visible),
        }

    def _input(self, name: str | None) -> str | None:
        if name is not None:
            if name not in self._known.known and not self._known.open:
                raise ValueError(f"the program has no input {name!r}; it has: {', '.join(self._known.known)}")
            return name
        return self.texts[0] if len(self.texts) == 1 else None

    def _history(self) -> str | None:
        return next((name for name, each in self._known.known.items() if _is(each.type, dspy.History)), None)

    @property
    def texts(self) -> list[str]:
        """The names of its text inputs."""
        return [name for name, each in self._known.known.items() if _is(each.type, str)]


class _Outputs:
    """What a program gives: its predictors' fields, which of them are its own, and which are reasoning."""

    def __init__(self, program: Callable[..., Any]) -> None:
        self._program = program
        self._types: dict[FieldPath, pydantic.fields.FieldInfo] = {
            FieldPath(path, name): info
            for path, predictor in predictors(program).items()
            for name, info in _output_fields(predictor.signature).items()
        }
        self.reasoning = frozenset(self._reasoning())
        self._own = self._own_fields()

    def _reasoning(self) -> list[FieldPath]:
        added: set[int] = set()
        if isinstance(self._program, dspy.Module):
            program: Any = self._program
            added = {
                id(module.predict)
                for _, module in program.named_sub_modules()
                if isinstance(module, dspy.ChainOfThought)
            }
        kind = getattr(dspy, "Reasoning", None)
        by_path = predictors(self._program)
        return [
            path
            for path, info in self._types.items()
            if (path.field == "reasoning" and id(by_path[path.predictor or ""]) in added)
            or (kind is not None and _is(info.annotation, kind))
        ]

    def _own_fields(self) -> list[FieldPath]:
        paths = [path for path in self._types if path not in self.reasoning]
        signature = signature_of(self._program)
        names = list(_output_fields(signature)) if signature is not None else []
        if own := [path for path in paths if path.field in names]:
            return sorted(own, key=lambda path: names.index(path.field))
        last = paths[-1].predictor if paths else None
        return [path for path in paths if path.predictor == last]

    def visible(self, expose: Expose) -> Visible:
        reasoning = self.reasoning if expose.reasoning else frozenset[FieldPath]()
        if expose.fields is None:
            fields = frozenset(self._own) | reasoning
            hidden = {path.field for path in self._types if path not in fields} | self._traces()
            return Visible(expose=expose, fields=fields, hidden=frozenset(hidden))
        named = frozenset(path for name in expose.fields for path in self._named(name))
        results = frozenset(path.field for path in named | reasoning)
        return Visible(expose=expose, fields=named | reasoning, results=results)

    def _traces(self) -> frozenset[str]:
        """What the agents in the program return of their steps, beside their fields."""
        if not isinstance(self._program, dspy.Module):
            return frozenset()
        program: Any = self._program
        kinds = {kind.__name__ for _, module in program.named_sub_modules() for kind in type(module).__mro__}
        return frozenset(name for kind in kinds for name in _TRACES.get(kind, ()))

    def _named(self, name: str) -> list[FieldPath]:
        predictor, slash, field = name.rpartition("/")
        if not self._types:  # Nothing is known of a function's predictors.
            return [FieldPath(predictor if slash else None, field)]
        found = [path for path in self._types if path.field == field and (not slash or path.predictor == predictor)]
        if not found:
            known = ", ".join(f"{path.predictor}/{path.field}" for path in self._types)
            raise UnknownFieldError(f"the program has no field {name!r}; it has: {known}")
        return found

    def main(self, name: str | None, visible: Visible) -> FieldPath | None:
        """The field whose text is what the program says: the one of this name, or its first text, or its only field."""
        if name is not None:
            seen = [path for path in self._named(name) if visible.field(path.predictor or "", path.field)]
            if not seen and self._types:
                raise UnknownFieldError(f"clients may not see the field {name!r}; expose it, or choose another")
            return seen[-1] if seen else self._named(name)[0]
        seen = [path for path in self._own if visible.field(path.predictor or "", path.field)]
        texts = [path for path in seen if _is(self._types[path].annotation, str)]
        return next(iter(texts or seen), None)

    def names(self, visible: Visible) -> list[str]:
        """The fields that clients see, as ``run.text`` names them; none, where they are not known."""
        return [
            f"{path.predictor}/{path.field}" for path in self._types if visible.field(path.predictor or "", path.field)
        ]

    def shown(self, visible: Visible) -> Inputs:
        """The outputs that clients see, of which the program's result is made."""
        fields = [path for path in self._own if visible.field(path.predictor or "", path.field)]
        if visible.results is not None:
            fields = [path for path in self._types if path in visible.fields]
        known = {
            path.field: Input(
                self._types[path].annotation,
                description=description_of(path.field, self._types[path]),
            )
            for path in fields
        }
        return Inputs(known, open=visible.results is None)  # What a program itself returns its predictors do not tell.


def _output_fields(signature: Any) -> Mapping[str, pydantic.fields.FieldInfo]:
    return cast("Mapping[str, pydantic.fields.FieldInfo]", signature.output_fields)


def _description(program: Any) -> str:
    """What the author says of it: a signature's instructions, a class's or a function's docstring."""
    signature = signature_of(program)
    text = getattr(signature, "instructions", None) if signature is not None else None
    if not text or text.startswith("Given the fields `"):  # DSPy's own, where the author has given none
        kind: Any = type(program) if isinstance(program, dspy.Module) else program
        own = getattr(kind, "__module__", "").partition(".")[0] != "dspy"
        text = getattr(kind, "__doc__", None) if own else None
    return " ".join((text or "").split("\n\n")[0].split())


def _is(annotation: Any, kind: type) -> bool:
    """Whether a type is this one, or this one or nothing."""
    if get_origin(annotation) is Annotated:
        return _is(get_args(annotation)[0], kind)
    if get_origin(annotation) in (Union, UnionType):
        arms = [arm for arm in get_args(annotation) if arm is not type(None)]
        return len(arms) == 1 and _is(arms[0], kind)
    return annotation is kind
