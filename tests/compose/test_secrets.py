"""scripts/compose-secrets: made once, closed to others, never written over, and such that the servers take them."""

import base64
import hashlib
import json
import stat
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sandbox.compose_secrets import DEFINITIONS, main, make_secrets
from settings import Settings
from tests.compose.reading import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "secrets"
    make_secrets(made, amqp_port=5673)
    return made


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}


def test_only_the_owner_enters_the_folder_and_any_container_reads_its_file(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o444}


def test_nothing_is_written_over(folder: Path) -> None:
    before = contents(folder)
    assert make_secrets(folder) == []
    assert contents(folder) == before


def test_what_is_missing_is_made_to_fit_the_rest(folder: Path) -> None:
    before = contents(folder)
    gone = ["worker_internal_url", "postgres_owner.sql", DEFINITIONS]
    for name in gone:
        (folder / name).unlink()
    assert sorted(make_secrets(folder, amqp_port=5673)) == sorted(gone)
    assert contents(folder) == before


def test_two_installations_share_no_secret(folder: Path, tmp_path: Path) -> None:
    make_secrets(tmp_path / "other", amqp_port=5673)
    assert not {*contents(folder).values()} & {*contents(tmp_path / "other").values()}


def test_addresses_are_those_that_the_settings_take(folder: Path) -> None:
    for name, content in contents(folder).items():
        if name.endswith("_url"):
            field = "database_url" if "database" in name else "internal_url"
            Settings.model_validate({field: content.strip()})
    assert urlsplit(contents(folder)["requester_edge_url"].strip()).netloc.endswith("@127.0.0.1:5673")
    assert urlsplit(contents(folder)["relay_edge_url"].strip()).netloc.endswith("@rabbitmq:5672")


def test_the_definitions_hold_the_hash_of_each_password_and_no_password(folder: Path) -> None:
    text = (folder / DEFINITIONS).read_text(encoding="utf-8")
    users = {user["name"]: user for user in json.loads(text)["users"]}
    assert users.keys() == {"worker", "relay", "intake", "requester", "consumer", "operator"}
    assert "${" not in text
    for name, user in users.items():
        password = (folder / f"rabbitmq_password_{name}").read_text(encoding="utf-8").strip()
        assert password not in text
        salted = base64.b64decode(user["password_hash"])
        assert salted[4:] == hashlib.sha256(salted[:4] + password.encode()).digest()
    assert [name for name, user in users.items() if user["tags"]] == ["operator"]


def test_the_definitions_follow_a_new_version(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / DEFINITIONS).read_text(encoding="utf-8")
    (folder / DEFINITIONS).chmod(0o600)
    (folder / DEFINITIONS).write_text(before.replace("seatkeeper.requests", "another.queue"))
    assert main(["--folder", str(folder)]) == 0
    assert (folder / DEFINITIONS).read_text(encoding="utf-8") == before
    assert "docker compose restart rabbitmq" in capsys.readouterr().out


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--folder", str(tmp_path / "file")]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_the_script_needs_nothing_but_python(tmp_path: Path) -> None:
    """Without our environment, as on a server where nothing is installed yet."""
    run = "import sys; from sandbox.compose_secrets import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        ["python3", "-S", "-c", run, "--folder", str(tmp_path / "made")],
        cwd=ROOT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "24 made, 0 were there already" in done.stdout


def test_git_never_sees_them() -> None:
    assert "/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
