"""A run in a file or a pipe."""

import io

from fieldstream.terminal.plain import PlainLog
from tests.terminal.story import Story, agent, at_once, qa


class Output(io.StringIO):
    """A file that remembers what it had when it was flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed: list[str] = []

    def flush(self) -> None:
        super().flush()
        self.flushed.append(self.getvalue())


def written(story: Story) -> str:
    output = io.StringIO()
    with PlainLog(output) as log:
        for event in story.events:
            log.feed(event)
    return output.getvalue()


def test_a_predictor() -> None:
    assert written(qa()) == (
        "QA: started\n"
        "\n"
        "predict\n"
        "  reasoning: Light scatters.\n"
        "  answer: Blue!\n"
        "  done in 1.10 s (openai/sim, 1,204 tokens in, 87 out)\n"
        "\n"
        "QA: completed after 1.50 s; first text after 0.50 s; 4 chunks; openai/sim: 1,204 tokens in, 87 out\n"
        "  reasoning: Light scatters.\n"
        "  answer: Blue!\n"
    )


def test_an_agent() -> None:
    assert written(agent()) == (
        "Agent: started\n"
        "\n"
        "plan\n"
        '  steps: ["look up\n'
        "  openai/sim failed after 0.50 s: RateLimitError: slow down\n"
        "  steps: [withdrawn: retry]\n"
        '  steps: ["search"]\n'
        "  done in 1.30 s (openai/sim)\n"
        "\n"
        '* progress: {"done": 1}\n'
        "\n"
        'search(query="tides", limit=3)\n'
        "  * Looking …\n"
        '  -> ["moon"]\n'
        "  done in 0.20 s\n"
        "\n"
        "answer\n"
        "  answer: The moon.\n"
        "  done in 0.40 s\n"
        "\n"
        "Agent: completed after 2.60 s; first text after 0.50 s; 6 chunks\n"
        "  answer: The moon.\n"
    )


def test_calls_at_the_same_time_do_not_mix() -> None:
    assert written(at_once()) == (
        "Pair: started\n"
        "\n"
        "left\n"
        "  answer: one two\n"
        "  done in 1.10 s\n"
        "\n"
        "right\n"
        "  answer: uno due\n"
        "  done in 0.80 s\n"
        "\n"
        "Pair: completed after 1.50 s; first text after 0.60 s; 4 chunks\n"
        '  result: ["one two", "uno due"]\n'
    )


def test_text_is_written_as_it_comes() -> None:
    output = Output()
    log = PlainLog(output)
    for event in qa().events[:6]:
        log.feed(event)
    assert output.flushed[-1].endswith("\n  reasoning: Light ")


def test_a_text_of_several_lines_is_indented() -> None:
    story = Story().call("c1", "predictor", "p").wrote("c1", "answer", "one\n", "two\n\nth", "ree\n", "\n\n", "4\n")
    assert "  answer: one\n    two\n\n    three\n\n\n    4\n  done" in written(story.end("c1"))


def test_what_a_text_turned_out_to_be() -> None:
    story = (
        Story().call("c1", "predictor", "p").open("c1", "note").text("c1", "note", "nul").reset("c1", "note", "repair")
    )
    assert "  note: nul\n  note: [withdrawn: repair]\n  note: null\n" in written(
        story.value("c1", "note", None).end("c1")
    )


def test_a_value_that_is_corrected_is_written_again() -> None:
    story = Story().call("c1", "predictor", "p").open("c1", "tags", "data").value("c1", "tags", [])
    story.text("c1", "tags", "a", path=(0,)).reset("c1", "tags", "repair", 0).text("c1", "tags", "b", path=(0,))
    out = written(story.close("c1", "tags").end("c1"))
    assert '  tags: ["a\n  tags[0]: [withdrawn: repair]\n  tags: ["b"]\n' in out


def test_an_empty_field_is_there() -> None:
    assert "  answer: \n" in written(Story().call("c1", "predictor", "p").wrote("c1", "answer").end("c1"))


def test_failures() -> None:
    error = ("ValueError", "no\nway")
    story = Story().call("c1", "module", "QA").call("c2", "predictor", "p", "c1").end("c2", error).end("c1", error)
    assert written(story.failed(*error)) == (
        "QA: started\n"
        "\n"
        "p\n"
        "  failed after 0.10 s: ValueError: no\n"
        "    way\n"
        "\n"
        "QA: failed after 0.50 s; 0 chunks\n"
        "  ValueError: no\n"
        "    way\n"
    )


def test_a_module_that_failed_by_itself() -> None:
    story = Story().call("c1", "module", "QA").call("c2", "module", "inner", "c1").call("c3", "predictor", "p", "c2")
    out = written(
        story.end("c3").end("c2", ("KeyError", "'x'")).end("c1", ("KeyError", "'x'")).failed("KeyError", "'x'")
    )
    assert "\ninner failed after 0.30 s: KeyError: 'x'\n" in out


def test_a_cancel() -> None:
    story = Story().call("c1", "predictor", "p").text("c1", "answer", "half").end("c1", ("cancelled", "…")).cancelled()
    assert "  answer: half\n  cancelled after 0.20 s\n\nQA: cancelled after 0.40 s" in written(story)


def test_an_lm_outside_a_predictor() -> None:
    story = Story("f").call("c1", "lm", "openai/sim").lm_text("c1", "hm", "reasoning").lm_text("c1", "Blue").end("c1")
    assert "\nopenai/sim\n  reasoning: hm\n  text: Blue\n  done in 0.30 s\n" in written(story.completed("Blue"))


def test_a_cached_answer_and_a_whole_one() -> None:
    story = Story().call("c1", "predictor", "p").call("c2", "lm", "openai/sim", "c1").end("c2", cached=True).end("c1")
    story.call("c3", "predictor", "q", whole="adapter").end("c3")
    out = written(story)
    assert "done in 0.30 s (openai/sim, cached)" in out
    assert "done in 0.10 s (shown whole: its adapter has no parser)" in out


def test_control_characters_are_escaped() -> None:
    story = Story().call("c1", "predictor", "p").wrote("c1", "answer", "\x1b[2J\rA\x07\u202e[bold]\ud83d")
    story.status("\x1b]0;x\x07").custom("\x9b2J").end("c1").completed({"\x1b": "\x1b"})
    out = written(story)
    assert r"answer: \x1b[2J\rA\x07\u202e[bold]\ud83d" in out
    assert r"* \x1b]0;x\x07" in out
    assert not set(out) & {"\x1b", "\r", "\x07", "\x9b", "\u202e", "\ud83d"}


def test_an_encoding_that_lacks_characters() -> None:
    binary = io.BytesIO()
    with PlainLog(io.TextIOWrapper(binary, encoding="ascii", write_through=True)) as log:
        for event in Story("Thé").call("c1", "predictor", "p").wrote("c1", "answer", "λ🌊\ud83d").end("c1").events:
            log.feed(event)
    assert b"Th\\xe9: started\n" in binary.getvalue()
    assert b"answer: \\u03bb\\U0001f30a\\ud83d\n" in binary.getvalue()
