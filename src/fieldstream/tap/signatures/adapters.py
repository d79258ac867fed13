"""Which parser reads what an adapter asks an LM to write.

Touches of DSPy: the identity of ``ChatAdapter.parse``, ``JSONAdapter.parse`` and ``XMLAdapter.parse`` (an adapter that
inherits one of them reads its format).
"""

import inspect
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, TypeAlias

import dspy

from fieldstream.fields import (
    CallsParser,
    ChatParser,
    CodeParser,
    FieldParser,
    Fields,
    JsonParser,
    JsonValuesParser,
    Later,
    Slot,
    StructuredParser,
    XmlParser,
)
from fieldstream.tap.record.writer import NewParser
from fieldstream.tap.signatures.shapes import slots_of
from fieldstream.tap.signatures.values import allows_none, field_kind, is_code
from fieldstream.tap.signatures.xml_types import xml_types_of


def _parse_of(adapter: type[dspy.Adapter]) -> Any:
    # DSPy wraps `parse` anew in every subclass; what is wrapped tells whether the subclass has one of its own.
    return inspect.unwrap(adapter.parse)


_Format: TypeAlias = tuple[Callable[[Fields, Collection[str]], FieldParser], bool]

_FORMATS: dict[Any, _Format] = {
    _parse_of(dspy.ChatAdapter): (lambda fields, _: ChatParser(fields), True),
    _parse_of(dspy.JSONAdapter): (JsonParser, False),
    _parse_of(dspy.XMLAdapter): (lambda fields, _: XmlParser(fields), True),
}
"""By an adapter's ``parse``: who makes a parser of its format, of the fields and of which of them may be ``None``; and
whether a field's literal text is ``raw``.
"""


_registered: dict[type[dspy.Adapter], _Format] = {}


def register_parser(
    adapter: type[dspy.Adapter], factory: Callable[[Fields], FieldParser] | None, *, json_literals: bool = False
) -> None:
    """Have an adapter's answers read as they come, by parsers of your own.

        class LinesAdapter(dspy.ChatAdapter):  # its format: a line "name: value" for each field
            ...

        fieldstream.register_parser(LinesAdapter, LinesParser)

    ``factory`` is called for each answer with the fields to look for (a dictionary of their names and kinds: ``"text"``
    or ``"data"``, in the signature's order), and gives a ``fieldstream.fields.FieldParser``. It holds for the adapter
    class and for those derived from it that have no ``parse`` of their own; it comes before what fieldstream knows
    itself; ``None`` takes it back. Runs that have begun are not affected.

    Of a ``data`` field the parser gives the literal text (``Written``), which is read on as the value that the
    adapter's ``parse`` will make of it: JSON, or what models write in its place, or a bare word or number. With
    ``json_literals`` it is JSON alone, and a string is in quotes.

    Whatever the parser says, the last word is the adapter's own ``parse``: what is missing is added, what is wrong is
    withdrawn. Raises ``TypeError`` where the arguments are no such things.
    """
    if not (isinstance(adapter, type) and issubclass(adapter, dspy.Adapter)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"register_parser takes a class of adapters, and this is {adapter!r}; "
            f"pass the class that you derived from dspy.Adapter, not an object of it"
        )
    if factory is None:
        _registered.pop(adapter, None)
        return
    if not callable(factory):
        raise TypeError(f"factory is {factory!r}; it must be callable: factory(fields) gives a parser for one answer")
    known = factory
    _registered[adapter] = (lambda fields, _: known(fields), not json_literals)


def _format_of(adapter: type[dspy.Adapter]) -> _Format | None:
    parse = _parse_of(adapter)
    for base in adapter.__mro__:
        if base in _registered and _parse_of(base) is parse:
            return _registered[base]
    return _FORMATS.get(parse)


def parser_of(adapter: dspy.Adapter, signature: Any, undecided: Collection[str] = ()) -> NewParser | None:
    """Makes parsers for the adapter's format; none where only the adapter itself can read it.

    The values of the fields that are ``undecided`` are others than those that are written.
    """
    known = _format_of(type(adapter))
    if known is None:
        return None
    fields = output_fields(signature)
    annotations: dict[str, Any] = {name: info.annotation for name, info in signature.output_fields.items()}
    code = {name for name, annotation in annotations.items() if is_code(annotation)}
    calls = {name for name, annotation in annotations.items() if annotation is dspy.ToolCalls}
    raw = known[1]
    for name in code:
        fields[name] = "text" if raw else "data"
    new_parser = _parser_of(known, signature, fields, {*undecided, *code, *calls})
    if calls:
        new_parser = partial(_with_calls, new_parser, calls - set(undecided))
    if code:
        slots = slots_of(signature)
        new_parser = partial(_with_code, new_parser, {name: slots[name].done for name in code}, literal=not raw)
    return new_parser


def _with_calls(new_parser: NewParser, calls: set[str]) -> FieldParser:
    return CallsParser(new_parser(), calls)


def _with_code(new_parser: NewParser, code: dict[str, bool], *, literal: bool) -> FieldParser:
    return CodeParser(new_parser(), code, literal=literal)


def _parser_of(known: _Format, signature: Any, fields: Fields, undecided: Collection[str]) -> NewParser:
    new_parser, raw = known
    optional = {name for name, info in signature.output_fields.items() if allows_none(info.annotation)}
    slots = slots_of(signature) | {name: Slot(Later()) for name in undecided}
    if "data" not in fields.values() and not any(slot.done for slot in slots.values()):
        return lambda: new_parser(fields, optional)
    if known is _FORMATS[_parse_of(dspy.XMLAdapter)]:  # Its parser reads values itself: they are no JSON.
        types = xml_types_of(signature, undecided)
        slots |= {name: Slot(Later()) for name, kind in fields.items() if kind == "data"}
        return lambda: StructuredParser(XmlParser(fields, types), slots, raw=raw)
    if known is _FORMATS[_parse_of(dspy.JSONAdapter)]:
        return lambda: JsonValuesParser(JsonParser(fields, optional), slots)
    return lambda: StructuredParser(new_parser(fields, optional), slots, raw=raw)


def asks_again(adapter: object) -> bool:
    """Whether the adapter has another adapter ask an LM for the fields, once it has the answer to its own question."""
    return isinstance(adapter, dspy.TwoStepAdapter)


def output_fields(signature: Any) -> Fields:
    """The output fields of a signature, with their kinds."""
    return {name: field_kind(info.annotation) for name, info in signature.output_fields.items()}
