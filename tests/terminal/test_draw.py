"""Drawing real runs, with the simulator for an LM."""

import asyncio
import io
import sys
import threading
from collections.abc import Iterator

import dspy
import pytest

import fieldstream
from fieldstream.simulator import Answer, Provider
from fieldstream.terminal import View, draw, draw_async, screen_for
from fieldstream.terminal.plain import PlainLog


@pytest.fixture
def provider() -> Iterator[Provider]:
    with fieldstream.simulate() as provider:
        lm = dspy.LM(provider.model, **provider.lm_kwargs, cache=False, num_retries=0)
        with dspy.context(lm=lm, adapter=dspy.ChatAdapter()):
            yield provider


QA = dspy.Predict("question -> answer")
ANSWER = "[[ ## answer ## ]]\nBlue, since it scatters.\n\n[[ ## completed ## ]]"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def check(view: View, text: str) -> None:
    assert view.outcome == "completed"
    assert view.result == {"answer": "Blue, since it scatters."}
    assert "Blue, since it scatters." in text
    assert view.usage


def test_from_a_thread(provider: Provider) -> None:
    provider.script(ANSWER, ANSWER)
    output = io.StringIO()
    check(draw(fieldstream.stream(QA, question="?"), file=output), output.getvalue())
    with fieldstream.stream(QA, question="?") as run:
        check(draw(run, file=output), output.getvalue())


async def test_from_a_task(provider: Provider) -> None:
    provider.script(ANSWER, ANSWER)
    output = io.StringIO()
    check(await draw_async(fieldstream.stream(QA, question="?"), file=output), output.getvalue())
    async with fieldstream.stream(QA, question="?") as run:
        check(await draw_async(run, file=output), output.getvalue())


def test_on_standard_output(provider: Provider, capsys: pytest.CaptureFixture[str]) -> None:
    provider.script(ANSWER)
    check(draw(fieldstream.stream(QA, question="?")), capsys.readouterr().out)


def test_on_a_terminal(provider: Provider) -> None:
    provider.script(ANSWER)
    output = Terminal()
    check(draw(fieldstream.stream(QA, question="?"), file=output), output.getvalue())
    assert "\x1b[" in output.getvalue()


def test_no_colour_where_there_shall_be_none(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    provider.script(ANSWER)
    output = Terminal()
    draw(fieldstream.stream(QA, question="?"), file=output)
    assert "\x1b[32m" not in output.getvalue()
    assert "✓" in output.getvalue()


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(screen_for(Terminal()), PlainLog)


def test_a_pipe_gets_plain_lines_even_if_colours_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert isinstance(screen_for(io.StringIO()), PlainLog)


def test_a_failure_is_drawn(provider: Provider) -> None:
    provider.script(Answer("x", options={"error": 401}), Answer("x", options={"error": 401}))
    output = io.StringIO()
    view = draw(fieldstream.stream(QA, question="?"), file=output)
    assert view.outcome == "failed"
    assert "Predict: failed after" in output.getvalue()


def test_cancelling_the_task_cancels_the_run(provider: Provider) -> None:
    gate = threading.Event()
    provider.script(Answer(chunks=["[[ ## answer ## ]]\nBl", "ue"], gates={1: gate}))
    output = io.StringIO()

    async def main() -> None:
        async with fieldstream.stream(QA, question="?") as run:
            drawing = asyncio.create_task(draw_async(run, file=output))
            async for event in run:
                if event.type == "lm.delta" or event.type == "field.started" or event.type == "field.delta":
                    break
            drawing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await drawing
            assert run.outcome == "cancelled"

    asyncio.run(main())
    assert "Predict: cancelled after" in output.getvalue()


def test_ctrl_c_cancels_the_run(provider: Provider) -> None:
    class Interrupted(io.StringIO):
        def write(self, text: str) -> int:
            if "answer" in text and "Blue" not in self.getvalue():
                self.write = super().write  # type: ignore[method-assign]
                raise KeyboardInterrupt
            return super().write(text)

    provider.script(ANSWER)
    output = Interrupted()
    with fieldstream.stream(QA, question="?") as run:
        with pytest.raises(KeyboardInterrupt):
            draw(run, file=output)
        assert run.outcome in ("cancelled", "completed")
    assert "Predict: c" in output.getvalue()


def test_a_terminal_needs_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in sys.modules if name.partition(".")[0] == "rich" or name == "fieldstream.terminal.live"
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(fieldstream.MissingExtraError, match=r"pip install 'fieldstream\[terminal\]'"):
        screen_for(Terminal())
    assert isinstance(screen_for(io.StringIO()), PlainLog)
