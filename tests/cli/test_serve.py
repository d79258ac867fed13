"""``fieldstream serve``, as a user starts it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cli.test_commands import PROGRAMS, TIME, environment, fieldstream


class Served:
    """A server, and where it is."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process = process
        self.url = url
        self.log = ""

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        _, self.log = self.process.communicate(timeout=TIME)
        return self.process.returncode


@contextmanager
def serving(*arguments: str, **more: str) -> Generator[Served]:
    process = subprocess.Popen(
        [sys.executable, "-m", "fieldstream", *arguments, "--port", "0"],
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = re.search(r"http://\S+", line)
        assert url, line or process.communicate(timeout=TIME)[1]
        yield Served(process, url[0])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=TIME)


def test_programs_are_served_and_the_log_says_nothing_of_what_they_are_asked() -> None:
    with serving("serve", f"{PROGRAMS}:qa", f"person={PROGRAMS}:describe", "--simulate", "--fast") as served:
        listed = httpx.get(f"{served.url}/programs").json()["programs"]
        assert [each["name"] for each in listed] == ["qa", "person"]
        answer = httpx.post(
            f"{served.url}/programs/qa/runs",
            json={"question": "Where is the zebrafish?"},
            headers={"Accept": "application/json"},
            timeout=TIME,
        ).json()
        assert answer["outcome"] == "completed"
        # On this machine everything is shown, and a page for people is at the root.
        assert {each["field"] for each in answer["fields"]} >= {"answer"}
        assert "<html" in httpx.get(served.url).text
        assert served.end() == 0
    records = [json.loads(line) for line in served.log.splitlines()]
    ended = [each for each in records if each["message"] == "run ended"]
    assert [(each["run"], each["outcome"]) for each in ended] == [(answer["run"], "completed")]
    assert "zebrafish" not in served.log
    assert answer["result"]["answer"] not in served.log


def test_ctrl_c_ends_it_in_silence() -> None:
    with serving("serve", f"{PROGRAMS}:qa", "--simulate", "--log", "text") as served:
        assert served.end(signal.SIGINT) == 0
    assert "Traceback" not in served.log


def test_a_host_that_is_not_this_machine_s_name_is_refused() -> None:
    with serving("serve", f"{PROGRAMS}:qa", "--simulate") as served:
        assert httpx.get(f"{served.url}/programs", headers={"Host": "evil.example"}).status_code == 400
        port = served.url.rpartition(":")[2]
        assert httpx.get(f"{served.url}/programs", headers={"Host": f"localhost:{port}"}).status_code == 200


def test_tokens_of_a_file_and_of_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# ours\nfirst-token\n\n")
    arguments = ("serve", f"{PROGRAMS}:qa", "--simulate", "--tokens", str(file))
    with serving(*arguments, FIELDSTREAM_TOKENS="second-token, third-token") as served:
        assert httpx.get(f"{served.url}/programs").status_code == 401
        for token in ("first-token", "second-token", "third-token"):
            answer = httpx.get(f"{served.url}/programs", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200


def test_elsewhere_only_the_programs_own_fields_are_shown(tmp_path: Path) -> None:
    with serving("serve", f"{PROGRAMS}:qa", "--simulate", "--fast", "--host", "0.0.0.0") as served:
        url = served.url.replace("0.0.0.0", "127.0.0.1")
        listed = httpx.get(f"{url}/programs").json()["programs"]
        assert "reasoning" not in json.dumps(listed)
        assert httpx.get(f"{url}/runs").status_code == 403
        assert served.end() == 0
    assert "anyone who reaches 0.0.0.0 can run these programs; set FIELDSTREAM_TOKENS" in served.log


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((f"{PROGRAMS}:qa", f"{PROGRAMS}:qa"), "two programs are called 'qa'; call one of them otherwise: other="),
        ((f"a b={PROGRAMS}:qa",), "'a b' is no name for a program; use letters, digits and . _ - alone"),
        ((f"{PROGRAMS}:qa", "--expose", "anser"), "the program has no field 'anser'; it has:"),
        ((f"{PROGRAMS}:qa", "--input", "query"), "the program has no input 'query'; it has: question"),
        ((f"{PROGRAMS}:qa", "--tokens", "/nowhere/at/all"), "--tokens /nowhere/at/all: No such file or directory"),
        ((f"{PROGRAMS}:qa", "--max-runs", "0"), "--max-runs is 0; it must be 1 or more"),
        ((f"{PROGRAMS}:qa", "--port", "70000"), "cannot listen at 127.0.0.1:70000"),
        ((f"{PROGRAMS}:qa", "--host", "192.0.2.1"), "cannot listen at 192.0.2.1:8000"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line(arguments: tuple[str, ...], says: str) -> None:
    done = fieldstream("serve", *arguments, "--simulate")
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.splitlines()[-1].startswith("fieldstream: ")


def test_without_an_lm() -> None:
    done = fieldstream("serve", f"{PROGRAMS}:qa")
    assert done.returncode == 2
    assert "there is no LM; add --lm MODEL, or --simulate" in done.stderr


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "fastapi.py").write_text("raise ModuleNotFoundError(\"No module named 'fastapi'\", name='fastapi')\n")
    path = os.pathsep.join([str(tmp_path), *(each for each in sys.path if each)])
    done = subprocess.run(
        [sys.executable, "-m", "fieldstream", "serve", f"{PROGRAMS}:qa", "--simulate"],
        env=environment(PYTHONPATH=path),
        capture_output=True,
        encoding="utf-8",
        timeout=TIME,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'fieldstream[server]'" in done.stderr


def test_the_demo_serves_its_programs() -> None:
    with serving("demo", "--serve", "--fast") as served:
        for name, inputs in {
            "qa": {"question": "Why?"},
            "agent": {"question": "How long does this take to read?"},
            "recipe": {"dish": "pancakes", "servings": 2},
            "primer": {"questions": ["Why?"]},
        }.items():
            answer = httpx.post(
                f"{served.url}/programs/{name}/runs", json=inputs, headers={"Accept": "application/json"}, timeout=TIME
            ).json()
            assert (name, answer["outcome"]) == (name, "completed")
        assert served.end() == 0


def test_the_demo_ends_by_saying_how_to_open_the_page() -> None:
    done = fieldstream("demo", "--fast")
    assert done.returncode == 0
    assert re.search(r"fieldstream demo --serve\n +then open the page: +http://127\.0\.0\.1:8000", done.stdout)
