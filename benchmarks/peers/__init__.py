"""The programs that ours is measured beside, each in an environment of its own below `.peers`.

A folder here holds what a peer needs: `requirements.in` (what was wanted), `requirements.lock` (what is installed, each
file checked by its hash) and, where it needs one, the program that runs it. Nothing of this gets into our own lock.

    uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
        benchmarks/peers/NAME/requirements.in -o benchmarks/peers/NAME/requirements.lock
"""

import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent


class PeerError(Exception):
    """A peer cannot be installed; the sentence has the installer's complaint."""


def program_of(name: str) -> Path:
    """Give the program that runs a peer."""
    return HERE / name / "program.py"


def python_of(name: str, say: Callable[[str], None] = print) -> Path:
    """Give the interpreter of a peer's environment, made now unless it is there; raises PeerError."""
    place, lock = ROOT / ".peers" / name, HERE / name / "requirements.lock"
    python, installed = place / "bin" / "python", place / "installed"
    wanted = f"{sha256(lock.read_bytes()).hexdigest()} {sys.version}"
    if not (installed.exists() and python.exists() and installed.read_text(encoding="utf-8") == wanted):
        say(f"installing what benchmarks/peers/{name}/requirements.lock names")
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(place))
        _uv("pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes", "--python", str(python), str(lock))
        installed.write_text(wanted, encoding="utf-8")
    return python


def version_of(name: str) -> str:
    """Give the version of a peer that its folder asks for."""
    return (HERE / name / "requirements.in").read_text(encoding="utf-8").strip().rpartition("==")[2]


def _uv(*arguments: str) -> None:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else "uv"
    try:
        done = subprocess.run([uv, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise PeerError("uv is needed to install peers: scripts/environment brings it") from None
    if done.returncode:
        raise PeerError(f"uv {arguments[0]} failed: {done.stderr.strip()}")
