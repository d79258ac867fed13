"""The command line: its commands and their options. It imports nothing that they need."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from fieldstream.cli.errors import CliError

_PROGRAM = """\
FILE is a path to a Python file or the dotted name of a module. PROGRAM is the name of a dspy.Module in it, of a
Module's class that needs no arguments, or of a function; it may be left out where the file has one dspy.Module.
"""

_RUN_EXAMPLES = """\
Inputs are given as name=value. A text is taken as it is, anything else as JSON: n=3, tags='["a", "b"]'.

examples:
  fieldstream run qa.py question="Why is the sky blue?" --simulate
  fieldstream run agents.py:Researcher topic=tides --lm openai/gpt-4.1-mini
  fieldstream run mypackage.programs:qa question="Why?" --lm openai/qwen3 --api-base http://localhost:8000/v1

exit codes: 0 completed, 1 the program failed, 2 it could not begin, 130 interrupted
"""

_SERVE_EXAMPLES = """\
examples:
  fieldstream serve qa.py --simulate
  fieldstream serve agents.py:Researcher qa=mypackage.programs:qa --lm openai/gpt-4.1-mini
  FIELDSTREAM_TOKENS=... fieldstream serve qa.py --host 0.0.0.0 --expose answer,reasoning
"""

LIMITS: tuple[tuple[str, type, str, str], ...] = (
    ("max_body", int, "BYTES", "the largest body of a request (1 MiB)"),
    ("max_runs", int, "N", "how many runs go on at once (100)"),
    ("max_runs_per_client", int, "N", "how many of one token's, or without tokens of one address's (no limit)"),
    ("max_queued", int, "N", "how many more may wait for their turn (100)"),
    ("max_queue_seconds", float, "SECONDS", "how long one waits for its turn (30)"),
    ("max_run_seconds", float, "SECONDS", "how long a run may take (3600)"),
    ("max_idle_seconds", float, "SECONDS", "how long a run may say nothing (600)"),
    ("keep_seconds", float, "SECONDS", "how long a finished run is kept (600)"),
    ("keep_bytes", int, "BYTES", "how large the finished runs that are kept may be in all (64 MiB)"),
    ("heartbeat_seconds", float, "SECONDS", "how long a connection may be silent (15)"),
    ("stall_seconds", float, "SECONDS", "how long a reader may take nothing of what it is sent (60)"),
    ("shutdown_seconds", float, "SECONDS", "how long open runs have to finish at the end (10)"),
)
"""The options that are limits, by their names in ``fieldstream.server.Limits``."""

_SIMULATE_EXAMPLES = """\
Positions of faults count the chunks of a stream, from 0.

