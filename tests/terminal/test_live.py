"""A run on a terminal, drawn into a recorded console."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from fieldstream.terminal.glyphs import ASCII
from fieldstream.terminal.live import LiveScreen
from tests.terminal.story import Story, agent, at_once, qa


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class Recorded(LiveScreen):
    """A live screen that draws when it is told to, for a console without colours."""

    def __init__(self, width: int = 80, height: int = 24) -> None:
        self.output, self.clock = io.StringIO(), Clock()
        console = Console(
            file=self.output, width=width, height=height, force_terminal=True, no_color=True, highlight=False
        )
        super().__init__(io.StringIO(), console=console, clock=self.clock)
        self._live.auto_refresh = False

    def play(self, story: Story, most: int | None = None) -> "Recorded":
        for event in story.events[:most]:
            self.clock.time = event.at
            self.feed(event)
        return self

    @property
    def shown(self) -> list[str]:
        """The region's lines."""
        return self.region().plain.split("\n")


def standing(story: Story, width: int = 80) -> str:
    """What is left on the screen in the end, without styles."""
    console = Console(file=io.StringIO(), width=width, height=24, record=True, highlight=False)
    screen = LiveScreen(io.StringIO(), console=console, clock=Clock())
    for event in story.events:
        screen.feed(event)
    return console.export_text()


def test_what_stands_in_the_end() -> None:
    assert standing(qa()) == (
        "  ✓ predict  1.10 s · openai/sim · 1,204 tokens in, 87 out\n"
        "      reasoning  Light scatters.\n"
        "      answer     Blue!\n"
        "✓ QA completed after 1.50 s\n"
        "    reasoning  Light scatters.\n"
        "    answer     Blue!\n"
        "    first text after 0.50 s · 4 chunks · openai/sim: 1,204 tokens in, 87 out\n"
    )


def test_an_agent() -> None:
    assert standing(agent()) == (
        "  ✓ plan  1.30 s · openai/sim\n"
        '      steps      ["look up"]\n'
        "                 withdrawn: retry\n"
        '      steps      ["search"]\n'
        "      openai/sim failed after 0.50 s: RateLimitError: slow down\n"
        '  › progress: {"done": 1}\n'
        "  › Looking …\n"
        '  ✓ search(query="tides", limit=3)  0.20 s\n'
        '      → ["moon"]\n'
        "  ✓ answer  0.40 s\n"
        "      answer     The moon.\n"
        "✓ Agent completed after 2.60 s\n"
        "    answer  The moon.\n"
        "    first text after 0.50 s · 6 chunks\n"
    )


def test_withdrawn_text_is_struck_through() -> None:
    screen = Recorded()
    with screen:
        screen.play(agent())
    assert '\x1b[2;9m["look up"]\x1b[0m' in screen.output.getvalue()


def test_what_is_at_work() -> None:
    screen = Recorded().play(qa(), 7)
    screen.clock.time = 1.0
    assert screen.shown == [
        "⠹ QA  1.0 s",
        "  ⠹ predict  0.8 s · openai/sim",
        "      reasoning  Light scatters.▌",
    ]


def test_calls_at_the_same_time() -> None:
    screen = Recorded().play(at_once(), 10)
    screen.clock.time = 1.0
    assert screen.shown == [
        "⠹ Pair  1.0 s",
        "  ⠹ left  0.8 s",
        "      answer     one two▌",
        "  ⠹ right  0.7 s",
        "      answer     uno due▌",
    ]


def test_a_tool_that_calls_predictors_has_its_heading_above_them() -> None:
    story = (
        Story().call("c1", "module", "QA").call("c2", "tool", "ask", "c1", arguments={}).call("c3", "module", "M", "c2")
    )
    story.call("c4", "predictor", "p", "c3").wrote("c4", "answer", "x").end("c4").end("c3").end("c2", result="x").end(
        "c1"
    )
    assert [line.split("  0.")[0] for line in standing(story.completed("x")).splitlines()[:6]] == [
        "  ▸ ask()",
        "    ✓ p",
        "        answer     x",
        "  ✓ ask()",
        "      → x",
        "✓ QA completed after 1.20 s",
    ]


@pytest.mark.parametrize("separator", [" ", "\n"])
def test_of_a_long_text_the_end_is_shown(separator: str) -> None:
    screen = Recorded(height=12)
    story = Story().call("c1", "predictor", "p").wrote("c1", "reasoning", *[f"r{n}{separator}" for n in range(300)])
    screen.play(story.open("c1", "answer"))
    for number in range(300):
        story.text("c1", "answer", f"word{number}{separator}")
        screen.feed(story.events[-1])
        if number % 20 == 0:
            lines = screen.shown
            assert len(lines) <= 11
            assert all(cell_len(line) <= 80 for line in lines)
            assert lines[-1].rstrip("▌ ").endswith(f"word{number}") or separator == "\n"
    assert any(line.startswith("      answer   … ") for line in screen.shown)
    assert any(line.startswith("      reasoning… ") for line in screen.shown)


