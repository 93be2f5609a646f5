"""The sandbox's RabbitMQ: the definitions say who may do what, and a broker can be broken on purpose."""

import contextlib
from collections.abc import Callable, Iterator

import pika
import pytest
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker, ConnectionClosedByBroker, StreamLostError

from sandbox.services import Rabbitmq, Services
from tests.conftest import Vhosts

QUEUES = ("download", "activity", "candidates", "reconcile", "reclaim")
EVENTS, REQUESTS = "seatkeeper.events", "seatkeeper.requests"
ACCESS_REFUSED, NOT_ALLOWED = 403, 530
Act = Callable[[BlockingChannel], object]


@contextlib.contextmanager
def channel(url: str) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        made = connection.channel()
        made.confirm_delivery()
        yield made
    finally:
        if connection.is_open:
            connection.close()


def publish(exchange: str, key: str) -> Act:
    return lambda on: on.basic_publish(exchange, key, b"{}", mandatory=True)


def declare(queue: str) -> Act:
    return lambda on: on.queue_declare(queue)


def read(queue: str) -> Act:
    return lambda on: on.basic_get(queue)


def delete(queue: str) -> Act:
    return lambda on: on.queue_delete(queue)


def subscribe(on: BlockingChannel) -> None:
    on.queue_declare("consumer.one")
    on.queue_bind("consumer.one", EVENTS, "#")
    on.basic_get("consumer.one")


ALLOWED: dict[tuple[str, str, str], Act] = {
    ("relay", "internal", "send a command"): publish("", "download"),
    ("relay", "internal", "send it delayed"): publish("", "reclaim.DQ"),
    ("intake", "internal", "read dead letters"): read("download.XQ"),
    ("worker", "internal", "read commands"): read("activity"),
    ("worker", "internal", "try a command again"): publish("", "activity.DQ"),
    ("reclaim", "internal", "read commands"): read("reclaim"),
    ("reclaim", "internal", "try a command again"): publish("", "reclaim.DQ"),
    ("requester", "edge", "drop a request"): publish("", REQUESTS),
    ("intake", "edge", "read requests"): read(REQUESTS),
    ("consumer", "edge", "have a queue of its own with events"): subscribe,
}
REFUSED: dict[tuple[str, str, str], Act] = {
    ("relay", "internal", "read commands"): read("download"),
    ("relay", "internal", "declare"): declare("mine"),
    ("relay", "edge", "drop a request"): publish("", REQUESTS),
    ("relay", "edge", "read requests"): read(REQUESTS),
    ("intake", "internal", "read commands"): read("download"),
    ("intake", "internal", "send a command"): publish("", "download"),
    ("intake", "edge", "publish an event"): publish(EVENTS, "x.RunFinished"),
    ("worker", "internal", "declare"): declare("mine"),
    ("worker", "internal", "read removals"): read("reclaim"),
    ("worker", "internal", "delete removals"): delete("reclaim.DQ"),
    ("reclaim", "internal", "declare"): declare("mine"),
    ("reclaim", "internal", "read other commands"): read("download"),
    ("reclaim", "internal", "delete other commands"): delete("download"),
    ("requester", "edge", "publish an event"): publish(EVENTS, "x.RunFinished"),
    ("requester", "edge", "read requests"): read(REQUESTS),
    ("requester", "edge", "declare"): declare("consumer.one"),
    ("consumer", "edge", "publish an event"): publish(EVENTS, "x.RunFinished"),
    ("consumer", "edge", "drop a request"): publish("", REQUESTS),
    ("consumer", "edge", "read requests"): read(REQUESTS),
    ("consumer", "edge", "declare outside its own names"): declare("mine"),
}
OUTSIDE = [("worker", "edge"), ("reclaim", "edge"), ("requester", "internal"), ("consumer", "internal")]


def url_of(vhosts: Vhosts, user: str, side: str) -> str:
    return vhosts.internal_url(user) if side == "internal" else vhosts.edge_url(user)


@pytest.mark.parametrize("who", ALLOWED, ids=" ".join)
def test_allowed(who: tuple[str, str, str], vhosts: Vhosts) -> None:
    with channel(url_of(vhosts, *who[:2])) as on:
        ALLOWED[who](on)


