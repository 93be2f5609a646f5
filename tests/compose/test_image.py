"""The image: what is copied is what production imports, and what is installed is what the lock of all names."""

import ast
import re
import tomllib
from pathlib import Path

from tests.compose.reading import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
BUILDER, LAST = DOCKERFILE.split("\nFROM ")[1:]
ENTRIES = ("workers", "console", "sandbox/asana")
PINNED = re.compile(r"^([a-z0-9._-]+)(?:\[.*\])?==(\S+)(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


def imported(path: Path) -> set[str]:
    """Give our top level modules that a file imports, and `sandbox.asana` for the look-alike."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name if name.startswith("sandbox") else name.partition(".")[0] for name in names}
    return {"sandbox/asana" if name.startswith("sandbox.asana") else name for name in found}


def reached() -> set[str]:
    """Give everything of ours that the entry points reach, by path."""
    seen: set[str] = set()
    ahead = [*ENTRIES]
    while ahead:
        name = ahead.pop()
        place = ROOT / name
        files = [*place.rglob("*.py"), *filter(Path.exists, [place.with_suffix(".py")])]
        if name in seen or not files:
            continue
        seen.add(name)
        ahead += sorted(set().union(*(imported(file) for file in files)))
    return {f"{name}/" if (ROOT / name).is_dir() else f"{name}.py" for name in seen}


def copied() -> set[str]:
    lines = re.findall(r"^COPY (?!--from)(.+)$", BUILDER, re.MULTILINE)
    return {word for line in lines for word in line.split()[:-1]}


def locked(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Give each package of a lock with its version and its hashes."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return {one[1]: (one[2], frozenset(re.findall(r"sha256:\w+", one[3]))) for one in PINNED.finditer(text)}


def test_the_image_holds_what_production_imports_and_no_more() -> None:
    assert copied() == reached() | {"schema.sql", "requirements-server.lock", "sandbox/__init__.py"}


def test_the_build_sees_what_is_copied_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied()


def test_the_last_stage_only_runs() -> None:
    assert all(image.startswith("python:3.13-slim") for image in (BUILDER, LAST))
    assert "RUN" not in LAST
    assert "USER 10001:10001" in LAST
    assert "STOPSIGNAL SIGTERM" in LAST
    assert 'ENTRYPOINT ["python", "-m"]' in LAST
    assert "--mount" not in DOCKERFILE, "an engine without BuildKit builds it, too"
    assert "--require-hashes" in BUILDER


def test_the_lock_of_the_image_is_a_part_of_the_lock_of_all() -> None:
    everything, server = locked("requirements.lock"), locked("requirements-server.lock")
    assert len(server) > 30
    assert {name: everything.get(name) for name in server} == server


def test_the_lock_of_the_image_names_what_is_needed_and_nothing_of_development() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    server = locked("requirements-server.lock").keys()
    assert names(project["dependencies"]) | names(extras["lookalike"]) <= server
    brought = {"pyyaml"}  # Apprise needs it, and so do tests
    assert not server & (names(extras["dev"]) - brought | {"testcontainers"})


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[>=<; ]", one)[0].lower() for one in requirements}
