"""The two servers in Docker containers, for machines that have a Docker engine.

Their ports are published on 127.0.0.1 only. The containers are removed by our own reaper, so testcontainers' (a
container with the engine's socket in it, whose image may be missing) stays off.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import cast

from docker.errors import DockerException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from sandbox.reaper import Reaper
from sandbox.services.nodes import ServiceError, free_ports
from sandbox.services.postgres import Postgres
from sandbox.services.rabbitmq import Rabbitmq

POSTGRES_IMAGE = "postgres:17"
RABBITMQ_IMAGE = "rabbitmq:4-management"
SERVER = ("postgres", "-c", "max_connections=200")
AS_ON_A_SERVER = ("-c", "wal_compression=zstd")
FORGETFUL = ("-c", "fsync=off", "-c", "full_page_writes=off")


class ContainerNode:
    """A container that can be stopped and started again; its ports stay the same."""

    def __init__(self, container: DockerContainer, image: str) -> None:
        self._container = container.get_wrapped_container()
        self._image = image

    @property
    def name(self) -> str:
        """The container's name, as `docker ps` shows it."""
        return str(self._container.name)

    def start(self) -> None:
        self._container.start()

    def stop(self) -> None:
        self._container.stop()

    def kill(self) -> None:
        self._container.kill()

    def run(self, *argv: str) -> str:
        code, output = self._container.exec_run(list(argv))
        if code:
            raise ServiceError(f"{' '.join(argv)} failed: {output.decode(errors='replace').strip()}")
        return str(output.decode(errors="replace"))

    def check(self) -> None:
        self._container.reload()
        if self._container.status == "exited":
            log = self._container.logs(tail=15).decode(errors="replace")
            raise ServiceError(f"{self._image}'s container ended by itself; the end of its log:\n{log}")


def start_containers(
    reaper: Reaper, say: Callable[[str], None], *, durable: bool = False
) -> tuple[Postgres, Rabbitmq] | None:
    """Start both and return when both answer; None when the engine cannot start them (no image, say)."""
    testcontainers_config.ryuk_disabled = True
    say(f"starting {RABBITMQ_IMAGE} and {POSTGRES_IMAGE} in Docker")
    password = secrets.token_hex(16)
    amqp, management, postgres_port = free_ports(3)
    try:
        broker = _start(
            reaper,
            RABBITMQ_IMAGE,
            {5672: amqp, 15672: management},
            {"RABBITMQ_DEFAULT_USER": "sandbox", "RABBITMQ_DEFAULT_PASS": password},
        )
        server = (*SERVER, *(AS_ON_A_SERVER if durable else FORGETFUL))
        database = _start(reaper, POSTGRES_IMAGE, {5432: postgres_port}, {"POSTGRES_PASSWORD": password}, server)
    except DockerException as error:
        say(f"Docker could not start them, so programs on this machine are used: {error}")
        return None
    postgres = Postgres(f"postgresql://postgres:{password}@127.0.0.1:{postgres_port}/postgres", database)
    rabbitmq = Rabbitmq(
        f"amqp://sandbox:{password}@127.0.0.1:{amqp}/%2F", f"http://sandbox:{password}@127.0.0.1:{management}", broker
    )
    postgres.wait_ready()
    rabbitmq.wait_ready()
    return postgres, rabbitmq


def _start(
    reaper: Reaper, image: str, ports: dict[int, int], environment: dict[str, str], command: Sequence[str] = ()
) -> ContainerNode:
    published = {f"{inside}/tcp": ("127.0.0.1", outside) for inside, outside in ports.items()}
    name = f"seatkeeper-sandbox-{secrets.token_hex(4)}-{image.partition(':')[0]}"
    container = DockerContainer(image).with_envs(**environment).with_name(name)
    # Docker takes an address beside the port; the annotation of testcontainers knows the port alone.
    container.ports = cast("dict[str, int | None]", published)
    if command:
        container.with_command(list(command))
    reaper.remove_container(name)  # first, in case that we are killed while it starts
    container.start()
    return ContainerNode(container, image)