examples:
  fieldstream simulate --port 8000 --rate 50 --first 0.3
  fieldstream simulate --port 8000 --error 429 --retry-after 1 --fault-times 2
  fieldstream simulate --port 8000 --drop 20
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CliError(f"{message}; see: {self.prog} --help")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command line; raises ``CliError`` for one that makes no sense."""
    parser = _parser()
    arguments, others = parser.parse_known_args(argv)
    if arguments.command is None:
        parser.print_help()
        raise SystemExit(2)
    if arguments.command == "run":  # Inputs may stand between options, which argparse alone does not allow.
        arguments.inputs += [each for each in others if not each.startswith("-")]
        others = [each for each in others if each.startswith("-")]
    if others:
        raise CliError(f"there is no option {others[0]!r}; see: fieldstream {arguments.command} --help")
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fieldstream", description="Streams what a DSPy program is writing, field by field.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=_Parser)
    _add_demo(commands)
    _add_run(commands)
    _add_serve(commands)
    _add_simulate(commands)
    return parser


def _add(commands: Any, name: str, short: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=short,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    return parser


def _add_demo(commands: Any) -> None:
    parser = _add(
        commands,
        "demo",
        "watch two programs stream: no key, no network",
        "Starts a simulated LM on this machine and watches two DSPy programs work with it.",
    )
    parser.add_argument("--fast", action="store_true", help="as fast as it goes, not at a human pace")
    parser.add_argument(
        "--serve", action="store_true", help="serve programs with a page to watch them on, in a browser"
    )
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="with --serve: the port (%(default)s)")


def _add_run(commands: Any) -> None:
    parser = _add(
        commands,
        "run",
        "run a program of yours and watch it",
        f"Runs a DSPy program and shows each field while it is being written.\n\n{_PROGRAM}",
        _RUN_EXAMPLES,
    )
    parser.add_argument("target", metavar="FILE:PROGRAM", help="where the program is")
    parser.add_argument("inputs", metavar="name=value", nargs="*", default=[], help="the program's inputs")
    _add_settings(parser)
    parser.add_argument("--traceback", action="store_true", help="show where a failure came from")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lm", metavar="MODEL", help="the LM, as dspy.LM takes it; else the one that FILE configures")
    parser.add_argument("--api-base", metavar="URL", help="where the LM of --lm is")
    parser.add_argument("--api-key", metavar="KEY", help="the key for the LM of --lm")
    parser.add_argument("--simulate", action="store_true", help="use a simulated LM on this machine")
    parser.add_argument("--fast", action="store_true", help="with --simulate: as fast as it goes, not at a human pace")
    parser.add_argument("--adapter", choices=("chat", "json", "xml"), help="the adapter, else what FILE configures")


def _add_serve(commands: Any) -> None:
    parser = _add(
        commands,
        "serve",
        "serve programs of yours over HTTP, with a page to watch them on",
        f"Serves DSPy programs until Ctrl-C: an API, OpenAI's, AI SDK and AG-UI, and a page.\n\n{_PROGRAM}",
        _SERVE_EXAMPLES,
    )
    parser.add_argument(
        "targets", metavar="[NAME=]FILE:PROGRAM", nargs="+", help="where the programs are, and how clients call them"
    )
    _add_settings(parser)
    place = parser.add_argument_group("where, and for whom")
    place.add_argument("--host", default="127.0.0.1", help="the address to listen at (%(default)s)")
    place.add_argument("--port", type=int, default=8000, metavar="N", help="the port; 0: any free one (%(default)s)")
    place.add_argument("--tokens", metavar="FILE", help="bearer tokens, one a line; also taken: $FIELDSTREAM_TOKENS")
    place.add_argument(
        "--expose",
        metavar="WHAT",
        help="what clients may see, with commas: names of fields, reasoning, tool-arguments, tool-results, lm-text, or "
        "all; else all on a loopback address, and elsewhere the programs' own output fields",
    )
    place.add_argument("--cors", metavar="ORIGIN", action="append", default=[], help="let pages of this origin use it")
    place.add_argument("--debug", action="store_true", help="show clients errors as they are")
    place.add_argument("--log", choices=("text", "json"), help="how to log; else text on a terminal")
    chat = parser.add_argument_group("chat protocols")
    chat.add_argument(
        "--input", metavar="NAME", help="the input that a chat's message is, where there are several texts"
    )
    chat.add_argument("--output", metavar="FIELD", help="the field that is a chat's answer, else the first text")
    chat.add_argument(
        "--resume-chats", action="store_true", help="let a chat's run go on when its reader goes away, to be resumed"
    )
    limits = parser.add_argument_group("limits")
    for name, kind, metavar, text in LIMITS:
        limits.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=metavar, help=text)


def _add_simulate(commands: Any) -> None:
    parser = _add(
        commands,
        "simulate",
        "serve a simulated LM",
        "Serves a provider of the OpenAI API on this machine that writes plausible answers, until Ctrl-C.",
        _SIMULATE_EXAMPLES,
    )
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="where to listen; 0, the default: any free port"
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (%(default)s)")
    pace = parser.add_argument_group("pace and text")
    pace.add_argument("--rate", type=float, metavar="X", help="chunks per second; else as fast as possible")
    pace.add_argument("--first", type=float, metavar="SECONDS", help="wait before the first chunk")
    pace.add_argument("--chunking", choices=("tokens", "chars", "whole", "random"), help="where texts are cut (tokens)")
    pace.add_argument("--seed", type=int, metavar="N", help="another seed writes other texts")
    pace.add_argument("--length", type=int, metavar="WORDS", help="about how long answers are")
    pace.add_argument("--reasoning", action="store_true", default=None, help="send reasoning before the text")
    pace.add_argument(
        "--tools", action=argparse.BooleanOptionalAction, help="always or never call an offered tool; else as asked"
    )
    pace.add_argument("--steps", type=int, metavar="N", help="how many tools a ReAct program calls (1)")
    faults = parser.add_argument_group("faults")
    faults.add_argument("--error", type=int, metavar="STATUS", help="answer with this HTTP status")
    faults.add_argument("--retry-after", type=float, metavar="SECONDS", help="send this header with --error")
    faults.add_argument("--drop", type=int, metavar="N", help="close the connection after N chunks")
    faults.add_argument("--reset", action="store_true", default=None, help="let --drop reset the connection")
    faults.add_argument("--stall", type=int, metavar="N", help="go silent after N chunks")
    faults.add_argument("--malformed", type=int, metavar="N", help="send something that is no JSON after N chunks")
    faults.add_argument("--truncate", type=int, metavar="N", help="end without an end mark after N chunks")
    faults.add_argument("--fault-times", type=int, metavar="N", help="only the first N requests have the fault")
