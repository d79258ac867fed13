"""What every test stands on: Hypothesis's profiles, a DSPy without a memory, and no silent skip on CI."""

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

ON_CI = os.environ.get("CI", "").lower() in {"1", "true"}

_cache_dir = tempfile.mkdtemp(prefix="fieldstream-tests-")
atexit.register(shutil.rmtree, _cache_dir, ignore_errors=True)
os.environ["DSPY_CACHEDIR"] = _cache_dir  # read when DSPy is imported, which is why it is set here
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else LiteLLM asks the network for its price list

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So it is in a shell's background job, and in all that it starts. Tests of Ctrl-C need one that is heard.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("dev", deadline=None, max_examples=100)
settings.register_profile("ci", deadline=None, max_examples=200, derandomize=True, print_blob=True)
settings.register_profile(
    "nightly", deadline=None, max_examples=5_000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("FIELDSTREAM_HYPOTHESIS_PROFILE") or ("ci" if ON_CI else "dev"))


@pytest.fixture(scope="session", autouse=True)
def _dspy_without_disk_cache() -> None:
    import dspy

    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=True)


@pytest.fixture(autouse=True)
def _dspy_forgets(_dspy_without_disk_cache: None) -> Iterator[None]:
    """Each test starts with an empty cache, also after one that configured a cache of its own."""
    import dspy

    cache = dspy.cache
    cache.reset_memory_cache()
    yield
    dspy.cache = cache  # pyright: ignore[reportAttributeAccessIssue]


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
