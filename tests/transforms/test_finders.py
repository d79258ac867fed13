"""What is found in the pieces of a text is what is found in the whole, and nothing is decided too early."""

import re
import string
import time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fieldstream.transforms import Redact
from fieldstream.transforms.deciding import Deciding
from tests.transforms.splits import split

# Patterns over few letters, so that texts of the same letters often match, or nearly.

_ATOMS = st.sampled_from(
    ["a", "b", "c", ".", "[ab]", "[^a]", "[^bc]", r"\w", r"\s", r"\W", r"\d", "[a-b0]", " ", "ab", "ca", r"[\w-]", "A"]
)
_ANCHORS = st.sampled_from(["^", "$", r"\b", r"\B", r"\A", r"\Z"])
_TIMES = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "+?", "??", "*+", "++", "{1,2}?"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = inner.map(lambda pattern: f"(?:{pattern})")
    return st.one_of(
        st.lists(st.one_of(_ATOMS, group), min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda patterns: f"(?:{'|'.join(patterns)})"),
        st.builds(lambda pattern, times: f"(?:{pattern}){times}", inner, _TIMES),
        inner.map(lambda pattern: f"({pattern})"),
        inner.map(lambda pattern: f"(?>{pattern})"),
        inner.map(lambda pattern: f"(?i:{pattern})"),
        inner.map(lambda pattern: f"(?s:{pattern})"),
        st.builds(lambda pattern, anchor: f"{pattern}{anchor}", inner, _ANCHORS),
        st.builds(lambda pattern, anchor: f"{anchor}{pattern}", inner, _ANCHORS),
        st.builds(lambda pattern, ahead: f"{pattern}(?={ahead})", inner, inner),
        st.builds(lambda pattern, ahead: f"{pattern}(?!{ahead})", inner, inner),
        st.builds(lambda pattern, ahead: f"(?!{ahead}){pattern}", inner, inner),
        st.builds(lambda pattern, behind: f"(?<={behind}){pattern}", inner, _ATOMS),
        st.builds(lambda pattern, behind: f"(?<!{behind}){pattern}", inner, _ATOMS),
        st.builds(lambda one, other: f"(?:({one})|c)(?(1){other}|b)", inner, inner),
        st.builds(lambda one, other: rf"(?P<x>{one}){other}(?P=x)", inner, inner),
    )


_PATTERNS = st.recursive(_ATOMS, _larger, max_leaves=6)
_FLAGS = st.sampled_from([0, re.IGNORECASE, re.MULTILINE, re.DOTALL, re.ASCII, re.MULTILINE | re.DOTALL])
_TEXTS = st.text("aabbc A1\n-", max_size=24)


def _compile(pattern: str, flags: int) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern, flags)
    except re.error:  # a group's name twice, or a lookbehind of no fixed width
        assume(False)
        raise
    assume(Deciding(compiled).shortest > 0)
    return compiled


def shown_by(redact: Redact, pieces: list[str]) -> list[str]:
    """What a machine shows after each piece, and in the end."""
    machine = redact.begin()
    shown = ["".join(machine.feed(piece)) for piece in pieces]
    return [*shown, "".join(machine.finish())]


@given(_PATTERNS, _FLAGS, st.lists(_TEXTS, max_size=4))
@example("ab*+c|a", 0, ["a", "b", "b", "c"])
@example("(?>a(?=bcd)|ab)c", 0, ["a", "b", "c", "a", "bcd"])
@example(r"a$", 0, ["a", "\n", "a", "\n"])
@example(r"a\w+$|a", 0, ["aa", "aa", " "])
def test_pieces_are_redacted_as_the_whole(pattern: str, flags: int, pieces: list[str]) -> None:
    compiled = _compile(pattern, flags)
    redacted = compiled.sub("#", "".join(pieces))
    assert "".join(shown_by(Redact(compiled, "#"), pieces)) == redacted


@given(_PATTERNS, _FLAGS, _TEXTS)
def test_each_character_alone_is_redacted_as_the_whole(pattern: str, flags: int, text: str) -> None:
    compiled = _compile(pattern, flags)
    assert "".join(shown_by(Redact(compiled, "#"), list(text))) == compiled.sub("#", text)


@given(_PATTERNS, _FLAGS, _TEXTS, st.integers(1, 6))
def test_within_the_longest_a_limit_changes_nothing(pattern: str, flags: int, text: str, longest: int) -> None:
    compiled = _compile(pattern, flags)
    assume(Deciding(compiled).ahead is not None)
    assume(all(len(found.group()) <= longest for found in compiled.finditer(text)))
    # A match may also become none because of what follows: then what could be one was longer.
    assume(all(len(found.group()) <= longest for end in range(len(text)) for found in compiled.finditer(text[:end])))
    assert "".join(shown_by(Redact(compiled, "#", longest=longest), list(text))) == compiled.sub("#", text)


@given(st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=4), st.text("ab", max_size=24), st.data())
def test_of_several_all_that_any_finds_is_taken_out(secrets: list[str], text: str, data: st.DataObject) -> None:
    covered = [False] * len(text)
    starts: set[int] = set()
    for secret in secrets:
        for found in re.finditer(re.escape(secret), text):
            starts.add(found.start())
            for place in range(*found.span()):
                covered[place] = True
    pieces = data.draw(split(text))
    shown = "".join(shown_by(Redact(secrets, "#"), pieces))
    assert shown.replace("#", "") == "".join(
        letter for letter, hidden in zip(text, covered, strict=True) if not hidden
    ), "what is shown is what nothing finds"
    assert len(starts) >= shown.count("#") >= (1 if starts else 0)


