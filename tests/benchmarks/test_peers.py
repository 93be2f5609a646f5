"""What the peers are installed from: every file by its version and hash, from wherever the reader's packages come."""

import re
import sys
from pathlib import Path

import pytest

from benchmarks import peers

LOCKS = sorted(peers.HERE.glob("*/requirements.lock"))
NAMES = [lock.parent.name for lock in LOCKS]


def test_every_peer_has_its_three_files() -> None:
    assert NAMES == ["asana_sdk", "dlt_duckdb", "plot", "tap_asana"]
    for name in NAMES:
        assert peers.program_of(name).is_file()
        assert (peers.HERE / name / "requirements.in").is_file()


@pytest.mark.parametrize("lock", LOCKS, ids=NAMES)
def test_a_lock_names_versions_and_hashes_alone(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z])", re.sub(r"(?m)^ *#.*\n", "", text).strip())
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+(\[[a-z,]+\])?==[\w.]+ ", entry), entry
        assert "--hash=sha256:" in entry, entry
    assert "://" not in text
    assert "--index" not in text


@pytest.mark.parametrize("name", NAMES)
def test_what_was_wanted_is_one_version(name: str) -> None:
    wanted = (peers.HERE / name / "requirements.in").read_text(encoding="utf-8").strip()
    package, _, version = wanted.partition("==")
    assert peers.version_of(name) == version
    pinned = f"\n{package.partition('[')[0]}=={version} "
    assert pinned in "\n" + (peers.HERE / name / "requirements.lock").read_text(encoding="utf-8").replace("\\", " ")


def test_an_installer_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho no such package >&2\nexit 2\n", encoding="utf-8")
    uv.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(peers, "ROOT", tmp_path)
    with pytest.raises(peers.PeerError, match="uv venv failed: no such package"):
        peers.python_of("plot", lambda _: None)
