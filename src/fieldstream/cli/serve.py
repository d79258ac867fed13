"""``fieldstream serve``: programs of the user's over HTTP, and a page to watch them on."""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fieldstream._errors import FieldstreamError, MissingExtraError
from fieldstream.cli.errors import CliError, listed
from fieldstream.cli.parser import LIMITS
from fieldstream.cli.settings import prepare, settings

if TYPE_CHECKING:
    from fieldstream import Streamer
    from fieldstream.server import Expose, Limits

_OPTIONS = ("reasoning", "tool-arguments", "tool-results", "lm-text")


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C, or until the process is told to end."""
    prepare(arguments)
    from fieldstream.cli.loading import load_program

    targets = _named(arguments.targets)
    programs = {name: load_program(target) for name, target in targets.items()}
    with settings(programs.values(), arguments):
        return serve(programs, arguments)


def serve(programs: "Mapping[str, Callable[..., Any] | Streamer]", arguments: argparse.Namespace) -> int:
    """Serve these programs with the options of ``fieldstream serve``."""
    try:
        from fieldstream.server import Server
    except MissingExtraError as error:
        raise CliError(str(error)) from None
    from fieldstream.server.auth import tokens_of_environment, tokens_of_file
    from fieldstream.server.serving import is_loopback

    local = is_loopback(arguments.host)
    try:
        tokens = tokens_of_environment() + (tokens_of_file(arguments.tokens) if arguments.tokens else [])
    except OSError as error:
        raise CliError(
            f"--tokens {arguments.tokens}: {error.strerror or error}; name a file with a token a line"
        ) from None
    try:
        server = Server(
            programs,
            expose=_expose(arguments.expose, local=local),
            tokens=tokens,
            limits=_limits(arguments),
            debug=arguments.debug,
            list_runs=local,
            resume_chats=arguments.resume_chats,
            origins=arguments.cors,
            input=arguments.input,
            output=arguments.output,
        )
    except (FieldstreamError, ValueError) as error:
        raise CliError(str(error)) from None
    if not local and not tokens:
        sys.stderr.write(
            f"fieldstream: anyone who reaches {arguments.host} can run these programs; "
            "set FIELDSTREAM_TOKENS, or give --tokens FILE\n"
        )
    log = arguments.log or ("text" if sys.stderr.isatty() else "json")
    try:
        server.run(arguments.host, arguments.port, log=log, ready=lambda url: _announce(url, programs))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        where = f"{arguments.host}:{arguments.port}"
        raise CliError(f"cannot listen at {where} ({reason}); choose another --port, or 0 for any") from None
    return 0


def _named(targets: list[str]) -> dict[str, str]:
    """The targets by the names that clients call them by."""
    named: dict[str, str] = {}
    for each in targets:
        name, equals, target = each.partition("=")
        if not equals:
            target = each
            place, _, program = each.rpartition(":") if ":" in each else (each, "", "")
            name = program.rpartition(".")[2] or place.rpartition("/")[2].removesuffix(".py").rpartition(".")[2]
        if name in named:
            raise CliError(f"two programs are called {name!r}; call one of them otherwise: other={target}")
        named[name] = target
    return named


def _expose(what: str | None, *, local: bool) -> "Expose":
    from fieldstream.server import Expose

    names = [each.strip() for each in (what or "").split(",") if each.strip()]
    if "all" in names or (what is None and local):
        return Expose.everything()
    fields = [name for name in names if name not in _OPTIONS]
    chosen = {name.replace("-", "_"): True for name in names if name in _OPTIONS}
    return Expose(fields=fields or None, **chosen)


def _limits(arguments: argparse.Namespace) -> "Limits":
    from fieldstream.server import Limits

    given = {name: value for name, *_ in LIMITS if (value := getattr(arguments, name)) is not None}
    try:
        return Limits(**given)
    except ValueError as error:
        raise CliError(f"--{str(error).replace('_', '-', str(error).partition(' ')[0].count('_'))}") from None


def _announce(url: str, programs: Mapping[str, object]) -> None:
    print(f"Open {url} in a browser to run {listed(programs)} and watch (Ctrl-C ends).", flush=True)
