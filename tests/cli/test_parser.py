"""The command line."""

import pytest

from fieldstream.cli import main
from fieldstream.cli.errors import CliError, say_error
from fieldstream.cli.parser import parse
from fieldstream.simulator.options import NAMES


def test_inputs_and_options_in_any_order() -> None:
    arguments = parse(["run", "--simulate", "f.py:qa", "a=1", "--adapter", "json", "b=-2", "--traceback", "c=--x"])
    assert (arguments.target, arguments.inputs) == ("f.py:qa", ["a=1", "b=-2", "c=--x"])
    assert (arguments.simulate, arguments.adapter, arguments.traceback) == (True, "json", True)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["run"], "FILE:PROGRAM; see: fieldstream run --help"),
        (["run", "f.py", "--bogus"], "there is no option '--bogus'; see: fieldstream run --help"),
        (["demo", "x"], "there is no option 'x'; see: fieldstream demo --help"),
        (["dmo"], "invalid choice: 'dmo'"),
        (["run", "f.py", "--adapter", "yaml"], "invalid choice: 'yaml'"),
        (["simulate", "--port", "x"], "invalid int value: 'x'"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CliError):
        parse(argv)
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_every_option_of_the_simulator_is_there() -> None:
    assert set(NAMES) <= set(vars(parse(["simulate"])))


def test_an_error_is_one_line_whatever_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    say_error("one\ntwo\x1b[31m three\ud83d\u202e 漢")
    assert capsys.readouterr().err == "fieldstream: one two\\x1b[31m three\\ud83d\\u202e 漢\n"
