"""What every test stands on: Hypothesis's profiles, a DSPy without a memory, which DSPy it is, no silent skip on CI.

A test of what only some versions of DSPy have is marked ``@pytest.mark.dspy(">=3.4")``. With another one it is not run,
and the summary counts it.
"""

import atexit
import gc
import os
import shutil
import signal
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Generator, Iterator
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.versions import dspy_fits, versions

ON_CI = os.environ.get("CI", "").lower() in {"1", "true"}

_cache_dir = tempfile.mkdtemp(prefix="fieldstream-tests-")
atexit.register(shutil.rmtree, _cache_dir, ignore_errors=True)
os.environ["DSPY_CACHEDIR"] = _cache_dir  # read when DSPy is imported, which is why it is set here
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else LiteLLM asks the network for its price list

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So it is in a shell's background job, and in all that it starts. Tests of Ctrl-C need one that is heard.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("dev", deadline=None, max_examples=100)
# What is generated is the same with each DSPy, and before 3.4 an LM takes several times as long.
_examples = 200 if dspy_fits(">=3.4") else 40
settings.register_profile("ci", deadline=None, max_examples=_examples, derandomize=True, print_blob=True)
settings.register_profile(
    "nightly", deadline=None, max_examples=5_000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("FIELDSTREAM_HYPOTHESIS_PROFILE") or ("ci" if ON_CI else "dev"))


@pytest.fixture(scope="session", autouse=True)
def _dspy_without_disk_cache() -> None:
    import dspy

    if dspy_fits("<3.4"):
        import_module("litellm")  # All LMs need it, and it takes seconds, which no test should have to wait for.
    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=True)


@pytest.fixture(scope="session", autouse=True)
def _connections_of_litellm() -> Iterator[None]:
    """What LiteLLM leaves to the collector at the end of all tests."""
    yield
    if (litellm := sys.modules.get("litellm")) is not None:
        litellm.in_memory_llm_clients_cache.flush_cache()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.fixture(autouse=True)
def _dspy_forgets(_dspy_without_disk_cache: None) -> Iterator[None]:
    """Each test starts with an empty cache, also after one that configured a cache of its own."""
    import dspy

    cache = dspy.cache
    cache.reset_memory_cache()
    yield
    dspy.cache = cache  # pyright: ignore[reportAttributeAccessIssue]


# LiteLLM asks Pydantic in ways that Pydantic warns of; it leaves to the collector a coroutine whose call is cancelled,
# and its clients, loops and connections when they are done. Before 3.4 all of DSPy's calls are LiteLLM's.
_WARNINGS_OF_LITELLM = (
    "ignore:Accessing the 'model_computed_fields':DeprecationWarning",
    "ignore:Accessing the 'model_fields':DeprecationWarning",
    "ignore:Item .* on TypedDict:UserWarning",
    "ignore:coroutine 'OpenAIChatCompletion.(async_streaming|acompletion)' was never awaited:RuntimeWarning",
)


def pytest_configure(config: pytest.Config) -> None:
    # LiteLLM's, which are collected in whatever test comes next. What of ours must not stay open is tested where it is.
    config.addinivalue_line("filterwarnings", "ignore:Unclosed (client session|connector) <aiohttp:ResourceWarning")
    config.addinivalue_line(
        "filterwarnings", "ignore:unclosed (<socket.socket|transport <_Sel|event loop):ResourceWarning"
    )
    if dspy_fits("<3.4"):
        for warning in _WARNINGS_OF_LITELLM:
            config.addinivalue_line("filterwarnings", warning)


_not_for_this_dspy = pytest.StashKey[Counter[str]]()


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[_not_for_this_dspy] = Counter()
    if (reporter := session.config.pluginmanager.get_plugin("terminalreporter")) is not None:
        reporter.write_line(versions())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take away what is of another version of DSPy, and count it."""
    counts = config.stash[_not_for_this_dspy]
    counts.clear()
    others: list[pytest.Item] = []
    for item in items:
        needs = [str(mark.args[0]) for mark in item.iter_markers("dspy") if not dspy_fits(str(mark.args[0]))]
        if needs:
            others.append(item)
            counts[needs[0]] += 1
    if others:
        items[:] = [item for item in items if item not in set(others)]
        config.hook.pytest_deselected(items=others)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (output := getattr(session.config, "workeroutput", None)) is not None:  # a process of pytest-xdist
        output["not_for_this_dspy"] = dict(session.config.stash[_not_for_this_dspy])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    # Each process has collected all tests.
    node.config.stash[_not_for_this_dspy] |= Counter(getattr(node, "workeroutput", {}).get("not_for_this_dspy", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.section("versions")
    terminalreporter.write_line(versions())
    for needed, count in sorted(config.stash[_not_for_this_dspy].items()):
        terminalreporter.write_line(f"not run: {count} test{'s' * (count > 1)} of what only DSPy {needed} has")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test fails on CI: what it needs is missing there."""
    report = yield
    if ON_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = _no_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself, as ``pytest.importorskip`` does."""
    report = yield
    if ON_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = _no_skip(report)
    return report


def _no_skip(report: pytest.TestReport | pytest.CollectReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return f"{reason} - nothing may be skipped on CI: install what is missing"
