"""The commands, as a user starts them."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAMS = str(Path(__file__).with_name("programs.py"))
TIME = 60.0


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONIOENCODING": "utf-8", "LITELLM_LOCAL_MODEL_COST_MAP": "True", **more}


def fieldstream(*arguments: str, module: str = "fieldstream") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=TIME,
        check=False,
    )


class Terminal:
    """A command on a pseudo-terminal of 80 × 24."""

    def __init__(self, *arguments: str, **more: str) -> None:
        self.main, replica = pty.openpty()
        termios.tcsetwinsize(replica, (24, 80))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fieldstream", *arguments],
            env=environment(TERM="xterm-256color", **more),
            stdin=replica,
            stdout=replica,
            stderr=replica,
            start_new_session=True,
        )
        os.close(replica)
        self.output = ""

    def read_until(self, pattern: str | None = None) -> str:
        """Read until the output has the pattern, or to its end."""
        while pattern is None or re.search(pattern, self.output) is None:
            ready, _, _ = select.select([self.main], [], [], TIME)
            assert ready, f"nothing more came after: {self.output[-500:]}"
            try:
                data = os.read(self.main, 1 << 16)
            except OSError:  # The other side was closed.
                data = b""
            if not data:
                assert pattern is None, f"it ended: {self.output[-500:]}"
                break
            self.output += data.decode(errors="replace")
        return self.output


@contextmanager
def terminal(*arguments: str, **more: str) -> Generator[Terminal]:
    opened = Terminal(*arguments, **more)
    try:
        yield opened
    finally:
        if opened.process.poll() is None:
            opened.process.kill()
        opened.process.wait(TIME)
        os.close(opened.main)


def test_the_demo_in_a_pipe() -> None:
    result = fieldstream("demo", "--fast")
    assert (result.returncode, result.stderr) == (0, "")
    assert "\x1b" not in result.stdout
    for expected in (
        "ChainOfThought: completed",
        "  answer: The sky is blue because",
        "Primer: completed",
        "* question: 2 of 3",
    ):
        assert expected in result.stdout
    assert re.search(r'reading_time\(text="The sea.*\n  \* Measuring .*\n  -> \{"words": \d+, ', result.stdout)


def test_the_demo_on_a_terminal() -> None:
    with terminal("demo", "--fast") as opened:
        out = opened.read_until()
        assert opened.process.wait(TIME) == 0
    assert "\x1b[" in out
    assert re.search(r"ChainOfThought.*completed after", out)
    assert re.search(r"Primer.*completed after", out)
    assert out.count("\x1b[?25l") == out.count("\x1b[?25h")


def test_without_colours() -> None:
    with terminal("run", f"{PROGRAMS}:shout", "text=a", "--simulate", NO_COLOR="1") as opened:
        out = opened.read_until()
        assert opened.process.wait(TIME) == 0
    assert not re.search("\x1b\\[[0-9;]*3[0-7]m", out)


def test_a_module_is_a_command_too() -> None:
    for module in ("fieldstream", "fieldstream.cli"):
        result = fieldstream("--help", module=module)
        assert result.returncode == 0
        assert "simulate" in result.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["demo", "--help"], ["simulate", "--help"], []])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom fieldstream.cli import main\n"
        f"try:\n    main({arguments})\nexcept SystemExit:\n    pass\n"
        "heavy = {'dspy', 'rich', 'fieldstream.simulator', 'litellm', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=TIME, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "usage: fieldstream" in result.stdout


@pytest.mark.parametrize("adapter", ["chat", "json", "xml"])
def test_a_program_runs(adapter: str) -> None:
    result = fieldstream(
        "run", f"{PROGRAMS}:qa", "question=Why is the sky blue?", "--simulate", "--adapter", adapter, "--fast"
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "  answer: The sky is blue because" in result.stdout
    assert "ChainOfThought: completed after" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (["shout", "text=a", "times=2"], "  result: AA\n"),
        (["Later", "question=x"], "  result: Answer to x\n"),
        (["Open", "first=1", "b=2"], "  first: 1\n  b: 2\n"),
        (["agent", "question=What is 3 + 4?", "hint=add"], "add(a="),
    ],
)
def test_other_kinds_of_programs(arguments: list[str], out: str) -> None:
    program, *inputs = arguments
    result = fieldstream("run", f"{PROGRAMS}:{program}", *inputs, "--simulate", "--fast")
    assert (result.returncode, result.stderr) == (0, "")
    assert out in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such.py:qa"], "there is no file 'no_such.py'"),
        ([f"{PROGRAMS}:nobody"], "has no 'nobody'"),
        ([f"{PROGRAMS}:qa"], "the input 'question' is missing"),
        ([f"{PROGRAMS}:qa", "question=x", "more=y"], "there is no input 'more'"),
        ([f"{PROGRAMS}:qa", "question"], "'question' is not name=value"),
        ([f"{PROGRAMS}:qa", "question=x"], "there is no LM; add --lm MODEL, or --simulate"),
        ([f"{PROGRAMS}:qa", "question=x", "--lm", "a/b", "--simulate"], "--simulate stands in for an LM"),
        ([f"{PROGRAMS}:qa", "question=x", "--api-key", "k"], "add --lm MODEL"),
    ],
)
def test_what_cannot_begin(arguments: list[str], message: str) -> None:
    result = fieldstream("run", *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.dspy(">=3.4")  # Before, it is an error of LiteLLM's like any other.
def test_an_lm_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    result = fieldstream("run", f"{PROGRAMS}:qa", "question=x", "--lm", "openai/gpt-4o-mini")
    assert result.returncode == 2
    assert "no API key found" in result.stderr
    assert "add --api-key KEY" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_program_that_fails() -> None:
    result = fieldstream("run", f"{PROGRAMS}:Failing", "question=x", "--simulate")
    assert result.returncode == 1
    assert "Failing: failed after" in result.stdout
    assert result.stderr == "fieldstream: the program failed: KeyError: 'nothing about x' (--traceback shows where)\n"
    result = fieldstream("run", f"{PROGRAMS}:Failing", "question=x", "--simulate", "--traceback")
    assert result.returncode == 1
    assert f'File "{PROGRAMS}", line' in result.stderr


def test_the_lm_of_the_command_line(tmp_path: Path) -> None:
    with terminal("simulate", "--port", "0") as provider:
        url = re.search(r"http://[\d.:]+", provider.read_until(r"dspy\.LM\(.*\)"))
        assert url is not None
        where = ["--lm", "openai/sim", "--api-base", f"{url[0]}/v1", "--api-key", "none"]
        result = fieldstream("run", f"{PROGRAMS}:qa", "question=Why is the sky blue?", *where)
        assert (result.returncode, result.stderr) == (0, "")
        # The file's own LM, and one of a predictor's own.
        lm = f"dspy.LM('openai/sim', api_base='{url[0]}/v1', api_key='none')"
        file = tmp_path / "configured.py"
        file.write_text(f"import dspy\ndspy.configure(lm={lm})\nqa = dspy.Predict('question -> answer')\n")
        assert fieldstream("run", str(file), "question=x").returncode == 0
        file.write_text(f"import dspy\nqa = dspy.Predict('question -> answer')\nqa.lm = {lm}\n")
        assert fieldstream("run", str(file), "question=x").returncode == 0
        os.write(provider.main, b"\x03")
        provider.process.send_signal(signal.SIGINT)
        assert provider.process.wait(TIME) == 0


def test_a_port_that_is_taken() -> None:
    with terminal("simulate", "--port", "0") as provider:
        port = re.search(r"http://[\d.]+:(\d+)", provider.read_until(r"dspy\.LM\(.*\)"))
        assert port is not None
        result = fieldstream("simulate", "--port", port[1])
    assert result.returncode == 2
    assert f"cannot listen at 127.0.0.1:{port[1]}" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--rate", "-1"], "--rate=-1.0: expected a positive number"), (["--port", "70000"], "--port 70000: a port is")],
)
def test_options_of_the_simulator_that_make_no_sense(arguments: list[str], message: str) -> None:
    result = fieldstream("simulate", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize("program", ["qa", "Sleeper"])
def test_ctrl_c(program: str, tmp_path: Path) -> None:
    file = tmp_path / "slow.py"
    file.write_text(
        "import dspy, fieldstream, threading\nqa = dspy.Predict('question -> answer')\n"
        "class Sleeper(dspy.Module):\n    def forward(self, question):\n"
        "        fieldstream.emit('answer')\n        threading.Event().wait()\n"
    )
    with terminal("run", f"{file}:{program}", "question=x", "--simulate") as opened:
        opened.read_until("answer")
        opened.process.send_signal(signal.SIGINT)
        out = opened.read_until()
        assert opened.process.wait(TIME) == 130
    assert "cancelled after" in out
    assert "Traceback" not in out
    assert out.count("\x1b[?25l") == out.count("\x1b[?25h")


def test_a_reader_that_goes_away() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "fieldstream", "demo", "--fast"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(TIME) == 1
    assert process.stderr.read() == b""
    process.stderr.close()
