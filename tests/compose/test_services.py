"""What every service of compose.yaml must have, and that nothing of it is a secret."""

import pytest

from connections.sealing import Sealing
from messages.commands import QUEUES
from sandbox.compose_secrets import make_secrets
from sandbox.demo.memory import LIMIT
from settings import PREFIX, Settings, read_secret
from tests.compose.reading import ONE_SHOT, SERVERS, read, seconds, secrets_of, services
from workers import entry, healthy, worker

ALL = sorted(services())
OURS = sorted(services().keys() - SERVERS)
RUNNING = sorted(services().keys() - ONE_SHOT)
PAGES = {"asana", "serve"}
"""They answer browsers and clients, and are off by default."""
PROCESSES = sorted(services().keys() - SERVERS - ONE_SHOT - PAGES)
NEEDED = {
    "relay": {"DATABASE_URL", "INTERNAL_URL", "EDGE_URL"},
    "intake": {"DATABASE_URL", "INTERNAL_URL", "EDGE_URL"},
    "scheduler": {"DATABASE_URL", "ALERT_URLS"},
    "worker": {"DATABASE_URL", "INTERNAL_URL", "KEYS"},
    "reclaim": {"DATABASE_URL", "INTERNAL_URL", "KEYS"},
    "console": {"DATABASE_URL", "KEYS", "ALERT_URLS"},
    "serve": {"DATABASE_URL", "KEYS"},
    "init": {"OWNER_URL", "KEYS"},
    "asana": set[str](),
}
"""The secrets that each of ours is given, and no other."""


@pytest.mark.parametrize("name", ALL)
def test_every_service_is_locked_down(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] <= 512
    assert service["mem_limit"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert service["networks"]
    assert service["tmpfs"], "nothing can be written anywhere else"
    assert "privileged" not in service


@pytest.mark.parametrize("name", OURS)
def test_ours_run_as_nobody_with_little_memory(name: str) -> None:
    service = services()[name]
    assert service["user"] == "10001:10001"
    assert service["init"] is True
    assert "cap_add" not in service
    assert "volumes" not in service
    if name != "asana":
        assert service["mem_limit"] == service["memswap_limit"] == f"{LIMIT}b"


@pytest.mark.parametrize("name", RUNNING)
def test_what_runs_is_kept_running_and_asked_for_its_health(name: str) -> None:
    service = services()[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert seconds(service["stop_grace_period"]) >= 10


def test_pages_are_off_unless_asked_for_and_the_page_of_serve_is_our_console() -> None:
    assert {name: services()[name]["profiles"] for name in PAGES} == {"asana": ["sandbox"], "serve": ["serve"]}
    serve, console = services()["serve"], services()["console"]
    assert (serve["entrypoint"], serve["command"]) == (console["entrypoint"], ["serve"])
    port = Settings.model_fields["serve_port"].default
    assert serve["ports"] == [f"127.0.0.1:${{SEATKEEPER_SERVE_PORT:-{port}}}:{port}"]
    assert f":{port}/health" in serve["healthcheck"]["test"][-1]
    assert serve["depends_on"] == services()["relay"]["depends_on"]


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_waits_for_what_it_stands_on_and_may_end_in_order(name: str) -> None:
    service = services()[name]
    assert service["depends_on"] == {
        "init": {"condition": "service_completed_successfully"},
        "postgres": {"condition": "service_healthy"},
        "rabbitmq": {"condition": "service_healthy"},
    }
    check = service["healthcheck"]
    assert check["test"] == ["CMD", "python", "-m", healthy.__name__]
    assert seconds(check["timeout"]) > healthy.PATIENCE
    longest = 2 * worker.GRACE + 20 if service["command"][0] == "workers.consume" else entry.GRACE
    assert seconds(service["stop_grace_period"]) > longest


def test_ports_of_health_are_different_since_a_trial_puts_two_in_one_network() -> None:
    ports = [services()[name]["environment"]["SEATKEEPER_OPERATIONS_PORT"] for name in PROCESSES]
    assert len({*ports}) == len(ports)


def test_the_workers_carry_out_every_queue_once() -> None:
    taken = [queue for name in PROCESSES for queue in services()[name]["command"][1:]]
    assert sorted(taken) == sorted(QUEUES)
    assert services()["reclaim"]["command"][1:] == ["reclaim"], "removals have a process of their own"


@pytest.mark.parametrize("name", ALL)
def test_images_are_pinned_and_ports_are_of_this_machine_alone(name: str) -> None:
    service = services()[name]
    tag = service["image"].rpartition(":")[2].rstrip("}")
    assert tag[0].isdigit()
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert name in SERVERS | PAGES or "ports" not in service


def test_only_what_asks_asana_tells_somebody_or_is_published_has_a_way_out() -> None:
    assert read()["networks"]["inside"] == {"internal": True}
    outside = {name for name, service in services().items() if "outside" in service["networks"]}
    assert outside == {"rabbitmq", "worker", "reclaim", "scheduler", "console", *PAGES}


@pytest.mark.parametrize("name", OURS)
def test_a_secret_comes_from_a_file_that_the_service_is_given(name: str) -> None:
    service = services()[name]
    environment = service.get("environment", {})
    given = {key.removeprefix(PREFIX).removesuffix("_FILE") for key in environment if key.endswith("_FILE")}
    assert given == NEEDED[name]
    files = {value for key, value in environment.items() if key.endswith("_FILE")}
    files |= {word.rpartition("=")[2] for word in service.get("command", []) if "/run/secrets/" in word}
    assert files == secrets_of(service).keys()


@pytest.mark.parametrize("name", ["compose.yaml", "compose.sandbox.yaml"])
def test_no_secret_stands_in_the_file(name: str) -> None:
    for service in services(name).values():
        for key, value in service.get("environment", {}).items():
            assert "://" not in str(value)
            if key == "SEATKEEPER_PUBLIC_URL":  # what browsers are sent to
                assert value is None, "it comes from outside, or not at all"
                continue
            assert key.endswith("_FILE") or not any(word in key for word in ("PASS", "URL", "KEY", "SECRET", "COOKIE"))


def test_every_secret_is_made_and_read(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("made")
    make_secrets(folder)
    named = {name: one["file"].rpartition("/")[2] for name, one in read()["secrets"].items()}
    assert {*named.values()} <= {file.name for file in folder.iterdir()}
    used = {source for service in services().values() for source in secrets_of(service).values()}
    assert used == named.keys()
    monkeypatch.setenv("SEATKEEPER_KEYS_FILE", str(folder / named["keys"]))
    Sealing([str(read_secret("SEATKEEPER_KEYS"))])


def test_init_gives_each_process_the_password_that_it_logs_in_with() -> None:
    words = [word for word in services()["init"]["command"] if word.startswith("--password-from=")]
    told = dict(word.removeprefix("--password-from=").split("=") for word in words)
    inits = secrets_of(services()["init"])
    for process, file in told.items():
        assert inits[file] == secrets_of(services()[process])["/run/secrets/database_url"]
    assert told.keys() == {*PROCESSES, "console"}


def test_a_trial_puts_whoever_asks_asana_into_the_network_of_the_look_alike() -> None:
    changed = services("compose.sandbox.yaml")
    beside = {name for name, service in changed.items() if service.get("network_mode") == "service:asana"}
    assert beside == {"worker", "reclaim", "console"}
    assert all(changed[name]["networks"] is None for name in beside), "Compose refuses both"
    assert all(port.startswith("127.0.0.1:") for service in changed.values() for port in service.get("ports", []))
