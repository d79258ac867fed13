r"""JSON, and what models write instead of it, in pieces: an incremental tokenizer as tolerant as DSPy's parsing.

DSPy reads such a text by ``json.loads``, else by ``json_repair``, else by ``ast.literal_eval``, else it is a string.

Rules of this file: what is valid is told as ``json.loads`` reads it. What is not is told as ``json_repair`` would
read it, as far as that can be known without reading on. A wrong guess is the caller's to correct; nothing is an error.
From the first damage on, escapes and ends of strings are those of ``json_repair``. Blanks are told with what follows
them, since ``json_repair`` strips an unfinished string.

An object begins with its first key, as it may be a set (which is told as an array); an array's element with the first
of what is in it, as empty ones may be dropped.

===========  =========================================================  =========================
state        what may come                                              where it leads
===========  =========================================================  =========================
``prose``    anything before a container; a string, if it is first      ``item``, ``member``, ...
``paren``    after ``(`` in prose: what makes it a tuple                ``item``, ``prose``
``item``     a value, or the end of an array                            by its kind
``member``   a key, or the end of an object                             ``string``, ``label``
``next``     after a value: ``,``, the container's end, or more of it   by its kind
``key``      after ``,`` in an object: a key, or the end                ``string``, ``label``
``value``    after ``:``, or after ``,`` in an array: a value           by its kind
``string``   the rest of a string, or of a key in quotes                ``quote``
``quote``    what tells whether a quote ends its string                 ``next``, ``colon``, back
``doubt``    ... and that ``,`` after it                                ``next``, ``string``
``label``    the rest of a key without quotes                           ``colon``
``colon``    ``:``, or what stands in its place                         ``value``
``word``     the rest of a number, a name (``true``), or a first word   ``next``, ``bare``
``bare``     the rest of a string without quotes                        ``next``
``comment``  the rest of a comment                                      where it came from
``over``     nothing: the outermost value has ended
``lost``     nothing: this cannot be told in pieces
===========  =========================================================  =========================
"""

import re
from collections.abc import Callable
from typing import ClassVar, Final, Literal, Protocol, TypeAlias

from fieldstream.fields.lenient.strings import QUOTES, read_json, read_loose, unescape
from fieldstream.fields.lenient.words import NAMES, NUMERIC, Scalar, alone, is_json, meaning

Kind: TypeAlias = Literal["{", "[", '"']
"""A value's kind: an object, an array (or a tuple), or a string."""

Outside: TypeAlias = Literal["prose", "paren", "comment", "over", "lost"]
Structure: TypeAlias = Literal["item", "member", "next", "key", "value", "colon"]
Inside: TypeAlias = Literal["string", "quote", "doubt", "label", "word", "bare"]
State: TypeAlias = Outside | Structure | Inside
"""Where the tokenizer stands: see the table above."""

_CLOSES: Final = {"{": "}", "[": "]", "(": ")", "(,": ")", "{,": "}"}
_STARTS: Final = "-0123456789tfnNI"
_AS_JSON: Final = {
    "item": '{["]' + _STARTS,
    "member": '"}',
    "next": ",]}",
    "key": '"',
    "value": '{["' + _STARTS,
    "colon": ":",
}
_BEGINS = re.compile(r'[{\[("/#]')
_LINE_END = re.compile(r"[\n\r]")
_HASH_ENDS = {
    (array, member): re.compile(r"[\n\r" + r"\]" * array + "}" * member + "]")
    for array in (False, True)
    for member in (False, True)
}
_BLOCK_END = re.compile(r"\*/")


def _all(pattern: str) -> Callable[[str, int], re.Match[str]]:
    """A pattern that always matches, if only nothing."""
    return re.compile(f"(?:{pattern})*+", re.DOTALL).match  # pyright: ignore[reportReturnType]


_blank = _all(r"\s")
_json_blank = _all(r"[ \t\n\r]")
_word = _all(r'[^\s,\]})"]')
_json_word = _all(r"[-+.0-9A-Za-z]")
_label = _all(r"[^\s:,}]")
_bare_member = _all(r'[^,}"]')
_bare_item = _all(r'[^,\]"]')


