"""What the tests run with: ``python -m tests.support.versions`` says it in a line."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from packaging.specifiers import SpecifierSet

_PACKAGES = {"fieldstream": "fieldstream", "DSPy": "dspy", "LiteLLM": "litellm", "Pydantic": "pydantic"}


def versions() -> str:
    """The versions of Python and of what matters here, in a line for people."""
    packages = [f"{name} {_version(package)}" for name, package in _PACKAGES.items()]
    return " | ".join((f"Python {platform.python_version()}", *packages, f"{platform.system()} {platform.machine()}"))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def dspy_fits(versions: str) -> bool:
    """Whether the DSPy that is installed is one of these versions, such as ``>=3.4``."""
    return SpecifierSet(versions).contains(version("dspy"), prereleases=True)


if __name__ == "__main__":
    sys.stdout.write(f"{versions()}\n")
