"""What a run of the benchmarks leaves behind: a JSON file with its figures, and with what they were taken on."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure

_PACKAGES = (
    "fieldstream",
    "dspy",
    "litellm",
    "httpx",
    "msgspec",
    "pydantic",
    "jiter",
    "jsonriver",
    "pydantic-ai-slim",
    "openai",
)


@dataclass(frozen=True, kw_only=True)
class Report:
    """The figures of each section (by the name of its module), when they were taken, and with what."""

    taken: str
    """The date, UTC."""
    machine: str
    cores: int
    python: str
    versions: dict[str, str]
    rounds: int
    quick: bool
    sections: dict[str, list[Figure]]

    def write(self, path: Path) -> None:
        """Write the file. A figure also says whether its goal is met."""
        written = asdict(self)
        written["sections"] = {
            name: [asdict(figure) | {"met": figure.met} for figure in figures]
            for name, figures in self.sections.items()
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Report":
        """Read such a file."""
        read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        names = {field.name for field in fields(Figure)}
        sections = {
            section: [Figure(**{name: each[name] for name in names}) for each in figures]
            for section, figures in read.pop("sections").items()
        }
        return cls(**read, sections=sections)


def report(sections: Mapping[str, Sequence[Figure]], *, rounds: int, quick: bool) -> Report:
    """A report of these figures, taken now and here."""
    return Report(
        taken=datetime.now(UTC).date().isoformat(),
        machine=_machine(),
        cores=os.cpu_count() or 1,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions={package: found for package in _PACKAGES if (found := _version(package)) is not None},
        rounds=rounds,
        quick=quick,
        sections={name: list(figures) for name, figures in sections.items()},
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _machine() -> str:
    """The processor, as its name is known; and the system."""
    processor = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                processor = value.strip()
                break
    except OSError:
        pass
    return f"{processor}, {platform.system()} {platform.machine()}"