@given(st.text("ab", min_size=1, max_size=5), st.text("abc", max_size=24), st.data())
def test_a_literal_is_a_pattern(secret: str, text: str, data: st.DataObject) -> None:
    pieces = data.draw(split(text))
    shown = shown_by(Redact(secret, "#"), pieces)
    assert shown == shown_by(Redact(re.compile(re.escape(secret)), "#"), pieces)
    assert "".join(shown) == text.replace(secret, "#")


def test_nothing_is_held_back_that_cannot_become_a_match() -> None:
    key = Redact(re.compile(r"\bsk-[A-Za-z0-9]{8,}\b"))
    assert shown_by(key, ["The ", "task ", "s", "k", "y s", "k-", "1234", "5678", " is", "."]) == [
        "The ",
        "task ",
        "",
        "",
        "sky ",
        "",
        "",
        "",
        "[…] is",
        ".",
        "",
    ]
    literal = Redact("abcd")
    assert shown_by(literal, ["xa", "b", "c", "xabc", "d", "e"]) == ["x", "", "", "abcx", "[…]", "e", ""]


def test_a_match_that_may_go_on_is_waited_for_however_long_it_is() -> None:
    redact = Redact(re.compile("BEGIN.*?END", re.DOTALL))
    shown = shown_by(redact, ["a BEG", *["IN" + "x" * 50] * 100, "EN", "D b"])
    assert shown[0] == "a "
    assert "".join(shown) == "a […] b"


def test_a_limit_gives_up_what_is_longer() -> None:
    redact = Redact(re.compile("<.*?>"), longest=5)
    shown = shown_by(redact, ["a<b>c<d", "efghi", "j>"])
    assert shown[0] == "a[…]c"
    assert "".join(shown) == "a[…]c<defghij>"


def test_a_function_sees_the_whole_text() -> None:
    seen: list[str] = []

    def scrub(text: str) -> str:
        seen.append(text)
        return text.upper()

    assert shown_by(Redact(scrub), ["a ", "b"]) == ["", "", "A B"]
    assert seen == ["a b"]


def test_a_replacement_may_depend_on_what_was_found() -> None:
    redact = Redact(re.compile(r"\d{4,}"), lambda found: "*" * (len(found) - 2) + found[-2:])
    assert "".join(shown_by(redact, ["card 12", "345", "6 ok"])) == "card ****56 ok"
    assert "".join(shown_by(Redact("a", r"\1\g<0>"), ["bab"])) == r"b\1\g<0>b", "it is no template"


@pytest.mark.parametrize("pattern", [r"\d*", "", "a?", r"\b", "(?=a)", "a|", "(a*)*"])
def test_what_matches_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="can match nothing at all"):
        Redact(re.compile(pattern))


def test_what_cannot_be_right_is_refused() -> None:
    with pytest.raises(ValueError, match="empty text"):
        Redact("")
    with pytest.raises(ValueError, match="empty text"):
        Redact(["a", ""])
    with pytest.raises(TypeError, match="neither"):
        Redact([re.compile(b"a")])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="looks ahead without a limit"):
        Redact(re.compile("a(?!.*b)"), longest=9)
    with pytest.raises(ValueError, match="at least 1"):
        Redact("a", longest=0)
    assert "".join(shown_by(Redact(re.compile("a(?!.*b)")), ["a ", "a b\n", "a"])) == "a a b\n[…]"


def test_a_long_literal_in_a_pattern() -> None:
    alphabet = (string.ascii_letters + string.digits) * 30
    redact = Redact(re.compile(alphabet + "+"))
    shown = shown_by(redact, ["x", *alphabet, "9", "y", alphabet[:-1], "-"])
    assert shown[0] == "x"
    assert "".join(shown) == f"x[…]y{alphabet[:-1]}-"


def _work(redact: Redact, length: int) -> float:
    text = ("A line of text with a <tag> in it, and 1234 5678 numbers.\n" * (length // 50))[:length]
    pieces = [text[at : at + 4] for at in range(0, length, 4)]
    began = time.process_time()
    shown_by(redact, pieces)
    return time.process_time() - began


@pytest.mark.parametrize(
    "redact",
    [
        Redact("never there"),
        Redact(re.compile(r"\b\d{4} \d{4}\b")),
        Redact(re.compile(r"\AA line.*never", re.DOTALL)),
        Redact(re.compile(".+", re.DOTALL)),
        Redact(re.compile(r"\AA line.*never", re.DOTALL), longest=300),
        Redact([re.compile("<.*?>"), "numbers", re.compile("in.*")]),
        Redact(str.upper),
    ],
    ids=lambda redact: str(redact._finders)[:40],
)
def test_work_is_linear(redact: Redact) -> None:
    _work(redact, 4_000)
    ratios = sorted(_work(redact, 200_000) / _work(redact, 50_000) for _ in range(3))
    assert ratios[0] < 8, "four times the text is about four times the work"
