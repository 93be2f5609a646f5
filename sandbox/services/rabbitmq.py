"""A RabbitMQ for the sandbox: a new pair of virtual hosts for each test, and a broker that can be broken on purpose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit, urlunsplit

import httpx
import pika

from sandbox.definitions import definitions
from sandbox.services.nodes import Node, ServiceError, password_for, wait_until


@dataclass
class Rabbitmq:
    """`admin_url` (amqp://…) and `management_url` (http://…) carry the administrator's name and password."""

    admin_url: str
    management_url: str
    node: Node = field(repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.admin_url)
        self._admin, self._secret = parts.username or "", parts.password or ""
        # Never through a proxy: these are addresses of our own.
        self._api = httpx.Client(base_url=f"{self.management_url.rstrip('/')}/api", timeout=30, trust_env=False)

    def url(self, user: str, vhost: str) -> str:
        """Give the AMQP address of a virtual host for one of the users of `definitions.json`, or the administrator."""
        password = self._secret if user == self._admin else password_for(user, self._secret)
        parts = urlsplit(self.admin_url)
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{user}:{password}@{place}", path=f"/{quote(vhost, safe='')}"))

    def make_vhosts(self, prefix: str = "") -> tuple[str, str]:
        """Make `<prefix>internal` and `<prefix>edge` with their users, permissions, queues and exchange; 0.1 s."""
        document = definitions(lambda user: password_for(user, self._secret), prefix)
        for vhost in document["vhosts"]:
            everything = {"configure": ".*", "write": ".*", "read": ".*"}
            document["permissions"].append({"user": self._admin, "vhost": vhost["name"], **everything})
        self._call("POST", "/definitions", document)
        return f"{prefix}internal", f"{prefix}edge"

    def delete_vhosts(self, prefix: str = "") -> None:
        """Delete the pair with all that is in it; whatever is connected to them is cut off."""
        for name in ("internal", "edge"):
            self._call("DELETE", f"/vhosts/{quote(f'{prefix}{name}', safe='')}")

    def queue_depths(self, vhost: str) -> dict[str, int]:
        """Count the messages that are ready in each queue of a virtual host (not those a consumer holds), as of now."""
        connection = pika.BlockingConnection(pika.URLParameters(self.url(self._admin, vhost)))
        try:
            channel = connection.channel()
            names = [str(queue["name"]) for queue in self._list(f"/queues/{quote(vhost, safe='')}?columns=name")]
            return {name: channel.queue_declare(name, passive=True).method.message_count for name in names}
        finally:
            connection.close()

    def close_connections(self, vhost: str) -> int:
        """Cut the clients of a virtual host off, as an operator would on the management page; gives how many.

        That page lists a connection up to a second after it was made, so this waits until it lists one.
        """
        path = f"/vhosts/{quote(vhost, safe='')}/connections?columns=name"
        wait_until(lambda: bool(self._list(path)), self.node, f"a connection to {vhost}", within=10)
        connections = self._list(path)
        for one in connections:
            self._call("DELETE", f"/connections/{quote(str(one['name']), safe='')}")
        return len(connections)

    def version(self) -> str:
        """Ask the broker for its version, as 4.0.5."""
        return str(self._call("GET", "/overview?columns=rabbitmq_version").json()["rabbitmq_version"])

    def stop_app(self) -> None:
        """Stop RabbitMQ inside its Erlang node, as Dramatiq's own tests do: ports close, the node stays."""
        self.node.run("rabbitmqctl", "stop_app")

    def start_app(self) -> None:
        """Start RabbitMQ again after `stop_app` and wait until it answers."""
        self.node.run("rabbitmqctl", "start_app")
        self.wait_ready()

    def kill(self) -> None:
        """End the broker with SIGKILL: durable queues and persistent, confirmed messages survive."""
        self.node.kill()

    def start(self) -> None:
        """Start the broker after `kill` and wait until it answers; about five seconds."""
        self.node.start()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Return when both the management API and AMQP answer; ServiceError when that takes over a minute."""
        wait_until(self._answers, self.node, "RabbitMQ")

    def _answers(self) -> bool:
        try:
            if self._api.get("/overview").status_code != httpx.codes.OK:
                return False
            pika.BlockingConnection(pika.URLParameters(self.admin_url)).close()
        except (httpx.TransportError, pika.exceptions.AMQPError, OSError):
            return False
        return True

    def close(self) -> None:
        """Close our own connections."""
        self._api.close()

    def _list(self, path: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = self._call("GET", path).json()
        return found

    def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> httpx.Response:
        answer = self._api.request(method, path, json=body)
        if answer.is_error and not (method == "DELETE" and answer.status_code == httpx.codes.NOT_FOUND):
            raise ServiceError(
                f"RabbitMQ's management API answered {answer.status_code} to {method} {path}: {answer.text}"
            )
        return answer
