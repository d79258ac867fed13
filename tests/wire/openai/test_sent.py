"""Text that cannot be withdrawn: what is said once more is not sent once more, and nothing else passes for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldstream.wire.openai.sent import Diverged, Sent

TEXTS = st.lists(st.text("ab", max_size=3), max_size=6)


def test_what_is_said_is_sent() -> None:
    sent = Sent()
    assert [sent.say("Be"), sent.say("cause")] == ["Be", "cause"]
    sent.finish()
    assert sent.text == "Because"


def test_what_is_said_once_more_is_not_sent_once_more() -> None:
    sent = Sent()
    sent.say("Because")
    sent.withdraw("Be")
    assert [sent.say("cau"), sent.say("se of"), sent.say(" air")] == ["", " of", " air"]
    sent.finish()


def test_another_text_is_an_error() -> None:
    sent = Sent()
    sent.say("Because")
    sent.withdraw("")
    sent.say("Be")
    with pytest.raises(Diverged):
        sent.say("st")


def test_a_shorter_text_is_an_error() -> None:
    sent = Sent()
    sent.say("Because")
    sent.withdraw("")
    sent.say("Be")
    with pytest.raises(Diverged):
        sent.finish()


def test_keeping_another_text_is_an_error() -> None:
    sent = Sent()
    sent.say("Because")
    with pytest.raises(Diverged):
        sent.withdraw("cause")


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_what_was_sent_is_the_last_text_or_an_error(tries: list[list[str]]) -> None:
    sent = Sent()
    got = ""
    try:
        for pieces in tries:
            sent.withdraw("")
            for piece in pieces:
                got += sent.say(piece)
        sent.finish()
    except Diverged:
        # Then no way leads from what was sent to the last text, or some text on the way was another.
        texts = ["".join(pieces) for pieces in tries]
        assert any(not a.startswith(b) and not b.startswith(a) for a in texts for b in texts) or len(texts[-1]) < max(
            map(len, texts)
        )
    else:
        assert got == "".join(tries[-1])
    assert got == sent.text
