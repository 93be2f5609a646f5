"""A private RabbitMQ from the programs on this machine.

Left to its defaults, a RabbitMQ node listens on every address four times over: for AMQP, for its management page, for
Erlang's distribution and through epmd, the port mapper that it starts and leaves behind. Here each of the four is bound
to 127.0.0.1, epmd is our own child, and nothing is read from or written to the machine's own configuration.
"""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.reaper import Reaper
from sandbox.services.nodes import ServiceError, end_of

# On Debian the programs in /usr/sbin insist on being root or `rabbitmq`; these do not.
PACKAGED = (Path("/usr/lib/rabbitmq/bin"), Path("/opt/homebrew/sbin"))
CONFIGURATION = """\
listeners.tcp.local = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
default_user = {user}
default_pass = {password}
log.console = false
collect_statistics_interval = 1000
"""


@dataclass(frozen=True)
class Ports:
    amqp: int
    management: int
    distribution: int
    epmd: int


def find_programs() -> Path | None:
    """Give the folder that holds `rabbitmq-server` and `rabbitmqctl`."""
    on_path = shutil.which("rabbitmq-server")
    folders = [*PACKAGED, *([Path(on_path).parent] if on_path else [])]
    return next((folder for folder in folders if (folder / "rabbitmq-server").exists()), None)


@dataclass
class RabbitmqNode:
    """One Erlang node, the epmd beside it, and their folder.

    It ends with SIGKILL: durable queues and confirmed messages survive that, and an orderly end takes six seconds.
    """

    reaper: Reaper
    programs: Path
    folder: Path
    ports: Ports
    user: str
    password: str
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def create(self) -> None:
        """Write the node's configuration and its cookie."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ports = self.ports
        configuration = CONFIGURATION.format(
            amqp=ports.amqp, management=ports.management, user=self.user, password=self.password
        )
        for name, content in {
            "rabbitmq.conf": configuration,
            "rabbitmq-env.conf": "",
            "advanced.config": "[].\n",
            "enabled_plugins": "[rabbitmq_management].\n",
            ".erlang.cookie": secrets.token_hex(20),
        }.items():
            if not (self.folder / name).exists() or name == "rabbitmq.conf":
                (self.folder / name).write_text(content, encoding="utf-8")
        (self.folder / ".erlang.cookie").chmod(0o400)
        self._start_epmd()

    def _start_epmd(self) -> None:
        epmd = shutil.which("epmd") or str(next(Path("/usr/lib/erlang").glob("erts-*/bin/epmd"), "epmd"))
        self.reaper.start([epmd], env=self._environment(), log=self._log, ending=signal.SIGKILL)

    @property
    def _log(self) -> Path:
        return self.folder / "console.log"

    def _environment(self) -> Mapping[str, str]:
        folder, loopback = self.folder, "-kernel inet_dist_use_interface {127,0,0,1}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
        return kept | {
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.ports.epmd),
            "RABBITMQ_NODENAME": "seatkeeper@localhost",
            "RABBITMQ_DIST_PORT": str(self.ports.distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback,
            "RABBITMQ_CTL_ERL_ARGS": loopback,
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(folder / "no-more.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            # The start script then becomes the Erlang machine instead of staying in front of it, so the process
            # that we signal is the server.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def start(self) -> None:
        self._process = self.reaper.start(
            [self.programs / "rabbitmq-server"],
            env=self._environment(),
            log=self._log,
            folder=self.folder,
            ending=signal.SIGKILL,
        )

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        assert self._process, "it runs"
        self._process.send_signal(number)
        self._process.wait()
        self.reaper.forget(self._process)
        self._process = None

    def run(self, *argv: str) -> str:
        """Run `rabbitmqctl` or another of RabbitMQ's tools against this node; about a second."""
        done = subprocess.run(
            [self.programs / argv[0], *argv[1:]],
            env=self._environment(),
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ServiceError(f"{' '.join(argv)} failed: {done.stderr.strip()}")
        return done.stdout

    def check(self) -> None:
        if self._process and self._process.poll() is not None:
            raise ServiceError(f"RabbitMQ ended by itself; the end of its output:\n{end_of(self._log)}")
