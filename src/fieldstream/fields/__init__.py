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
from fieldstream.fields.draft import Draft
from fieldstream.fields.json import JsonParser
from fieldstream.fields.xml import XmlParser

__all__ = [
    "Appended",
    "Assigned",
    "Change",
    "ChatParser",
    "Closed",
    "Completed",
    "Draft",
    "FieldParser",
    "Fields",
    "JsonParser",
    "Opened",
    "Withdrawn",
    "Written",
    "XmlParser",
]