def test_the_relay_publishes_events(vhosts: Vhosts) -> None:
    with channel(vhosts.edge_url("consumer")) as consumer, channel(vhosts.edge_url("relay")) as relay:
        subscribe(consumer)
        publish(EVENTS, "acme.RunFinished")(relay)
        _method, properties, body = consumer.basic_get("consumer.one", auto_ack=True)
    assert (properties is not None, body) == (True, b"{}")


@pytest.mark.parametrize("who", REFUSED, ids=" ".join)
def test_refused(who: tuple[str, str, str], vhosts: Vhosts) -> None:
    with channel(url_of(vhosts, *who[:2])) as on, pytest.raises(ChannelClosedByBroker) as caught:
        REFUSED[who](on)
    assert caught.value.reply_code == ACCESS_REFUSED


@pytest.mark.parametrize(("user", "side"), OUTSIDE)
def test_a_virtual_host_is_closed_to_the_others(user: str, side: str, vhosts: Vhosts) -> None:
    with pytest.raises(AMQPConnectionError) as caught, channel(url_of(vhosts, user, side)):
        pass
    assert str(NOT_ALLOWED) in repr(caught.value.__cause__ or caught.value.args or caught.value)


def test_there_is_no_guest(vhosts: Vhosts) -> None:
    url = vhosts.edge_url("consumer").replace("consumer:", "guest:", 1)
    place = url.rpartition("@")[2]
    with pytest.raises(AMQPConnectionError), channel(f"amqp://guest:guest@{place}"):
        pass


@pytest.mark.parametrize("user", ["worker", "reclaim"])
def test_dramatiq_declares_the_same_queues(user: str, vhosts: Vhosts) -> None:
    """Its own declaration must match the definitions to the letter, or a worker cannot start."""
    before = set(vhosts.rabbitmq.queue_depths(vhosts.internal))
    assert before == {f"{queue}{ending}" for queue in QUEUES for ending in ("", ".DQ", ".XQ")}
    broker = RabbitmqBroker(url=vhosts.internal_url(user), confirm_delivery=True)
    try:
        for queue in QUEUES:
            if (queue == "reclaim") is (user == "reclaim"):
                broker.declare_queue(queue, ensure=True)
        assert set(vhosts.rabbitmq.queue_depths(vhosts.internal)) == before
    finally:
        broker.close()


def test_depths_count_what_is_ready(vhosts: Vhosts) -> None:
    with channel(vhosts.internal_url("relay")) as relay:
        publish("", "download")(relay)
        publish("", "download")(relay)
    assert {name: depth for name, depth in vhosts.rabbitmq.queue_depths(vhosts.internal).items() if depth} == {
        "download": 2
    }


def test_an_operator_can_cut_every_client_of_a_virtual_host(vhosts: Vhosts) -> None:
    with channel(vhosts.internal_url("relay")) as cut, channel(vhosts.edge_url("relay")) as kept:
        assert vhosts.rabbitmq.close_connections(vhosts.internal) == 1
        with pytest.raises((ConnectionClosedByBroker, StreamLostError)):
            publish("", "download")(cut)
        publish(EVENTS, "nobody.listens")
        assert kept.is_open


@pytest.fixture
def breakable(breakable_services: Services) -> Iterator[tuple[Rabbitmq, str]]:
    rabbitmq = breakable_services.rabbitmq
    internal, _edge = rabbitmq.make_vhosts("breakable-")
    yield rabbitmq, internal
    rabbitmq.delete_vhosts("breakable-")


def keep_one(rabbitmq: Rabbitmq, internal: str) -> None:
    with channel(rabbitmq.url("relay", internal)) as relay:
        relay.basic_publish("", "download", b"{}", pika.BasicProperties(delivery_mode=2))


def test_a_confirmed_message_survives_a_kill(breakable: tuple[Rabbitmq, str]) -> None:
    rabbitmq, internal = breakable
    keep_one(rabbitmq, internal)
    rabbitmq.kill()
    with pytest.raises(AMQPConnectionError), channel(rabbitmq.url("relay", internal)):
        pass
    rabbitmq.start()
    assert rabbitmq.queue_depths(internal)["download"] == 1


def test_a_confirmed_message_survives_a_stop_inside_the_node(breakable: tuple[Rabbitmq, str]) -> None:
    rabbitmq, internal = breakable
    keep_one(rabbitmq, internal)
    rabbitmq.stop_app()
    with pytest.raises(AMQPConnectionError), channel(rabbitmq.url("relay", internal)):
        pass
    rabbitmq.start_app()
    assert rabbitmq.queue_depths(internal)["download"] == 1
