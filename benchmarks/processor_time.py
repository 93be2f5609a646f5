"""How much processor time other processes took, read from the kernel: the look-alike's, and a whole Postgres server's.

Both may run in a container: it is this machine's own list of processes that is read. Where it cannot be (another
system, a server elsewhere), there is no figure.
"""

import os
from pathlib import Path

import psycopg

PROCESSES = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")


def of_process(pid: int) -> float:
    """Give the seconds of a process itself, user and system."""
    return sum(_times(pid)[:2])


def of_postgres(url: str, database: str) -> float | None:
    """Give the seconds of all processes of the server that has `database`, ended ones too.

    No other server may have a database of that name. None where its processes are not to be seen.
    """
    with psycopg.connect(url):
        own = [pid for pid in _pids() if _command(pid).startswith("postgres: ") and f" {database} " in _command(pid)]
        if not own:
            return None
        server = _parent(own[0])
        living = [pid for pid in _pids() if _parent(pid) == server]
        return sum(_times(server)) + sum(of_process(pid) for pid in living)


def _pids() -> list[int]:
    return [int(path.name) for path in PROCESSES.glob("[0-9]*")]


def _command(pid: int) -> str:
    return _read(pid, "cmdline").replace("\0", " ")


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _times(pid: int) -> list[float]:
    """User and system time of the process, then both of its ended children, in seconds."""
    return [int(ticks) / _TICK for ticks in _stat(pid)[11:15]]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on: the second, the name, may hold spaces."""
    return _read(pid, "stat").rpartition(")")[2].split()


def _read(pid: int, name: str) -> str:
    try:
        return (PROCESSES / str(pid) / name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # it has ended
