"""What the tests of the parsers share: applying changes, splitting texts, and the adapters' own word."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError

from fieldstream.fields.changes import (
    Appended,
    Assigned,
    Change,
    Closed,
    Completed,
    FieldParser,
    Opened,
    Withdrawn,
    Written,
)


class Replay:
    """Applies changes as a reader would, and checks their order."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.closed: set[str] = set()
        self.withdrawals = 0

    def apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            name = change.field
            match change:
                case Opened():
                    assert name not in self.values, f"{name} was opened twice"
                    self.values[name] = ""
                case Appended(text=text) | Written(text=text):
                    assert name in self.values, f"{name} was not opened"
                    assert name not in self.closed, f"{name} was closed"
                    assert text, "an empty delta says nothing"
                    self.values[name] += text
                case Withdrawn():
                    assert name in self.values, f"{name} was not opened"
                    self.values[name] = ""
                    self.closed.discard(name)
                    self.withdrawals += 1
                case Closed():
                    assert name in self.values, f"{name} was not opened"
                    assert name not in self.closed, f"{name} was closed twice"
                    self.closed.add(name)
                case Assigned() | Completed():
                    raise AssertionError("a format's parser tells literal text, and no values")


def replay(parser: FieldParser, chunks: Iterable[str]) -> Replay:
    """Feed the chunks, finish, and give what a reader has then. At most one delta per field and feed."""
    result = Replay()
    for chunk in chunks:
        changes = parser.feed(chunk)
        assert_merged(changes)
        result.apply(changes)
    changes = parser.finish()
    assert_merged(changes)
    result.apply(changes)
    assert parser.finish() == []
    lost = getattr(parser, "lost", False)
    assert lost or result.closed == set(result.values), "what was opened is closed, if it is known to be whole"
    return result


def assert_merged(changes: Sequence[Change]) -> None:
    for one, other in itertools.pairwise(changes):
        both = isinstance(one, Appended | Written) and isinstance(other, Appended | Written)
        assert not (both and one.field == other.field), f"{one} and {other} are one"


def every_split(text: str) -> Iterator[list[str]]:
    """The text whole, in single characters, in two parts at every place, and in equal parts of every size."""
    yield [text]
    for place in range(1, len(text)):
        yield [text[:place], text[place:]]
    for size in range(1, min(len(text), 9)):
        yield [text[at : at + size] for at in range(0, len(text), size)]


def split_at(text: str, places: Iterable[int]) -> list[str]:
    cuts = [0, *sorted({place % (len(text) + 1) for place in places}), len(text)]
    return [text[one:other] for one, other in itertools.pairwise(cuts)]


MISSING = "<missing>"


def signature(**fields: Any) -> Any:
    """A signature with these output fields. What an answer lacks becomes ``MISSING``, so that parse seldom refuses."""
    made = dspy.Signature({"question": (str, dspy.InputField())}, "Answer.")  # pyright: ignore[reportCallIssue]
    for name, annotation in fields.items():
        made = made.append(name, dspy.OutputField(default=MISSING), type_=annotation)
    return made


def word_of(adapter: Any, signature: Any, text: str) -> dict[str, Any] | None:
    """The adapter's own word about the fields that the text has; ``None`` if it refuses the text."""
    try:
        values = adapter.parse(signature, text)
    except AdapterParseError:
        return None
    return {name: value for name, value in values.items() if value != MISSING}


def cpu_ratio(work: Callable[[int], None], small: int, large: int) -> float:
    """How much more a unit of work costs in a large lot than in a small one: the best of several alternating tries."""

    def cost(size: int) -> float:
        began = time.process_time()
        work(size)
        return (time.process_time() - began) / size

    tries = [(min(cost(small) for _ in range(3)), cost(large)) for _ in range(3)]
    return min(other for _, other in tries) / min(one for one, _ in tries)
