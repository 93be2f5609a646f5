"""One download, by the real actor and nothing around it: the program that `downloading` measures as a child.

    python -m benchmarks.one_download RUN_ID < /dev/null     settings as a worker's: SEATKEEPER_DATABASE_URL, _KEYS

It carries the run out slice after slice until the run has ended and prints one line of JSON. Where a slice hands on, a
worker would get the next command through the relay and RabbitMQ; here it is taken up at once.
"""

import argparse
import asyncio
import json
import sys
import time
from uuid import UUID

from benchmarks.children import peak_mib
from messages.commands import DownloadSubscriptions
from settings import Settings, read_settings
from store import runs
from store.runs import Run
from workers.download import download_subscriptions
from workers.logs import configure_logs
from workers.station import Station
from workers.worker import collect_seldom


def main() -> int:
    """Carry out the run, say what it took; the exit code is 1 where the run failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.one_download", description=__doc__)
    parser.add_argument("run_id", type=UUID, help="a queued run of the kind download")
    run_id, settings = parser.parse_args().run_id, read_settings("database_url", "keys")
    configure_logs(settings, "worker")
    told = asyncio.run(_carry_out(settings, run_id))
    sys.stdout.write(json.dumps(told) + "\n")
    return 0 if told["state"] == "finished" else 1


async def _carry_out(settings: Settings, run_id: UUID) -> dict[str, object]:
    async with Station(settings) as station:
        collect_seldom()
        began, busy = time.perf_counter(), time.process_time()
        run = await _to_its_end(station, run_id)
        return {
            "run_s": time.perf_counter() - began,
            "run_cpu_s": time.process_time() - busy,
            "peak_mib": peak_mib(),
            "slices": run.slice + 1,
            "state": run.state,
            "reason": run.reason,
            "counts": run.counts,
        }


async def _to_its_end(station: Station, run_id: UUID) -> Run:
    while (run := await _read(station, run_id)).state in {"queued", "running"}:
        command = DownloadSubscriptions(run_id=run.id, slice=run.slice, correlation_id=run.correlation_id)
        await download_subscriptions(station, command)
    return run


async def _read(station: Station, run_id: UUID) -> Run:
    async with station.pool.connection() as connection:
        run = await runs.get(connection, run_id)
    assert run is not None, "there is no such run"
    return run


if __name__ == "__main__":
    sys.exit(main())
