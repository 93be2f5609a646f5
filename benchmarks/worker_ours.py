"""Our worker as a process, with one actor that writes one row: `python -m benchmarks.worker_ours`.

Everything but the actor is what `workers.consume` runs: the keeping broker, the strict encoder, the watched worker with
its threads, and the station with its pool. It takes its settings from the environment as well.
"""

import sys

from benchmarks.worker_raw import INSERT, Meter
from messages.commands import Reconcile
from settings import read_settings
from workers.broker import make_broker
from workers.declaring import actor, register
from workers.logs import configure_logs
from workers.station import Station
from workers.worker import serve


def main() -> int:
    """Carry out commands until SIGTERM."""
    settings = read_settings("database_url", "internal_url", "keys")
    configure_logs(settings, "worker")
    station, meter = Station(settings), Meter()

    @actor(Reconcile)
    async def write_one_row(command: Reconcile) -> None:
        meter.message()
        async with station.transaction() as connection:
            await connection.execute(INSERT, [command.run_id])

    broker = make_broker(settings.url("internal_url"), threads=settings.worker_threads)
    register(broker, [write_one_row])
    code = serve(broker, [Reconcile.queue], settings.worker_threads, resources=station)
    meter.tell()
    return code


if __name__ == "__main__":
    sys.exit(main())
