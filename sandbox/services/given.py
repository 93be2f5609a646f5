"""Servers whose addresses are in the environment, and how to hand our own on to a program that we run."""

import os

from sandbox.services.nodes import GivenNode, ServiceError
from sandbox.services.postgres import Postgres
from sandbox.services.rabbitmq import Rabbitmq

POSTGRES = "SEATKEEPER_SANDBOX_POSTGRES_URL"  # postgresql://superuser:password@host:port/postgres
RABBITMQ = "SEATKEEPER_SANDBOX_RABBITMQ_URL"  # amqp://administrator:password@host:port/%2F
PLACE = "SEATKEEPER_SANDBOX_PLACE"  # in words, who runs them; set by a sandbox that hands its own servers on
MANAGEMENT = "SEATKEEPER_SANDBOX_RABBITMQ_MANAGEMENT_URL"  # http://administrator:password@host:port


def given_services() -> tuple[Postgres, Rabbitmq] | None:
    """Give the servers of the environment, None when there are none; ServiceError when only some addresses are set."""
    addresses = {name: os.environ.get(name, "") for name in (POSTGRES, RABBITMQ, MANAGEMENT)}
    if not any(addresses.values()):
        return None
    for name, address in addresses.items():
        if not address:
            raise ServiceError(f"{name} is not set, but its companions are: set all three or none")
    postgres = Postgres(addresses[POSTGRES], GivenNode("Postgres"))
    rabbitmq = Rabbitmq(addresses[RABBITMQ], addresses[MANAGEMENT], GivenNode("RabbitMQ"))
    postgres.wait_ready()
    rabbitmq.wait_ready()
    return postgres, rabbitmq


def given_place() -> str:
    """Say who runs the servers of the environment, as far as we were told."""
    return os.environ.get(PLACE, "given by the environment")


def environment_of(postgres: Postgres, rabbitmq: Rabbitmq) -> dict[str, str]:
    """Give the variables by which another program finds these servers."""
    return {POSTGRES: postgres.admin_url, RABBITMQ: rabbitmq.admin_url, MANAGEMENT: rabbitmq.management_url}
