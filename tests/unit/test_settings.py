"""Settings: what is missing or wrong is named by its variable, and no secret is shown."""

from pathlib import Path

import pytest

from settings import SettingsUnfit, read_settings

GOOD = {
    "SEATKEEPER_DATABASE_URL": "postgresql://relay:s3cret@db:5432/seatkeeper",
    "SEATKEEPER_INTERNAL_URL": "amqp://relay:s3cret@rabbit:5672/internal",
    "SEATKEEPER_EDGE_URL": "amqps://relay:s3cret@rabbit:5671/edge",
    "SEATKEEPER_KEYS": "s3cret-new, s3cret-old,",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_what_is_given_is_read() -> None:
    settings = read_settings("database_url", "internal_url", "edge_url", "keys")
    assert settings.url("edge_url") == GOOD["SEATKEEPER_EDGE_URL"]
    assert settings.sealing_keys() == ["s3cret-new", "s3cret-old"]
    assert settings.operations_host == "127.0.0.1"
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_needed_and_missing_is_named(environment: pytest.MonkeyPatch, name: str, value: str | None) -> None:
    if value is None:
        environment.delenv(name)
    else:
        environment.setenv(name, value)
    with pytest.raises(SettingsUnfit) as unfit:
        read_settings("database_url", "internal_url", "edge_url", "keys")
    assert name in str(unfit.value)
    assert "\n" not in str(unfit.value)


def test_what_a_process_does_not_need_may_be_missing(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("SEATKEEPER_KEYS")
    assert read_settings("database_url").keys is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://me:s3cret@x"),
        ("DATABASE_URL", "s3cret"),
        ("DATABASE_URL", "postgresql://me:s3cret%zz@x/y"),
        ("DATABASE_URL", "postgresql://me:s3cret@x/y?bogus=1"),
        ("DATABASE_URL", "postgresql://me:s3cret@x:port/y"),
        ("INTERNAL_URL", "amqp://me:s3cret@x/internal?heartbeat=abc"),
        ("EDGE_URL", "amqp://me:s3cret@x:port/edge"),
        ("INTERNAL_URL", "http://me:s3cret@x"),
        ("EDGE_URL", "postgresql://me:s3cret@x"),
        ("OPERATIONS_PORT", "65536"),
        ("OPERATIONS_PORT", "-1"),
        ("WORKER_THREADS", "0"),
        ("WORKER_THREADS", "many"),
        ("READS_IN_FLIGHT", "51"),
        ("SLICE_SECONDS", "61"),
        ("SLICE_SECONDS", "nan"),
        ("CALL_WINDOW_SECONDS", "11"),
        ("CALL_WINDOW_SECONDS", "0"),
        ("RECOVERY_AFTER_SECONDS", "0"),
        ("RECOVERY_AFTER_SECONDS", "inf"),
        ("RECOVERY_PAUSE_SECONDS", "-1"),
        ("RECOVERY_PAUSE_SECONDS", "nan"),
        ("MAX_RETRIES", "1e3"),
        ("LOG_FORMAT", "yaml"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_what_is_wrong_is_named_without_its_value(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(f"SEATKEEPER_{name}", value)
    with pytest.raises(SettingsUnfit) as unfit:
        read_settings("database_url")
    assert f"SEATKEEPER_{name}" in str(unfit.value)
    assert "s3cret" not in str(unfit.value)


def test_everything_wrong_is_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SEATKEEPER_WORKER_THREADS", "0")
    environment.setenv("SEATKEEPER_LOG_FORMAT", "yaml")
    with pytest.raises(SettingsUnfit, match=r"SEATKEEPER_LOG_FORMAT.*SEATKEEPER_WORKER_THREADS"):
        read_settings("database_url")


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_may_stand_in_a_file(environment: pytest.MonkeyPatch, tmp_path: Path, name: str, ending: str) -> None:
    environment.delenv(name)
    (tmp_path / "secret").write_bytes((GOOD[name] + ending).encode())
    environment.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    settings = read_settings("database_url", "internal_url", "edge_url", "keys")
    field = name.removeprefix("SEATKEEPER_").lower()
    assert getattr(settings, field).get_secret_value() == GOOD[name]


@pytest.mark.parametrize("name", GOOD)
def test_a_secret_is_not_taken_from_two_places(environment: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text(GOOD[name])
    environment.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingsUnfit) as unfit:
        read_settings()
    assert str(unfit.value) == f"{name} and {name}_FILE are both set: choose one"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file or directory"),
        ("a folder", "Is a directory"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"s3cret\xff", "cannot be read as text"),
        (b"mysql://me:s3cret@x", "must begin with"),
        (b"\xef\xbb\xbfpostgresql://me:s3cret@x/y", "begins with a byte order mark"),
        (b"postgresql://me:s3cret@x/y\n\n", "control character"),
        (b"postgresql://me:s3cret@x/\x00y", "control character"),
        (b"postgresql://me:s3cret\x7f@x/y", "control character"),
        (b"postgresql://me:s3cret@x/\xc2\x85y", "control character"),
    ],
)
def test_a_file_that_holds_no_secret_is_named_without_its_content(
    environment: pytest.MonkeyPatch, tmp_path: Path, content: bytes | str | None, says: str
) -> None:
    file = tmp_path / "secret"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        file.mkdir()
    environment.delenv("SEATKEEPER_DATABASE_URL")
    environment.setenv("SEATKEEPER_DATABASE_URL_FILE", str(file))
    with pytest.raises(SettingsUnfit) as unfit:
        read_settings("database_url")
    assert "SEATKEEPER_DATABASE_URL" in str(unfit.value)
    assert says in str(unfit.value)
    assert "\n" not in str(unfit.value)
    assert "s3cret" not in str(unfit.value)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("more", ["\n", "\t", "\x1b", "\x85"])
def test_a_secret_in_a_variable_is_one_line(environment: pytest.MonkeyPatch, name: str, more: str) -> None:
    environment.setenv(name, GOOD[name] + more)
    with pytest.raises(SettingsUnfit) as unfit:
        read_settings()
    assert str(unfit.value).startswith(f"{name} holds a line break or another control character")
    assert more not in str(unfit.value)
    assert "s3cret" not in str(unfit.value)


def test_every_wrong_file_is_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SEATKEEPER_KEYS_FILE", "/nowhere")
    environment.delenv("SEATKEEPER_EDGE_URL")
    environment.setenv("SEATKEEPER_EDGE_URL_FILE", "/nowhere")
    environment.setenv("SEATKEEPER_WORKER_THREADS", "0")
    with pytest.raises(SettingsUnfit, match=r"EDGE_URL_FILE.*KEYS_FILE.*WORKER_THREADS"):
        read_settings()
