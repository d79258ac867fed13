"""Reading an LM's answer as it comes: one incremental parser for each adapter's format."""

from fieldstream.fields.changes import (
    Appended,
    Assigned,
    Change,
    Closed,
    Completed,
    FieldParser,
    Fields,
    Opened,
    Withdrawn,
    Written,
)
from fieldstream.fields.chat import ChatParser
from fieldstream.fields.json.parser import JsonParser
from fieldstream.fields.json.values import JsonValuesParser
from fieldstream.fields.types.calls import CallsParser
from fieldstream.fields.types.code import CodeParser
from fieldstream.fields.types.native import NativeFields, NativeReader
from fieldstream.fields.values.corrections import alike, corrections
from fieldstream.fields.values.shapes import Choice, Items, Later, Members, Plain, Scalar, Shape, Slot, Text
from fieldstream.fields.values.structured import StructuredParser
from fieldstream.fields.xml.parser import XmlParser

__all__ = [
    "Appended",
    "Assigned",
    "CallsParser",
    "Change",
    "ChatParser",
    "Choice",
    "Closed",
    "CodeParser",
    "Completed",
    "FieldParser",
    "Fields",
    "Items",
    "JsonParser",
    "JsonValuesParser",
    "Later",
    "Members",
    "NativeFields",
    "NativeReader",
    "Opened",
    "Plain",
    "Scalar",
    "Shape",
    "Slot",
    "StructuredParser",
    "Text",
    "Withdrawn",
    "Written",
    "XmlParser",
    "alike",
    "corrections",
]
