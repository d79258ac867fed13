"""The pieces of XML source that a parser can read to their ends.

Expat, given a part of a tag, a comment or a reference, reads it again from its start with every feed. So their ends are
looked for here, once, and they are held until then. Content goes through at once, CDATA too.

============  =====================================================
``_until``    what is held, or passed on in CDATA, and what ends it
============  =====================================================
``""``        content: nothing is held
``"?"``       markup whose kind is not yet clear
``"&"``       a reference, to ``;`` or to what cannot be in one
``">"``       a tag, to the next ``>`` that is not quoted
``"-->"``     a comment
``"?>"``      a processing instruction
``"]]>"``     CDATA: passed on
============  =====================================================
"""

import re
from collections.abc import Callable
from typing import Final

_MARKUP = re.compile("[<&]")
_REFERENCE_END = re.compile(r"[;<&\s]")
_TAG_STOP = re.compile("[\"'>]")
_CDATA: Final = "<![CDATA["
_SPECIAL: Final = {_CDATA: "]]>", "<!--": "-->", "<?": "?>"}


class XmlScanner:
    """Cuts source into such pieces, and gives each on."""

    __slots__ = ("_give", "_held", "_quote", "_until")

    def __init__(self, give: Callable[[str], None]) -> None:
        self._give = give
        self._until = ""
        self._held: list[str] = []
        self._quote = ""

    @property
    def rest(self) -> str:
        """What is held: markup whose end has not come."""
        return "" if self._until == "]]>" else "".join(self._held)

    @property
    def in_content(self) -> bool:
        """Whether what comes is text, as long as no markup begins."""
        return not self._until

    def feed(self, text: str) -> None:
        """Take text, in any split."""
        at = 0
        while at < len(text):
            match self._until:
                case "":
                    found = _MARKUP.search(text, at)
                    end = found.start() if found else len(text)
                    if end > at:
                        self._give(text[at:end])
                    if found:
                        self._until = "&" if found[0] == "&" else "?"
                        self._held = [found[0]]
                        end += 1
                    at = end
                case "?":
                    at = self._classify(text, at)
                case "&":
                    found = _REFERENCE_END.search(text, at)
                    end = found.end() if found and found[0] == ";" else found.start() if found else len(text)
                    self._held.append(text[at:end])
                    at = end
                    if found:
                        self._release()
                case ">":
                    at = self._read_tag(text, at)
                case "]]>":
                    at = self._read_cdata(text, at)
                case end:
                    at = self._read_to(end, text, at)

    def _classify(self, text: str, at: int) -> int:
        start = "".join(self._held)
        while at < len(text):
            start += text[at]
            at += 1
            if start in _SPECIAL:
                self._until = _SPECIAL[start]
                if start == _CDATA:
                    self._held = []
                    self._give(start)
                    self._held = [""]
                else:
                    self._held = [start]
                return at
            if not any(special.startswith(start) for special in _SPECIAL):
                self._until = ">"
                self._held = [start[:-1]]
                return at - 1
        self._held = [start]
        return at

    def _read_tag(self, text: str, at: int) -> int:
        start = at
        while at < len(text):
            if self._quote:
                end = text.find(self._quote, at)
                if end < 0:
                    break
                self._quote = ""
            else:
                found = _TAG_STOP.search(text, at)
                if found is None:
                    break
                end = found.start()
                if found[0] == ">":
                    self._held.append(text[start : end + 1])
                    self._release()
                    return end + 1
                self._quote = found[0]
            at = end + 1
        self._held.append(text[start:])
        return len(text)

    def _read_to(self, mark: str, text: str, at: int) -> int:
        """Hold what comes before the mark, which may have begun in an earlier feed."""
        tail = "".join(self._held[-2:])[-2:] if len(self._held) > 2 else "".join(self._held[1:])[-2:]
        end = (tail + text[at:]).find(mark)
        if end < 0:
            self._held.append(text[at:])
            return len(text)
        end += at - len(tail) + len(mark)
        self._held.append(text[at:end])
        self._release()
        return end

    def _read_cdata(self, text: str, at: int) -> int:
        tail = self._held[0]
        end = (tail + text[at:]).find("]]>")
        if end < 0:
            self._held = [(tail + text[at:])[-2:]]
            end = len(text)
        else:
            self._until = ""
            self._held = []
            end += at - len(tail) + 3
        self._give(text[at:end])
        return end

    def _release(self) -> None:
        held = "".join(self._held)
        self._until = ""
        self._held = []
        self._give(held)
