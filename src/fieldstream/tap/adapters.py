"""Which parser reads what an adapter asks an LM to write.

Touches of DSPy: the identity of ``ChatAdapter.parse``, ``JSONAdapter.parse`` and ``XMLAdapter.parse`` (an adapter that
inherits one of them reads its format).
"""

import inspect
from typing import Any

import dspy

from fieldstream.fields import ChatParser, Fields, JsonParser, XmlParser
from fieldstream.tap.values import field_kind
from fieldstream.tap.writer import ParserFactory


def _parse_of(adapter: type[dspy.Adapter]) -> Any:
    # DSPy wraps `parse` anew in every subclass; what is wrapped tells whether the subclass has one of its own.
    return inspect.unwrap(adapter.parse)


_PARSERS: dict[Any, ParserFactory] = {
    _parse_of(dspy.ChatAdapter): ChatParser,
    _parse_of(dspy.JSONAdapter): JsonParser,
    _parse_of(dspy.XMLAdapter): XmlParser,
}


def parser_of(adapter: dspy.Adapter) -> ParserFactory | None:
    """The factory of parsers for the adapter's format; none where only the adapter itself can read it."""
    return _PARSERS.get(_parse_of(type(adapter)))


def asks_again(adapter: dspy.Adapter) -> bool:
    """Whether the adapter has another adapter ask an LM for the fields, once it has the answer to its own question."""
    return isinstance(adapter, dspy.TwoStepAdapter)


def output_fields(signature: Any) -> Fields:
    """The output fields of a signature, with their kinds."""
    return {name: field_kind(info.annotation) for name, info in signature.output_fields.items()}
