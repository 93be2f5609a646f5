"""Where the programs are missing, they are installed and nothing else is touched, or one line says what to do."""

import os
from pathlib import Path

import pytest

from sandbox.services import ServiceError, apt, postgres_node, private, rabbitmq_node

# Stands in for apt-get: notes its arguments and what the two files said meanwhile, and fails when told to.
APT = """#!/bin/sh
echo "$*" >> {notes}
cat {policy} {no_cluster} >> {notes}
echo 'E: Unable to locate package'
exit {code}
"""


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(apt, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(apt, "NO_CLUSTER", tmp_path / "createcluster.d" / "seatkeeper.conf")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / "notes"


def put_apt(notes: Path, code: int) -> None:
    program = notes.parent / "apt-get"
    script = APT.format(notes=notes, policy=apt.POLICY, no_cluster=apt.NO_CLUSTER, code=code)
    program.write_text(script, encoding="utf-8")
    program.chmod(0o755)


@pytest.mark.parametrize("before", [None, "#!/bin/sh\nexit 0\n"])
def test_packages_start_nothing_and_the_files_are_put_back(before: str | None, notes: Path) -> None:
    if before:
        apt.POLICY.write_text(before, encoding="utf-8")
        apt.POLICY.chmod(0o700)
    put_apt(notes, 0)
    said: list[str] = []
    apt.install(["rabbitmq-server"], said.append)
    noted = notes.read_text(encoding="utf-8")
    assert "install --yes --no-install-recommends rabbitmq-server" in noted
    assert noted.count("exit 101") == noted.count("create_main_cluster = false") == 2
    assert "rabbitmq-server" in said[0]
    assert (apt.POLICY.read_text(encoding="utf-8") if apt.POLICY.exists() else None) == before
    assert not before or apt.POLICY.stat().st_mode & 0o777 == 0o700
    assert not apt.NO_CLUSTER.exists()


def test_a_failed_install_says_why_and_puts_the_files_back(notes: Path) -> None:
    put_apt(notes, 100)
    with pytest.raises(ServiceError, match="Unable to locate package"):
        apt.install(["rabbitmq-server"], print)
    assert not apt.POLICY.exists()
    assert not apt.NO_CLUSTER.exists()


@pytest.mark.parametrize(
    ("missing", "wanted"),
    [
        ([rabbitmq_node], r"install RabbitMQ 3\.10 or newer \("),
        ([postgres_node], r"install PostgreSQL 15 or newer \("),
        ([rabbitmq_node, postgres_node], r"install RabbitMQ 3\.10 or newer and PostgreSQL 15 or newer \("),
    ],
)
def test_one_line_says_what_to_install(missing: list[object], wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for node in (rabbitmq_node, postgres_node):
        found = None if node in missing else Path("/somewhere")
        monkeypatch.setattr(node, "find_programs", lambda found=found: found)
    monkeypatch.setattr(apt, "can_install", lambda: False)
    with pytest.raises(ServiceError, match=wanted) as caught:
        private.ensure_programs(print)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("said", "taken"), [("14.9 (Debian 14.9-1)", False), ("15.14", True), ("18beta1", True)])
def test_an_old_postgres_is_passed_over(
    said: str, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "postgres"
    program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {said}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))
    assert postgres_node.find_programs() == (tmp_path if taken else None)
