"""A worker process for tests: `python -m tests.workers.served_worker URL FOLDER`.

Each command leaves `started-N` in the folder, waits until there is a file `go`, then leaves `finished-N`. Slice 900
ends the event loop, slice 901 a worker thread, and slice 902 blocks the loop.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from messages.commands import DownloadSubscriptions
from workers import worker
from workers.broker import make_broker
from workers.declaring import actor, register


def main(url: str, folder: Path) -> int:
    """Serve until told to stop."""

    @contextlib.asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        if (folder / "broken").exists():
            raise OSError("Postgres is away")
        (folder / "opened").touch()
        yield
        (folder / "closed").touch()

    @actor(DownloadSubscriptions)
    async def download_subscriptions(command: DownloadSubscriptions) -> None:
        (folder / f"started-{command.slice}").touch()
        if command.slice == 900:
            raise SystemExit(1)
        if command.slice == 902:
            time.sleep(60)  # noqa: ASYNC251 - the point
        while not (folder / "go").exists():  # noqa: ASYNC110 - the test makes it
            await asyncio.sleep(0.01)
        (folder / f"finished-{command.slice}").touch()

    worker.LOOP_SILENCE = 1.0
    worker._CLOSING = 1.0
    broker = make_broker(url, threads=2)
    register(broker, [download_subscriptions])
    (folder / "pid").write_text(str(os.getpid()))
    return worker.serve(broker, ["download"], 2, resources=resources(), grace=float(os.environ["GRACE"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
