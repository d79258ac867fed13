"""How things are put into words: times, counts, tools' arguments; and text that a terminal can take."""

import re
from collections.abc import Mapping
from typing import Any, TextIO, cast

from fieldstream.events import Failure
from fieldstream.terminal.call import CallView
from fieldstream.terminal.value import as_json
from fieldstream.terminal.view import View

# Control characters (but line feeds and tabs), what changes the direction of text, and halves of surrogate pairs.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""The text with everything escaped that would not be seen, or would be obeyed: ``ESC`` becomes ``\x1b``."""
    return _UNSEEN.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return "\\r" if code == 13 else f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def one_line(text: str, most: int) -> str:
    """The text on one line, of at most so many characters."""
    line = visible(" ".join(text[: most * 4].split()))
    return line if len(line) <= most and len(text) <= most * 4 else f"{line[: most - 1].rstrip()}…"


def duration(seconds: float) -> str:
    """A time for a person: ``0.34 s``, ``12.3 s``, ``2 min 05 s``."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s"


def ticking(seconds: float) -> str:
    """A time that is going on: as ``duration``, but calmer."""
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def failed(error: Failure) -> str:
    """An error as Python words it."""
    return visible(f"{error.kind}: {error.message}" if error.message else error.kind)


def tokens(usage: Mapping[str, Any] | None) -> str:
    """What an LM's usage comes to: ``1,204 tokens in, 87 out``; empty where nobody counted."""
    return _tokens(*_counts(usage)) if usage else ""


def _tokens(read: int, written: int) -> str:
    return f"{read:,} tokens in, {written:,} out" if read or written else ""


def _counts(usage: Mapping[str, Any]) -> tuple[int, int]:
    """Tokens read and written; 0 where nobody counted."""
    return _count(usage, "prompt_tokens", "input_tokens"), _count(usage, "completion_tokens", "output_tokens")


def _count(usage: Mapping[str, Any], *names: str) -> int:
    return next((count for name in names if isinstance(count := usage.get(name), int)), 0)


def arguments(call: CallView, most: int) -> str:
    """A tool's arguments as in a call: ``(query="tides", limit=3)``."""
    given = call.arguments or {}
    return one_line(f"({', '.join(f'{name}={as_json(value)}' for name, value in given.items())})", most)


def lm_call(call: CallView) -> CallView | None:
    """The LM's call that a predictor made last."""
    return next((child for child in reversed(call.children) if child.kind == "lm"), None)


def _used(call: CallView) -> str:
    """What a call used: an LM's by itself, a predictor's in all its attempts."""
    lms = [each for each in (call, *call.children) if each.kind == "lm" and each.usage]
    counts = [_counts(lm.usage or {}) for lm in lms]
    return _tokens(sum(read for read, _ in counts), sum(written for _, written in counts)) if counts else ""


def manner(call: CallView) -> list[str]:
    """What else is to be said of a call that ended well: by which model, how much, and why its fields came whole."""
    lm = call if call.kind == "lm" else lm_call(call)
    said: list[str] = []
    if lm is not None:
        said += [visible(lm.name)] if lm is not call else []
        said += ["cached"] if lm.cached else []
        said += [text] if (text := _used(call)) else []
    match call.whole:
        case "adapter":
            said.append("shown whole: its adapter has no parser")
        case "lm":
            said.append("shown whole: its LM does not stream")
        case "cached" if "cached" not in said:
            said.append("cached")
        case _:
            pass
    return said


def summary(view: View) -> list[str]:
    """What a run comes to, in a few short parts."""
    said: list[str] = []
    if view.first_text is not None:
        said.append(f"first text after {duration(view.first_text)}")
    said.append(f"{view.chunks:,} chunk{'' if view.chunks == 1 else 's'}")
    for model, usage in view.usage.items():
        if isinstance(usage, dict) and (text := tokens(cast("dict[str, Any]", usage))):
            said.append(f"{visible(model)}: {text}")
    return said


def outputs(result: Any) -> dict[str, Any]:
    """A run's result, name by name; one that is no prediction has the name ``result``."""
    if isinstance(result, dict) and result:
        return {str(name): value for name, value in cast("dict[Any, Any]", result).items()}
    return {"result": result}


class SafeFile:
    """A text file that takes every text: what its encoding cannot express is written with backslashes."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.encoding: str = getattr(file, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """As a file's ``write``; raises what that raises, but no ``UnicodeEncodeError``."""
        return self._file.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))

    def flush(self) -> None:
        self._file.flush()

    def isatty(self) -> bool:
        return self._file.isatty()

    def fileno(self) -> int:
        return self._file.fileno()

    def expresses(self, text: str) -> bool:
        """Whether the encoding has all of these characters."""
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True
