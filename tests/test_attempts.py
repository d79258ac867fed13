"""Several attempts of a module, of which one is chosen: what a reader of a field's text has of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fieldstream import Text
from fieldstream._fields import FieldName
from fieldstream.events import CallEnded, CallStarted, Event, Failure, FieldDelta, FieldEnded, FieldReset, FieldStarted
from fieldstream.readers.text import TextAssembler

ANSWER = FieldName("p", "answer")


@dataclass
class Writing:
    """A predictor that writes the field in these pieces, perhaps again from its beginning."""

    pieces: list[str]
    before: list[str] = field(default_factory=list[str])


@dataclass
class Sequence:
    """A module that calls others."""

    parts: list["Program"]


@dataclass
class Choosing:
    """A module that makes these attempts and returns one of them, or none; or fails."""

    attempts: list["Program"]
    chosen: int | None
    fails: bool = False


Program = Writing | Sequence | Choosing


class Run:
    """Says what a program does, and knows what its result is made of."""

    def __init__(self) -> None:
        self.count = 0

    def events(self, program: Program, parent: str | None = None, attempt: int | None = None) -> Iterator[Event]:
        self.count += 1
        call = f"c{self.count}"
        kind = "predictor" if isinstance(program, Writing) else "module"
        name = "p" if isinstance(program, Writing) else "m"
        yield made(CallStarted, call=call, parent=parent, kind=kind, name=name, attempt=attempt)
        chosen: str | None = None
        match program:
            case Writing(pieces, before):
                yield made(FieldStarted, call=call, field="answer")
                for piece in before:
                    yield made(FieldDelta, call=call, field="answer", text=piece)
                if before:
                    yield made(FieldReset, call=call, field="answer", reason="retry")
                for piece in pieces:
                    yield made(FieldDelta, call=call, field="answer", text=piece)
                yield made(FieldEnded, call=call, field="answer")
            case Sequence(parts):
                for part in parts:
                    yield from self.events(part, call)
            case Choosing(attempts, index):
                for number, each in enumerate(attempts):
                    if number == index:
                        chosen = f"c{self.count + 1}"
                    yield from self.events(each, call, number + 1)
        failed = isinstance(program, Choosing) and program.fails
        error = Failure(kind="ValueError", message="no") if failed else None
        yield made(CallEnded, call=call, seconds=0.0, chosen=None if failed else chosen, error=error)


def made(event: Any, /, **members: Any) -> Event:
    return event(seq=0, at=0.0, **members)


def written(program: Program) -> list[str] | None:
    """The text that stands in the end; ``None``: no field was ever begun."""
    match program:
        case Writing(pieces):
            return ["".join(pieces)]
        case Sequence(parts):
            texts = [text for part in parts if (text := written(part)) is not None]
            return [each for text in texts for each in text] if texts else None
        case Choosing(attempts, chosen, fails):
            shown = [text for text in map(written, attempts) if text is not None]
            if fails:
                return shown[-1] if shown else None
            if not shown:
                return None
            return (written(attempts[chosen]) or []) if chosen is not None else []


def read(program: Program) -> tuple[str, list[Text]]:
    """The text that a reader has, and the pieces that came."""
    assembler = TextAssembler(ANSWER)
    pieces = [piece for event in Run().events(program) for piece in assembler.feed([event])]
    texts: dict[str, str] = {}
    for piece in pieces:
        for call in piece.withdrawn:
            texts.pop(call, None)
        texts[piece.call] = texts.get(piece.call, "") + piece
    return "".join(texts.values()), pieces


TEXTS = st.lists(st.sampled_from(["a", "b", "cd"]), max_size=3)
WRITINGS = st.builds(Writing, TEXTS, st.just([]) | TEXTS)


@st.composite
def choosings(draw: st.DrawFn, below: st.SearchStrategy[Program]) -> Choosing:
    attempts = draw(st.lists(below, min_size=1, max_size=3))
    chosen = draw(st.none() | st.integers(0, len(attempts) - 1))
    return Choosing(attempts, chosen, draw(st.booleans()) if chosen is None else False)


PROGRAMS: st.SearchStrategy[Program] = st.recursive(
    WRITINGS, lambda below: st.builds(Sequence, st.lists(below, max_size=3)) | choosings(below), max_leaves=12
)


@given(PROGRAMS)
def test_a_reader_has_what_was_chosen(program: Program) -> None:
    assert read(program)[0] == "".join(written(program) or [])


def test_the_last_attempt_is_chosen() -> None:
    text, pieces = read(Choosing([Writing(["red"]), Writing(["bl", "ue"])], 1))
    assert text == "blue"
    assert [(piece, piece.call, piece.reset, piece.withdrawn) for piece in pieces] == [
        ("red", "c2", None, ()),
        ("bl", "c3", "rerun", ("c2",)),
        ("ue", "c3", None, ()),
    ]


def test_an_earlier_attempt_is_chosen() -> None:
    text, pieces = read(Choosing([Writing(["bl", "ue"]), Writing(["red"])], 0))
    assert text == "blue"
    assert [(piece, piece.call, piece.reset, piece.withdrawn) for piece in pieces][2:] == [
        ("red", "c3", "rerun", ("c2",)),
        ("blue", "c2", "rerun", ("c3",)),
    ]


def test_none_is_chosen() -> None:
    text, pieces = read(Choosing([Writing(["red"])], None))
    assert text == ""
    assert [(piece, piece.call, piece.reset, piece.withdrawn) for piece in pieces][1:] == [("", "", "rerun", ("c2",))]


def test_what_was_written_before_stays() -> None:
    text, _ = read(Sequence([Writing(["before"]), Choosing([Writing(["red"]), Writing(["blue"])], 1)]))
    assert text == "beforeblue"


def test_several_calls_of_an_attempt() -> None:
    two = [Sequence([Writing(["a"]), Writing(["b"])]), Sequence([Writing(["c"]), Writing(["d"])])]
    text, pieces = read(Choosing([*two], 0))
    assert text == "ab"
    assert [(str(piece), piece.reset, piece.withdrawn) for piece in pieces][2:] == [
        ("c", "rerun", ("c3", "c4")),
        ("d", None, ()),
        ("a", "rerun", ("c6", "c7")),
        ("b", None, ()),
    ]


def test_a_retry_before_the_first_piece_of_a_new_attempt() -> None:
    text, pieces = read(Choosing([Writing(["red"]), Writing(["blue"], before=["gr"])], 1))
    assert text == "blue"
    assert [(str(piece), piece.reset) for piece in pieces] == [("red", None), ("gr", "rerun"), ("blue", "retry")]
