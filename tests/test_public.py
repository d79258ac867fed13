"""The package's public names."""

import subprocess
import sys

import pytest

import fieldstream


@pytest.mark.parametrize("name", fieldstream.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(fieldstream, name) is not None


def test_the_names_are_those_that_have_a_home() -> None:
    assert sorted(fieldstream.__all__) == sorted(fieldstream._HOMES)
    assert dir(fieldstream) == fieldstream.__all__
    with pytest.raises(AttributeError, match="no attribute 'streem'"):
        _ = fieldstream.streem  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("expression", ["server.router", "terminal.draw", "events.RunStarted", "server.Expose()"])
def test_what_has_a_package_of_its_own_needs_no_import_of_its_own(expression: str) -> None:
    code = f"import fieldstream; fieldstream.{expression}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