def test_a_long_text_stands_whole_in_the_end() -> None:
    story = Story().call("c1", "predictor", "p").wrote("c1", "answer", *[f"word{n} " for n in range(500)]).end("c1")
    out = standing(story.completed())
    assert out.split("answer")[1].split("✓")[0].split() == [f"word{n}" for n in range(500)]


@pytest.mark.parametrize("height", [1, 2, 5, 10])
def test_more_calls_than_lines(height: int) -> None:
    screen = Recorded(height=height + 1)
    story = Story("f")
    for number in range(20):
        story.call(f"c{number}", "predictor", f"p{number}").text(f"c{number}", "answer", "text ")
    lines = screen.play(story).shown
    assert len(lines) <= height
    assert lines[0].endswith(f"f  {screen.now:.1f} s")
    if height == 10:
        assert lines[-1] == "  … and 12 more"


def test_fields_give_way_to_headings() -> None:
    screen = Recorded(height=6)
    story = Story("f")
    for number in range(4):
        story.call(f"c{number}", "predictor", f"p{number}").text(f"c{number}", "answer", "text ")
    assert len(screen.play(story).shown) == 5


def test_nothing_is_wider_than_the_terminal() -> None:
    story = Story("P" * 100).call("c1", "predictor", "p" * 100).wrote("c1", "f" * 60, "漢" * 100).end("c1")
    story.call("c2", "tool", "t", arguments={"a": "x" * 200}).end("c2", result="y" * 2000).custom("z" * 300)
    story.call("c3", "predictor", "q").end("c3", ("E", "e" * 400)).failed("E", "e" * 400)
    assert max(cell_len(line) for line in standing(story, 40).splitlines()) <= 80  # labels may take what they need
    assert "more lines)" in standing(story, 40)


def test_text_is_no_markup_and_no_control() -> None:
    text = "[bold]x[/bold] :smile: \x1b[2J\r\ud83d\t|"
    story = Story("[red]P").call("c1", "predictor", "[i]p").wrote("c1", "answer", text).status("[b]s").end("c1")
    screen = Recorded()
    with screen:
        screen.play(story.completed({"[k]": "[v]"}))
    out = screen.output.getvalue()
    for expected in ("[bold]x[/bold] :smile: \\x1b[2J\\r\\ud83d ", "[red]P", "[i]p", "[b]s", "[k]"):
        assert expected in out
    assert "\x1b[2J" not in out


def test_values_on_several_lines() -> None:
    story = Story().call("c1", "predictor", "p").open("c1", "tags", "data")
    story.value("c1", "tags", ["a" * 50, "b" * 30]).close("c1", "tags").end("c1").completed({"n": 1, "tags": ["x"]})
    out = standing(story)
    assert f'      tags       [\n                   "{"a" * 50}",\n                   "{"b" * 30}"\n' in out
    assert '    n     1\n    tags  ["x"]\n' in out


def test_a_cancel_is_no_failure() -> None:
    story = Story().call("c1", "predictor", "p").text("c1", "answer", "half").end("c1", ("cancelled", "…")).cancelled()
    assert "  ✗ p  cancelled · 0.20 s\n      answer     half\n✗ QA cancelled after 0.40 s\n" in standing(story)


def test_the_failure_is_told() -> None:
    story = Story().call("c1", "predictor", "p").end("c1", ("ValueError", "no")).failed("ValueError", "no")
    assert standing(story).startswith(
        "  ✗ p  failed · 0.10 s\n      ValueError: no\n✗ QA failed after 0.30 s\n    ValueError"
    )


def test_a_terminal_without_our_signs() -> None:
    binary = io.BytesIO()
    screen = LiveScreen(io.TextIOWrapper(binary, encoding="ascii", write_through=True))
    with screen:
        for event in Story().call("c1", "predictor", "p").wrote("c1", "answer", "λ").end("c1").completed().events:
            screen.feed(event)
    assert ASCII.done.encode() + b" p" in binary.getvalue().replace(b"\x1b[0m", b"").replace(b"\x1b[1m", b"")
    assert b"\\u03bb" in binary.getvalue()


def test_the_screen_is_left_as_it_was() -> None:
    screen = Recorded()
    with screen:
        screen.play(qa(), 7)
        screen._live.refresh()
    out = screen.output.getvalue()
    assert out.count("\x1b[?25l") == out.count("\x1b[?25h") == 1
    assert out.endswith(("\x1b[2K", "\x1b[?25h"))
