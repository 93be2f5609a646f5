"""scripts/compose-secrets: made once, closed to others, never written over, and such that the servers take them."""

import base64
import hashlib
import json
import stat
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sandbox.compose_secrets import DEFINITIONS, NOBODY, main, make_secrets
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
    assert make_secrets(folder).made == []
    assert contents(folder) == before


@pytest.mark.parametrize(
    "gone",
    [
        ["worker_internal_url", "postgres_owner.sql", DEFINITIONS],
        ["rabbitmq_password_relay", "relay_internal_url"],
        ["rabbitmq_password_relay", "relay_edge_url", "consumer_edge_url"],
        ["owner_database_url"],
    ],
)
def test_what_is_missing_is_made_to_fit_the_rest(folder: Path, gone: list[str]) -> None:
    before = contents(folder)
    for name in gone:
        (folder / name).unlink()
    assert sorted(make_secrets(folder).made) == sorted(gone)
    assert contents(folder) == before


def test_two_installations_share_no_secret(folder: Path, tmp_path: Path) -> None:
    make_secrets(tmp_path / "other", amqp_port=5673)
    assert {*contents(folder).values()} & {*contents(tmp_path / "other").values()} == {f"{NOBODY}\n"}


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
    assert users.keys() == {"worker", "reclaim", "relay", "intake", "requester", "consumer", "operator"}
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


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "keys").write_text("another's")
    tmp_path.chmod(0o755)
    assert main(["--folder", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"compose-secrets: {tmp_path} holds other things")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert [file.name for file in tmp_path.iterdir()] == ["keys"]


def test_a_folder_that_is_open_is_not_closed_behind_its_owners_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o750)
    assert main(["--folder", str(tmp_path)]) == 2
    assert "is open to others" in capsys.readouterr().err
    assert (stat.S_IMODE(tmp_path.stat().st_mode), [*tmp_path.iterdir()]) == (0o750, [])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("keys", None, "keys missing"),
        ("postgres_password", None, "postgres_password missing"),
        ("keys", b"\n", "keys is empty"),
        ("keys", b"\xff\xfe", "keys cannot be read as text"),
        ("relay_edge_url", b"amqp://relay:s3cret@rabbitmq/edge", "relay_edge_url belong together"),
        ("relay_edge_url", b"amqp://[s3cret", "relay_edge_url holds no password"),
        ("postgres_owner.sql", b"ALTER ROLE x PASSWORD 's3cret'", "owner_database_url, postgres_owner.sql belong"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_made(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, says: str
) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    before = {file.name for file in folder.iterdir()}
    assert main(["--folder", str(folder)]) == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert "s3cret" not in line
    assert {file.name for file in folder.iterdir()} == before


def test_both_files_of_the_owner_cannot_be_made_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "owner_database_url").unlink()
    (folder / "postgres_owner.sql").unlink()
    assert main(["--folder", str(folder)]) == 78
    assert "owner_database_url and postgres_owner.sql missing" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "-7", "65536", "x", ""])
def test_a_port_is_a_port(tmp_path: Path, port: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"--amqp-port={port}", "--folder", str(tmp_path / "made")])
    assert ended.value.code == 2
    assert not (tmp_path / "made").exists()


def test_another_port_is_not_passed_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--folder", str(folder), "--amqp-port", "5999"]) == 78
    assert "requester_edge_url, consumer_edge_url have another port than 5999" in capsys.readouterr().err
    assert main(["--folder", str(folder), "--amqp-port", "5673"]) == 0


def test_a_relative_folder_is_the_callers(tmp_path: Path) -> None:
    (tmp_path / "sandbox.py").write_text("raise SystemExit('a module of the caller was imported')")
    script = ROOT / "scripts" / "compose-secrets"
    done = subprocess.run([script, "--folder", "made"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'made'}: 27 made, 0 were there already\n"
    assert (tmp_path / "made" / "keys").exists()


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
    assert "27 made, 0 were there already" in done.stdout


def test_git_never_sees_them() -> None:
    assert "/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
