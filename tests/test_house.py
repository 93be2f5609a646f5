"""Holds the rules of the house, so that a reader can rely on them: who may import whom, where SQL, HTTP and publishing
live, and how a file is made.

The import rules themselves are in .importlinter.
"""

import ast
import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEFT_OUT = {".git", ".venv", ".peers", ".sandbox", "__pycache__", "secrets"}
OURS = ("messages", "rules", "store", "asana_api", "sources", "connections", "workers", "console")
HTTP_CLIENTS = {"httpx", "requests", "aiohttp", "urllib3", "http.client", "urllib.request", "asana"}
PUBLISHERS = {"workers/relay.py", "workers/broker.py"}
PUBLISHING = {"basic_publish", "enqueue", "send", "send_with_options"}
STATEMENT = re.compile(
    r"\s*(SELECT\s|INSERT INTO\s|UPDATE\s+\S+\s+SET\s|DELETE FROM\s|WITH\s+\w+\s+AS\s|COPY\s+\S+|(CREATE|ALTER|DROP)\s"
    r"+(TABLE|INDEX|ROLE|VIEW|DATABASE)\s|TRUNCATE\s|LISTEN\s|NOTIFY\s|LOCK TABLE\s)"
)
SILENCED = re.compile(r"#\s*(?:noqa(?P<codes>:\s*[A-Z0-9, ]+)?|type:\s*ignore(?P<code>\[[\w, -]+\])?)(?P<rest>.*)")
NAMES_OF_NOTHING = {"utils", "util", "helpers", "helper", "manager", "common", "data", "info", "misc"}
TOO_LONG_FILE, TOO_LONG_TEST_FILE, TOO_LONG_FUNCTION = 250, 300, 60
# Written in pieces, so that this file does not break its own rule.
PLACES = [f"/{'work'}/", f"/{'root'}/", "/tmp/" + "brief"]
REGISTRIES = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "deb." + "debian.org", "archive." + "ubuntu"]


def files(pattern: str = "*") -> list[Path]:
    """Give the project's own files, by a path from the root."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob(pattern) if path.is_file())
    return sorted(path for path in found if not _left_out(path))


def _left_out(path: Path) -> bool:
    return any(part in LEFT_OUT or part.endswith("_cache") or part == ".hypothesis" for part in path.parts)


def modules_of(*packages: str) -> list[Path]:
    """Give the modules in some of the top level packages."""
    return [path for path in files("*.py") if path.parts[0] in packages or path.name in packages]


def tree_of(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), str(path))


def assert_none(findings: Iterator[str]) -> None:
    """Fail with all findings at once, one a line."""
    lines = list(findings)
    assert not lines, "\n" + "\n".join(lines)


def test_imports_go_downwards_only(tmp_path: Path) -> None:
    """Run import-linter with .importlinter, without the packages that are not there."""
    rules = (ROOT / ".importlinter").read_text(encoding="utf-8").splitlines()
    configuration = tmp_path / "importlinter.ini"
    configuration.write_text("\n".join(line for line in rules if not _names_nothing(line.strip())), encoding="utf-8")
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [linter, "--no-cache", "--no-logo", configuration], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _names_nothing(line: str) -> bool:
    return (
        line.split(".", maxsplit=1)[0] in {*OURS, "sandbox", "benchmarks"}
        and not (ROOT / line.replace(".", "/") / "__init__.py").exists()
    )


def test_sql_is_in_the_store_alone() -> None:
    def statements() -> Iterator[str]:
        for path in [*modules_of(*OURS, "settings.py")]:
            if path.parts[0] == "store":
                continue
            for node in ast.walk(tree_of(path)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.match(node.value):
                    yield f"{path}:{node.lineno}: SQL belongs in store/: {node.value.strip()[:60]!r}"
        for path in files("*.sql"):
            if path != Path("schema.sql") and path.parts[0] not in ("store", "benchmarks", "tests"):
                yield f"{path}: SQL belongs in store/"

    assert_none(statements())


def test_http_is_spoken_in_asana_api_alone() -> None:
    def clients() -> Iterator[str]:
        for path in modules_of(*OURS, "settings.py"):
            if path.parts[0] == "asana_api":
                continue
            for name, line in imports_of(path):
                if any(name == client or name.startswith(f"{client}.") for client in HTTP_CLIENTS):
                    yield f"{path}:{line}: an HTTP client ({name}) belongs in asana_api/"

    assert_none(clients())


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def test_only_the_relay_publishes() -> None:
    def publishing() -> Iterator[str]:
        for path in modules_of(*OURS):
            if path.as_posix() in PUBLISHERS or path.parts[0] == "asana_api":  # HTTP requests are sent, too
                continue
            for node in ast.walk(tree_of(path)):
                if isinstance(node, ast.Attribute) and node.attr in PUBLISHING:
                    yield f"{path}:{node.lineno}: .{node.attr} belongs in {' or '.join(sorted(PUBLISHERS))}"

    assert_none(publishing())


def test_every_module_says_why_it_exists() -> None:
    assert_none(f"{path}: no docstring" for path in files("*.py") if not ast.get_docstring(tree_of(path)))


def test_nothing_is_silenced_without_its_reason() -> None:
    def silenced() -> Iterator[str]:
        for path in files("*.py"):
            for number, line in lines_of(path):
                found = SILENCED.search(line)
                if found and not ((found["codes"] or found["code"]) and len(found["rest"].strip(" -#")) > 3):
                    yield f"{path}:{number}: say which rule, and why: {line.strip()}"

    assert_none(silenced())


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Give the numbered lines of a text file, nothing for any other."""
    with contextlib.suppress(UnicodeDecodeError):
        yield from enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1)


def test_names_say_something() -> None:
    assert_none(
        f"{path}: a name that says nothing"
        for path in files("*.py")
        if {path.stem, *path.parts[:-1]} & NAMES_OF_NOTHING
    )


@pytest.mark.parametrize("wanted", ["files", "functions"])
def test_nothing_is_too_long(wanted: str) -> None:
    def long_files() -> Iterator[str]:
        for path in files("*.py"):
            most = TOO_LONG_TEST_FILE if path.parts[0] == "tests" else TOO_LONG_FILE
            if (count := len(list(lines_of(path)))) > most:
                yield f"{path}: {count} lines, {most} at most"

    def long_functions() -> Iterator[str]:
        for path in files("*.py"):
            for node in ast.walk(tree_of(path)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    count = (node.end_lineno or node.lineno) - node.lineno + 1
                    if count > TOO_LONG_FUNCTION:
                        yield f"{path}:{node.lineno}: {node.name} has {count} lines, {TOO_LONG_FUNCTION} at most"

    assert_none({"files": long_files, "functions": long_functions}[wanted]())


def test_no_file_knows_one_machine_or_one_registry() -> None:
    refused = [*PLACES, *REGISTRIES]

    def known() -> Iterator[str]:
        for path in files():
            for number, line in lines_of(path):
                yield from (f"{path}:{number}: names {word}" for word in refused if word in line)

    assert_none(known())


def test_nothing_is_left_to_do() -> None:
    left = re.compile(r"#.*\b(" + "TO" + "DO|FIX" + "ME|XX" + "X)\b")
    assert_none(
        f"{path}:{number}: {line.strip()}"
        for path in files("*.py")
        for number, line in lines_of(path)
        if left.search(line)
    )