class LenientListener(Protocol):
    """Is told what a text says, in order."""

    def key(self, name: str) -> None:
        """The next value is the member ``name`` of the innermost object."""
        ...

    def begin(self, kind: Kind) -> None:
        """An object, an array or a string begins."""
        ...

    def text(self, part: str) -> None:
        """More of the innermost value, a string: free of escapes, and never empty."""
        ...

    def end(self, kind: Kind) -> None:
        """The innermost value ended."""
        ...

    def scalar(self, value: Scalar) -> None:
        """A value that is whole at once: a number, a truth value or nothing."""
        ...


class LenientTokenizer:
    """Reads one value, in any split."""

    __slots__ = (
        *("_arrays", "_back", "_comment_end", "_first", "_fresh", "_gap", "_held", "_inner", "_last", "_listener"),
        *("_name", "_named", "_parts", "_quote", "_quoted", "_said", "_stack", "_tail", "_untold", "state", "strict"),
    )

    def __init__(self, listener: LenientListener) -> None:
        self.state: State = "prose"
        self.strict = True
        """Whether all so far is what ``json.loads`` would take, from the value's first character on: no damage."""
        self._listener = listener
        self._stack: list[str] = []  # what is open: "{", "[", "(", "(," (surely a tuple), "{," (surely a set)
        self._arrays = 0  # how many of these are no objects
        # What began last, while it is empty: an object may turn out to be a set, an empty element to be dropped.
        self._untold: list[Kind] = []
        self._last = ""  # the character that ended a value, if nothing stands between
        self._held = ""  # characters that do not yet say what they mean
        self._parts: list[str] = []  # of prose, a key, a word
        # A string:
        self._quote = '"'  # what ends it
        self._named = False  # it is a key
        self._said = False  # it has characters
        self._inner = False  # a quotation began in it
        self._tail: list[str] = []  # blanks at its present end
        self._gap: list[str] = []  # what follows a quote that may end it
        # A key that waits for its colon:
        self._name = ""
        self._quoted = False
        # Prose and comments:
        self._first = True  # nothing but blanks so far
        self._fresh = True  # nothing but blanks in this line
        self._comment_end = _LINE_END
        self._back: State = "prose"

    @property
    def over(self) -> bool:
        """Whether the outermost value has ended."""
        return self.state == "over"

    @property
    def lost(self) -> bool:
        """Whether nothing more can be told."""
        return self.state == "lost"

    def feed(self, text: str) -> int:
        """Read on. Gives how many of the characters follow the value, and were not read."""
        if self._held:
            text = self._held + text
            self._held = ""
        elif self.state == "string" and self.strict and text.isprintable() and '"' not in text and "\\" not in text:
            self._say(text)  # nearly always
            return 0
        at, size = 0, len(text)
        while at < size:
            read = self._READERS.get(self.state)
            if read is None:
                return size - at
            at = read(self, text, at)
        return 0

    def finish(self) -> None:
        """The text is over: what is open ends as it does for ``json_repair``. More calls do nothing."""
        held, self._held = self._held, ""
        if self.state == "over" or self.state == "lost":
            return
        if not self._stack:
            self._finish_outside(held)
            return
        if self.state == "comment":
            self.state = self._back
        match self.state:
            case "string":
                self._say(unescape(held))
                self._end_string(whole=False)
            case "quote":
                self._gap = ["\n"]
                self._end_string()
            case "doubt":
                self._resume_string()
                self._end_string(whole=False)
            case "label":
                self._name = "".join(self._parts)
                self._quoted = False
                self.state = "colon"
            case "word":
                self._tell_word("".join(self._parts), "")
            case "bare":
                self._end_bare()
            case "value" if self._stack[-1] == "{":
                self._tell_string("")
            case _:
                pass
        if self.state == "colon" and self._untold:
            self._begin_set("")
        while self._empty_element():
            self._drop()
        while self._stack:
            self._close()

    # Between strings and words

    def _read_structure(self, text: str, at: int) -> int:
        char = text[at]
        last, self._last = self._last, ""
        state = self.state
        if self.strict:  # First what there is most of.
            if char == " ":
                return at + 1
            if char == '"' and (state == "key" or state == "member"):
                self._begin_string(char, named=True)
                return at + 1
            if char == "," and state == "next":
                self._last = last and char
                self.state = "key" if self._stack[-1] == "{" else "value"
                return at + 1
        if char.isspace():
            return self._skip_blanks(text, at)
        if self.strict and char not in _AS_JSON[state]:
            self.strict = False
        if char == "#" or char == "/":
            return self._begin_comment(text, at)
        if state == "colon":
            return self._read_colon(char, at)
        top = self._stack[-1]
        in_object = top == "{"
        if char == "]" or char == "}" or char == ")":
            return self._read_closer(text, at, last)
        if char == ",":
            if in_object and state == "value":
                self._tell_string("")
            if top == "(":
                self._stack[-1] = "(,"
            self._last = last and char
            self.state = "key" if in_object else "value"
        elif in_object and state != "value":
            if char in QUOTES:
                self._begin_string(char, named=True)
            elif char.isalnum():
                self._parts = []
                self.state = "label"
                return at
            elif char == "[":
                self.state = "lost"  # rows without an array
        elif char in QUOTES:
            self._begin('"')
            self._begin_string(char, named=False)
        elif char == "{" or char == "[" or char == "(":
            self._open(char)
        elif char.isalnum() or char == "-" or char == ".":
            self._parts = []
            self.state = "word"
            return at
        return at + 1

    def _skip_blanks(self, text: str, at: int) -> int:
        end = _blank(text, at).end()
        if self.strict and _json_blank(text, at).end() < end:
            self.strict = False
        return end

    def _read_closer(self, text: str, at: int, last: str) -> int:
        char = text[at]
        top = self._stack[-1]
        if char != _CLOSES[top]:
            self.strict = False
        if top == "{":
            if char == "]" and self._arrays and last:
                self._close()
                return at
            if char != "}":
                return at + 1
            if self.state == "value":
                self._tell_string("")
        elif char == "}":
            if last == "}":
                return at + 1
        elif char != _CLOSES[top]:
            return at + 1
        if not self.strict and self._empty_element():
            # `json_repair` drops what is empty, if no comma or end follows at once, and that character with it.
            if at + 1 == len(text):
                self._held = char
                return at + 1
            if text[at + 1] != "," and text[at + 1] != _CLOSES[self._stack[-2]]:
                self._drop()
                return at + 2
        self._close()
        self._last = char
        return at + 1

    def _read_colon(self, char: str, at: int) -> int:
        if char != ":":
            if self._untold and char in ",}":
                self._begin_set(char)
                return at
            if char in ",}" or not self._quoted:
                self.state = "key"
                return at
        self._tell_begins()
        self._listener.key(self._name)
        self.state = "value"
        return at + 1

    def _open(self, char: Literal["{", "[", "("]) -> None:
        self._begin("{" if char == "{" else "[")
        self._stack.append(char)
        if char == "{":
            self.state = "member"
        else:
            self._arrays += 1
            self.state = "item"

    def _begin(self, kind: Kind) -> None:
        if kind == "{" or (self._stack and self._stack[-1] != "{"):
            self._untold.append(kind)
        else:
            self._listener.begin(kind)

    def _tell_begins(self) -> None:
        if self._untold:
            for kind in self._untold:
                self._listener.begin(kind)
            self._untold = []

    def _empty_element(self) -> bool:
        """Whether the innermost container is empty, and an array's."""
        return bool(self._untold) and len(self._stack) > 1 and self._stack[-2] != "{"

    def _drop(self) -> None:
        """Forget the innermost container: it is empty, and nobody knows of it."""
        self._untold.pop()
        self._arrays -= self._stack.pop() != "{"
        self.state = "next"

    def _begin_set(self, char: str) -> None:
        self._untold[-1] = "["
        self._stack[-1] = "{,"
        self._arrays += 1
        if not self._quoted:
            self._tell_word(self._name, char)
        elif self._name or char:
            self._tell_string(self._name)

    def _close(self) -> None:
        self._tell_begins()
        top = self._stack.pop()
        if top == "(" and self.state == "next":
            self._stack.clear()
            self.state = "lost"  # no tuple, but a value in parentheses
        elif top == "{":
            self._listener.end("{")
            self._after()
        else:
            self._arrays -= 1
            self._listener.end("[")
            self._after()

    def _after(self) -> None:
        self.state = "next" if self._stack else "over"

    def _tell_string(self, text: str) -> None:
        self._tell_begins()
        self._listener.begin('"')
        if text:
            self._listener.text(text)
        self._listener.end('"')
        self._after()

    # Strings

    def _begin_string(self, char: str, *, named: bool) -> None:
        self._quote = QUOTES[char]
        self._named = named
        self._said = self._inner = False
        self._parts = []
        self.state = "string"

    def _read_string(self, text: str, at: int) -> int:
        if self.strict:
            part, end, partial = read_json(text, at)
        else:
            part, end = read_loose(text, at, self._quote)
            partial = end == len(text) or text[end] == "\\"
        self._say(part)
        if partial:
            self._held = text[end:]
            return len(text)
        if text[end] != self._quote:
            self.strict = False
            if not self._stack:
                self.state = "lost"
            return end
        if self._stack:
            self.state = "quote"
        else:
            self._end_string()
        return end + 1

    def _say(self, part: str) -> None:
        """More of the string."""
        if not part:
            return
        self._said = True
        if self._named:
            self._parts.append(part)
            return
        told = part.rstrip()
        size = len(told)
        if told:
            if self._tail:
                told = "".join(self._tail) + told
                self._tail = []
            if self._untold:
                self._tell_begins()
            self._listener.text(told)
        if size < len(part):
            self._tail.append(part[size:])

    def _end_string(self, *, whole: bool = True) -> None:
        gap, self._gap = self._gap, []
        if self._named:
            self._name = "".join(self._parts)
            self._quoted = True
            self.state = "colon"
            return
        if self._tail:
            tail = "".join(self._tail)
            self._tail = []
            if whole and (self.strict or tail[-1] != "\n"):
                self._tell_begins()
                self._listener.text(tail)
        if self._untold and (not whole or (gap and not self.strict)):
            self._untold.pop()  # dropped, as an empty container is
        else:
            self._tell_begins()
            self._listener.end('"')
        self._after()
        self._last = "" if gap else '"'

    def _read_quote(self, text: str, at: int) -> int:
        """What follows a quote tells whether it ends the string."""
        char = text[at]
        if self.state == "quote" and not self._inner and (char == ":" if self._named else char in ",]}"):
            self._end_string()  # nearly always
            return at
        end = self._skip_blanks(text, at)
        if end > at:
            self._gap.append(text[at:end])
        if end == len(text):
            return end
        char = text[end]
        if char == "/" and end + 1 == len(text):
            self.strict = False
            self._held = char
            return end + 1
        top = self._stack[-1]
        if self._named:
            ends = char in ":,}" or char in QUOTES or bool(self._gap)
        elif self.state == "doubt":
            ends = char in QUOTES
        elif self._inner:
            if top == "{" and char == ",":
                self._gap.append(char)
                self.state = "doubt"
                return end + 1
            ends = False
        elif char == ":" and top != "{":
            self.strict = False
            self.state = "lost"  # an object without its brace
            return end
        else:
            ends = char in ",]}" or char in QUOTES or (char == ")" and top[0] == "(")
            if self._gap and not ends:
                ends = text.startswith(("#", "//", "/*"), end)
                if top != "{" or any("\n" in part for part in self._gap):
                    ends = ends or char.isalnum() or char in "-["
        if not ends:
            self._resume_string()
        else:
            member = self.state == "doubt"
            self._end_string()
            if member:
                self.state = "key"
        return end

    def _resume_string(self) -> None:
        """The quote did not end the string."""
        self.strict = False
        if self._said or self._named or self._stack[-1] == "{":
            self._say(self._quote)
            self._inner = not self._inner
        self._say("".join(self._gap))
        self._gap = []
        self.state = "string"

    # Words: numbers, names, and strings without quotes

    def _read_label(self, text: str, at: int) -> int:
        end = _label(text, at).end()
        self._parts.append(text[at:end])
        if end < len(text):
            self._name = "".join(self._parts)
            self._quoted = False
            self.state = "colon"
        return end

    def _read_word(self, text: str, at: int) -> int:
        end = _word(text, at).end()
        if self.strict and _json_word(text, at).end() < end:
            self.strict = False
        if end > at:
            self._parts.append(text[at:end])
        if end == len(text):
            return end
        char = text[end]
        if char == "," and self._stack[-1] == "{" and self._parts[0][0] in NUMERIC:
            # In an object, `json_repair` takes "1,000" for one word.
            if end + 1 == len(text):
                self.strict = self.strict and is_json("".join(self._parts))
                self._held = char
                return end + 1
            if text[end + 1] in NUMERIC:
                self.strict = False
                self._parts.append(char)
                return end + 1
        self._tell_word("".join(self._parts), char)
        return end

    def _read_bare(self, text: str, at: int) -> int:
        end = (_bare_member if self._stack[-1] == "{" else _bare_item)(text, at).end()
        if end > at:
            self._parts.append(text[at:end])
        if end == len(text):
            return end
        self._end_bare()
        return end + (text[end] == '"')

    def _end_bare(self) -> None:
        self._tell_string(unescape("".join(self._parts)).rstrip())

    def _tell_word(self, word: str, char: str) -> None:
        """Tell what this word means before this character; or take it for the first one of a string."""
        self.strict = self.strict and is_json(word)
        match meaning(word, char, strict=self.strict, in_object=self._stack[-1] == "{"):
            case "scalar", value:
                self._tell_scalar(value)
            case "string", value:
                self._tell_string(unescape(value))
            case "bare", value:
                self._parts = [value]
                self.state = "bare"
            case None:
                self.state = "next"

    def _tell_scalar(self, value: Scalar) -> None:
        self._tell_begins()
        self._listener.scalar(value)
        self._after()
        self._last = "0"

    # Outside of the value, and comments

    def _read_prose(self, text: str, at: int) -> int:
        found = _BEGINS.search(text, at)
        end = found.start() if found else len(text)
        between = text[at:end]
        if between:
            self._parts.append(between)
            line = max(between.rfind("\n"), between.rfind("\r")) + 1
            blank = not between[line:].strip()
            self._first = self._first and not between.strip()
            self._fresh = blank if line else self._fresh and blank
        if not found:
            return end
        char = text[end]
        if char == "{" or char == "[":
            self._parts = []
            self._open(char)
            return end + 1
        if char == '"' and self._first:
            self._listener.begin(char)
            self._begin_string(char, named=False)
            return end + 1
        if char == "/" or char == "#":
            self._first = False
            return self._begin_comment(text, end)
        self._parts.append(char)
        if char == "(" and self._fresh:
            self.state = "paren"
        self._first = self._fresh = False
        return end + 1

    def _read_paren(self, text: str, at: int) -> int:
        """``json_repair`` looks for tuples at the beginning of a line, and at their first character."""
        end = _blank(text, at).end()
        self._parts.append(text[at:end])
        if end == len(text):
            return end
        begins = text[end : end + 5].lower()
        if begins[0] in "){[(-.“”\"'" or begins[0].isdigit() or begins.startswith(("true", "null", "none", "false")):
            self._parts = []
            self.strict = False
            self._open("(")
        elif end + len(begins) == len(text) and any(name.startswith(begins) for name in NAMES):
            self._held = text[end:]
            return len(text)
        else:
            self.state = "prose"
        return end

    def _begin_comment(self, text: str, at: int) -> int:
        """Read a comment's first characters, or a stray slash."""
        char = text[at]
        mark = text[at : at + 2]
        if mark == "/":
            self._held = mark
            return at + 1
        if char == "#":
            objects = len(self._stack) - self._arrays
            if objects and self._stack[-1] == "{" and self.state != "value":
                objects -= 1
            self._comment_end = _HASH_ENDS[bool(self._arrays), bool(objects)]
            mark = char
        elif mark == "//":
            self._comment_end = _LINE_END
        elif mark == "/*":
            self._comment_end = _BLOCK_END
        else:
            mark = char
        if not self._stack:
            self._parts.append(mark)
        if mark != "/":
            self._back = self.state
            self.state = "comment"
        return at + len(mark)

    def _read_comment(self, text: str, at: int) -> int:
        found = self._comment_end.search(text, at)
        block = self._comment_end is _BLOCK_END
        if found:
            end = found.end() if block else found.start()
            self.state = self._back
        else:
            end = len(text)
            if block and text[-1] == "*":
                self._held = "*"
                text = text[:-1]
        if not self._stack:
            self._parts.append(text[at:end])
        return end

    def _finish_outside(self, held: str) -> None:
        """A string that lacks its end, or no container at all."""
        if self.state == "string":
            self.state = "lost"
            return
        value = alone("".join(self._parts) + held)
        if isinstance(value, str):
            self._tell_string(value)
        else:
            self._tell_scalar(value)

    _READERS: ClassVar[dict[State, Callable[["LenientTokenizer", str, int], int]]] = {
        "prose": _read_prose,
        "paren": _read_paren,
        "item": _read_structure,
        "member": _read_structure,
        "next": _read_structure,
        "key": _read_structure,
        "value": _read_structure,
        "string": _read_string,
        "quote": _read_quote,
        "doubt": _read_quote,
        "label": _read_label,
        "colon": _read_structure,
        "word": _read_word,
        "bare": _read_bare,
        "comment": _read_comment,
    }
    """What reads on from each state, and gives how far; none where there is nothing to read."""
