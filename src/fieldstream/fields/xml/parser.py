r"""The XML format: an element for each field.

``XMLAdapter.parse`` puts a root around the whole text and gives it to ElementTree. What is not well-formed is refused
as a whole; text outside of elements is nobody's; ``<entry key="name">`` counts as ``<name>``. Of a ``text`` field's
element

* without children: its text, with references and CDATA resolved, stripped on both sides;
* with children: its text as it is, then each child as ElementTree writes it out, with the text behind it. When the
  first child comes, what was shown stripped is withdrawn if whitespace is missing before it;
* that comes again: the first one, if it had children; else Python's ``str`` of the list of all their stripped texts
  (before any children of theirs), which is known at the end.

A ``data`` field's literal is the source between the tags of the first such element. What changes in its value is told
by ``values``, where the field's type is known.

A child with a namespace is shown when it is whole: only then are the declarations known that ElementTree puts on it.

Rules of this file: Expat reads, so that all is resolved and refused as ElementTree does it. It is given whole tags,
comments and references only (``scanner``). Text in which it would find nothing to resolve or refuse it is not given.
"""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from xml.parsers import expat

from fieldstream.fields.changes import Appended, Change, Closed, Completed, Fields, Opened, Withdrawn, Written
from fieldstream.fields.values.shapes import Slot
from fieldstream.fields.xml.plans import Plan, name_of
from fieldstream.fields.xml.scanner import XmlScanner
from fieldstream.fields.xml.values import XmlValue

_NOT_PLAIN = re.compile(r"[<&\]]")


