"""Which parser reads what an adapter asks an LM to write.

Touches of DSPy: the identity of ``ChatAdapter.parse``, ``JSONAdapter.parse`` and ``XMLAdapter.parse`` (an adapter that
inherits one of them reads its format).
"""

import inspect
from collections.abc import Callable, Collection
from typing import Any

import dspy

from fieldstream.fields import ChatParser, FieldParser, Fields, JsonParser, Later, Slot, StructuredParser, XmlParser
from fieldstream.tap.shapes import slots_of
from fieldstream.tap.values import allows_none, field_kind
from fieldstream.tap.writer import NewParser


def _parse_of(adapter: type[dspy.Adapter]) -> Any:
    # DSPy wraps `parse` anew in every subclass; what is wrapped tells whether the subclass has one of its own.
    return inspect.unwrap(adapter.parse)


_FORMATS: dict[Any, tuple[Callable[[Fields, Collection[str]], FieldParser], bool]] = {
    _parse_of(dspy.ChatAdapter): (lambda fields, _: ChatParser(fields), True),
    _parse_of(dspy.JSONAdapter): (JsonParser, False),
    _parse_of(dspy.XMLAdapter): (lambda fields, _: XmlParser(fields), True),
}
"""By an adapter's ``parse``: who makes a parser of its format, of the fields and of which of them may be ``None``; and
whether a field's literal text is ``raw``.
"""


def parser_of(adapter: dspy.Adapter, signature: Any, undecided: Collection[str] = ()) -> NewParser | None:
    """Makes parsers for the adapter's format; none where only the adapter itself can read it.

    The values of the fields that are ``undecided`` are others than those that are written.
    """
    known = _FORMATS.get(_parse_of(type(adapter)))
    if known is None:
        return None
    new_parser, raw = known
    fields = output_fields(signature)
    optional = {name for name, info in signature.output_fields.items() if allows_none(info.annotation)}
    if "data" not in fields.values():
        return lambda: new_parser(fields, optional)
    slots = slots_of(signature) | {name: Slot(Later()) for name in undecided}
    return lambda: StructuredParser(new_parser(fields, optional), slots, raw=raw)


def asks_again(adapter: object) -> bool:
    """Whether the adapter has another adapter ask an LM for the fields, once it has the answer to its own question."""
    return isinstance(adapter, dspy.TwoStepAdapter)


def output_fields(signature: Any) -> Fields:
    """The output fields of a signature, with their kinds."""
    return {name: field_kind(info.annotation) for name, info in signature.output_fields.items()}
