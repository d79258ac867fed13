"""What only the benchmarks need."""

import sys
from pathlib import Path

import pytest

from benchmarks.peers import MissingPeerError, peer


def test_one_that_is_there() -> None:
    assert peer("json.decoder").JSONDecoder


def test_one_that_is_missing_names_what_installs_it() -> None:
    with pytest.raises(MissingPeerError, match="make bench"):
        peer("no_such_peer.part")


def test_what_a_peer_itself_lacks_is_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "peer_that_lacks.py").write_text("import what_it_lacks\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="what_it_lacks"):
        peer("peer_that_lacks")
    assert "peer_that_lacks" not in sys.modules
