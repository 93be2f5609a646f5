"""What the console reads from files: the owner's address, each process's password, the app's secret."""

from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from sandbox.asana import Running
from tests.conftest import Database
from tests.console.conftest import Seats, connect_by_browser


@pytest.fixture
def owner(database: Database, tmp_path: Path) -> Seats:
    """The command with the owner's address in a file, as Compose hands it out."""
    file = tmp_path / "owner_url"
    file.write_text(f"{database.owner_url}\n")
    return Seats({"SEATKEEPER_OWNER_URL_FILE": str(file)})


def test_init_takes_each_password_from_the_address_of_its_process(
    owner: Seats, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "intake_url"
    file.write_text(database.url("intake") + "\n")
    ended = owner("init", f"--password-from=intake={file}")
    assert ended.code == 0, ended.err
    assert "Passwords are those of the files: intake." in ended.out
    assert str(urlsplit(database.url("intake")).password) not in ended.out
    with psycopg.connect(database.url("intake")):
        pass
    assert owner.ok("init", f"--password-from=intake={file}")["passwords_from_files"] == ["intake"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file or directory"),
        ("postgresql://seatkeeper_worker:s3cret@db/x", "must hold an address with seatkeeper_intake"),
        ("postgresql://seatkeeper_intake@db/x", "must hold an address with seatkeeper_intake"),
        ("s3cret", "must hold an address with seatkeeper_intake"),
        ("postgresql://[s3cret", "does not hold an address"),
    ],
)
def test_init_says_which_file_is_wrong(owner: Seats, tmp_path: Path, content: str | None, says: str) -> None:
    file = tmp_path / "intake_url"
    if content is not None:
        file.write_text(content)
    ended = owner("init", f"--password-from=intake={file}")
    assert ended.code == 78
    assert str(file) in ended.err
    assert says in ended.err
    assert "s3cret" not in ended.err


@pytest.mark.parametrize("name", ["SEATKEEPER_OWNER_URL", "SEATKEEPER_ROLE_PASSWORD", "SEATKEEPER_KEYS"])
def test_init_takes_no_secret_twice(owner: Seats, tmp_path: Path, name: str) -> None:
    file = tmp_path / "another"
    file.write_text("s3cret")
    ended = owner("init", **{name: "s3cret", f"{name}_FILE": str(file)})
    assert ended.code == 78
    assert f"{name} and {name}_FILE are both set" in ended.err
    assert "s3cret" not in ended.err


def test_init_needs_an_address() -> None:
    ended = Seats()("init")
    assert ended.code == 2
    assert "SEATKEEPER_OWNER_URL" in ended.err


def test_connect_takes_the_secret_of_the_app_from_a_file(seats: Seats, asana: Running, tmp_path: Path) -> None:
    file = tmp_path / "client_secret"
    file.write_text(asana.client_secret + "\n")
    env = {**seats.env, "SEATKEEPER_CLIENT_SECRET_FILE": str(file)}
    ended = connect_by_browser(env, "acme", f"--url={asana.url}", f"--client-id={asana.client_id}")
    assert ended.returncode == 0, ended.stderr
    assert "Connection acme works" in ended.stdout