class XmlParser:
    """Reads the answer of an ``XMLAdapter`` incrementally.

    ``types``: of data fields the slot, and the plans by which their elements are read. Elements of a list that are the
    field's own may follow one another: their values come after ``Closed``, up to the text's end.
    """

    __slots__ = (
        "_again",
        "_again_text",
        "_blank",
        "_builder",
        "_changes",
        "_child",
        "_depth",
        "_done",
        "_exotic",
        "_expat",
        "_field",
        "_fields",
        "_lead",
        "_length",
        "_literal",
        "_mixed",
        "_quick",
        "_said",
        "_scanner",
        "_seen",
        "_shown",
        "_tag",
        "_texts",
        "_types",
        "_value",
        "_values",
        "_wary",
    )

    def __init__(self, fields: Fields, types: Mapping[str, tuple[Slot, tuple[Plan, ...]]] | None = None) -> None:
        self._fields = dict(fields)
        self._types = types or {}
        self._seen: set[str] = set()
        self._done = False
        self._quick = False  # plain text is more of the field, and nothing else
        self._changes: list[Change] = []
        self._scanner = XmlScanner(self._pass)
        # The field that is being read. `_said` is its text up to this feed, `_shown` what this feed adds to it.
        self._depth = 0
        self._field = ""
        self._literal = False
        self._said = io.StringIO()
        self._shown: list[str] = []
        self._length = 0  # of both
        # Stripping: the whitespace before the text (once there is text), and since.
        self._lead: str | None = None
        self._blank: list[str] = []
        # Children: whether there are any; the start of the innermost while it may be empty; the outermost as a tree.
        self._mixed = False
        self._tag = ""
        self._builder: ET.TreeBuilder | None = None
        self._child = 0  # the text's length where the outermost one began
        self._exotic = False  # it is shown when it is whole
        self._wary = False  # so are all that follow: to be wrong once is enough
        # Repeated elements: the text of the first, then of the others; and whose text is being read.
        self._texts: dict[str, list[str]] = {}
        self._again = ""
        self._again_text: list[str] = []
        # The values of data fields, and the one that is being read.
        self._values: dict[str, XmlValue] = {}
        self._value: XmlValue | None = None
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True  # one call for adjacent text; whatever there is comes at the end of each `Parse`
        if hasattr(parser, "SetReparseDeferralEnabled"):  # Expat 2.6
            parser.SetReparseDeferralEnabled(False)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        self._expat: expat.XMLParserType | None = parser
        parser.Parse("<dspy_root>", False)

    def feed(self, text: str) -> list[Change]:
        if self._quick and text.isprintable() and _NOT_PLAIN.search(text) is None:
            return self._feed_plain(text)
        if self._done:
            raise RuntimeError("feed after finish: make a new parser for each answer")
        if self._expat is None:
            return []
        try:
            self._scanner.feed(text)
        except (expat.ExpatError, UnicodeEncodeError, RecursionError):
            self._refuse()
        else:
            self._quick = (
                bool(self._field)
                and (self._literal or (self._lead is not None and not self._mixed))
                and self._scanner.in_content
                and text[-1:] not in "]\r"  # Expat waits for what follows these.
            )
        return self._flush()

    def _feed_plain(self, text: str) -> list[Change]:
        if self._literal:
            if not text:
                return []
            self._length += len(text)
            written = Written(self._field, text)
            if self._value is None:
                return [written]
            self._value.data(text)
            return [written, *self._value.take()]
        body = text.rstrip()
        if not body:
            if text:
                self._blank.append(text)
            return []
        shown = "".join((*self._blank, body)) if self._blank else body
        self._blank = [text[len(body) :]] if len(body) < len(text) else []
        self._said.write(shown)
        self._length += len(shown)
        return [Appended(self._field, shown)]

    def finish(self) -> list[Change]:
        if self._done:
            return []
        self._done = True
        self._quick = False
        if self._expat is not None:
            try:
                self._expat.Parse(self._scanner.rest + "</dspy_root>", True)
            except (expat.ExpatError, UnicodeEncodeError, RecursionError):
                pass
            else:
                self._conclude()
            self._refuse()
        if self._field:
            self._flush_text()
            self._changes.append(Closed(self._field))
            self._field = ""
        return self._flush()

    def _refuse(self) -> None:
        """Say nothing more; and let go of Expat and the scanner, which hold on to this parser."""
        self._quick = False
        self._expat = None
        self._scanner = XmlScanner(_nobody)

    # From Expat to the fields.

    def _pass(self, text: str) -> None:
        """Give Expat a piece that it can read to its end, and take it down if it is a part of a literal."""
        inside = self._literal
        self._expat.Parse(text, False)  # pyright: ignore[reportOptionalMemberAccess]
        if inside and self._literal:
            self._put(text)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 2:
            field = name_of(name, attributes)
            if field not in self._fields:
                return
            if field not in self._seen:
                self._seen.add(field)
                self._open(field)
            elif field in self._texts:
                self._again = field
            self._value = self._values.get(field)
            if self._value is not None:
                self._value.start(field, attributes)
        elif self._value is not None:
            self._value.start(*_as_tree(name, attributes))
        elif self._again:
            self._end_again()
        elif self._field and not self._literal:
            self._start_child(name, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._value is not None:
            self._value.end(_tag(name))
        if self._depth > 1:
            if self._field and not self._literal:
                self._end_child(name)
        elif self._depth == 1:
            if self._again:
                self._end_again()
            self._take_value()
            if self._field:
                self._close()
            self._value = None

    def _data(self, text: str) -> None:
        if self._value is not None:
            self._value.data(text)
        if self._field:
            if self._literal:
                return
            if self._mixed:
                self._data_among_children(text)
                return
            body = text.rstrip()
            if body:
                blank = text[len(body) :]
                if self._lead is None:
                    stripped = body.lstrip()
                    self._lead = "".join(self._blank) + body[: len(body) - len(stripped)]
                    body = stripped
                elif self._blank:
                    self._blank.append(body)
                    body = "".join(self._blank)
                self._blank = [blank] if blank else []
                self._put(body)
            else:
                self._blank.append(text)
        elif self._again:
            self._again_text.append(text)

    def _open(self, field: str) -> None:
        self._field = field
        self._literal = self._fields[field] == "data"
        self._said = io.StringIO()
        self._length = 0
        self._lead = None
        self._blank = []
        self._mixed = False
        self._wary = False
        if field in self._types:
            self._values[field] = XmlValue(field, *self._types[field])
        self._changes.append(Opened(field))

    def _close(self) -> None:
        field = self._field
        self._flush_text()
        if not self._literal and not self._mixed:
            self._texts[field] = [self._said.getvalue()]
        self._changes.append(Closed(field))
        if self._value is not None and self._value.complete:
            self._changes.append(Completed(field))
        self._field = ""
        self._literal = False
        self._builder = None

    def _put(self, text: str) -> None:
        self._shown.append(text)
        self._length += len(text)

    def _flush_text(self) -> None:
        if self._shown:
            text = "".join(self._shown)
            self._shown = []
            if text:
                if self._literal:
                    self._changes.append(Written(self._field, text))
                else:
                    self._said.write(text)
                    self._changes.append(Appended(self._field, text))

    def _take_value(self) -> None:
        self._flush_text()
        if self._value is not None:
            self._changes += self._value.take()

    def _flush(self) -> list[Change]:
        self._take_value()
        changes = self._changes
        self._changes = []
        return changes

    def _say_anew(self, text: str) -> None:
        """The field's text up to here is this, and not what was shown."""
        if self._said.tell():
            self._changes.append(Withdrawn(self._field))
            self._said = io.StringIO()
        self._shown = [text]
        self._length = len(text)

    # Children.

    def _start_child(self, name: str, attributes: dict[str, str]) -> None:
        if not self._mixed:
            self._mixed = True
            blank = "".join(self._blank)
            if self._lead:
                self._say_anew(self._lead + self._said.getvalue() + "".join(self._shown) + blank)
            elif blank:
                self._put(blank)
        if self._builder is None:
            self._builder = ET.TreeBuilder()
            self._child = self._length
            self._exotic = self._wary
        tag, attrs = _as_tree(name, attributes)
        self._builder.start(tag, attrs)
        if not self._exotic and ("}" in name or any("}" in key for key in attributes)):
            self._exotic = True
            if self._length > self._child:
                self._wary = True
                before = (self._said.getvalue() + "".join(self._shown))[: self._child]
                if self._said.tell() > self._child:
                    self._say_anew(before)
                else:
                    self._shown = [before[self._said.tell() :]]
                    self._length = self._child
            self._tag = ""
        if not self._exotic:
            self._fill_tag()
            self._tag = ET.tostring(ET.Element(tag, attrs), "unicode").removesuffix(" />")

    def _fill_tag(self) -> None:
        """The innermost child is not empty."""
        if self._tag:
            self._put(self._tag + ">")
            self._tag = ""

    def _end_child(self, name: str) -> None:
        if self._builder is None:
            return
        self._builder.end(_tag(name))
        if not self._exotic:
            self._put(self._tag + " />" if self._tag else f"</{name}>")
            self._tag = ""
        if self._depth == 2:
            if self._exotic:
                self._put(ET.tostring(self._builder.close(), "unicode"))
            self._builder = None

    def _data_among_children(self, text: str) -> None:
        if self._builder is not None:
            self._builder.data(text)
            if self._exotic:
                return
            self._fill_tag()
        self._put(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))

    # Repeated elements.

    def _end_again(self) -> None:
        self._texts[self._again].append("".join(self._again_text).strip())
        self._again = ""
        self._again_text = []

    def _conclude(self) -> None:
        for field, texts in self._texts.items():
            if len(texts) > 1:
                self._changes += [Withdrawn(field), Appended(field, str(texts)), Closed(field)]
        for field, value in self._values.items():
            if not value.complete:
                value.finish()
                self._changes += value.take()
                if value.complete:
                    self._changes.append(Completed(field))


def _tag(name: str) -> str:
    """Where Expat has a namespace's name before "}", ElementTree has it in braces."""
    return "{" + name if "}" in name else name


def _as_tree(name: str, attributes: dict[str, str]) -> tuple[str, dict[str, str]]:
    return _tag(name), {_tag(key): value for key, value in attributes.items()}


def _nobody(piece: str) -> None: ...
