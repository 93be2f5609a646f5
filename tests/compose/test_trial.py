"""scripts/compose-demo and what it stands on, with a docker that is not there, or only writes down what it is told."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sandbox.composed import composed_stack
from sandbox.stack import StackError
from tests.compose.reading import ROOT

RECORDS = """#!/bin/sh
echo "$SEATKEEPER_IMAGE $*" >>{record}
case " $* " in
  *" up "*) echo 'the engine said no' >&2; exit 17 ;;
  *" ps "*) echo 'relay running 0 healthy'; echo 'worker restarting 78 '; echo 'init exited 0 ' ;;
  *" logs "*) echo 'worker: SEATKEEPER_KEYS must be set' ;;
esac
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder that is all of PATH, with what the script itself needs."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("bash", "dirname", "env", "sh"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


def put(folder: Path, script: str) -> None:
    (folder / "docker").write_text(script)
    (folder / "docker").chmod(0o755)


@pytest.mark.parametrize(
    ("docker", "says"),
    [
        (None, "Docker is not installed"),
        ('#!/bin/sh\n[ "$1" != compose ]\n', "Docker has no Compose"),
        ('#!/bin/sh\n[ "$1" != info ]\n', "the Docker engine does not answer"),
    ],
)
def test_without_docker_it_ends_with_one_clear_line(programs: Path, docker: str | None, says: str) -> None:
    if docker:
        put(programs, docker)
    done = subprocess.run(
        [ROOT / "scripts" / "compose-demo"], env={"PATH": str(programs)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 69
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"compose-demo: {says}")


def test_what_does_not_come_up_is_named_and_taken_down(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "record"
    put(programs, RECORDS.format(record=record))
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SEATKEEPER_COMPOSE_OVERRIDE", "one-more.yaml")
    monkeypatch.setenv("SEATKEEPER_IMAGE", "seatkeeper:0.1")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "seatkeeper")
    with (
        pytest.raises(StackError, match=r"no; worker is not well: worker: SEATKEEPER_KEYS must be set$"),
        composed_stack(people=50, seed=1, say=lambda _: None),
    ):
        raise AssertionError("it did not come up")
    told = record.read_text().splitlines()
    image, project = told[0].split()[0], told[0].split()[5]
    ours = f"compose --ansi never --project-name {project} --env-file /dev/null --profile sandbox"
    files = "--file compose.yaml --file compose.sandbox.yaml --file one-more.yaml"
    assert project.startswith("seatkeeper-demo-"), "an installation is never touched"
    assert image != "seatkeeper:0.1"
    assert all(line.startswith(f"{image} ") for line in told)
    assert told[0] == f"{image} {ours} {files} build --quiet init"
    assert told[-2] == f"{image} {ours} {files} --profile console down --volumes --remove-orphans --timeout 10"
    assert told[-1] == f"{image} image rm {image}"
