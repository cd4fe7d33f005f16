"""Containers for tests: each has a name of its own, and is gone when its block ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import Any, TypeVar

import httpx

ROOT = Path(__file__).parents[2]

#: What Compose gives its containers, and Kubernetes its pods: nothing that is not needed.
CONTAINED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")

_T = TypeVar("_T")


def why_no_engine() -> str | None:
    """Why no containers can be run here; None where they can."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    try:
        info = tried("info", seconds=30)
    except subprocess.TimeoutExpired:
        return "the container engine does not answer"
    return f"there is no container engine: {info.stdout.splitlines()[-1]}" if info.returncode else None


def docker(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    """What the command prints.

    Raises:
        AssertionError: it failed, and what it printed.
    """
    done = tried(*arguments, env=env)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout}"
    return done.stdout.strip()


def tried(
    *arguments: str, env: Mapping[str, str] | None = None, seconds: float = 280
) -> subprocess.CompletedProcess[str]:
    """The command when it has ended, well or not; its stdout has both streams."""
    command = ["docker", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=env, stdout=PIPE, stderr=STDOUT, text=True, timeout=seconds, check=False
    )


def inspect(what: str) -> Any:
    return json.loads(docker("inspect", what))[0]


@dataclass(frozen=True)
class Container:
    name: str

    @property
    def state(self) -> Any:
        return inspect(self.name)["State"]

    @property
    def address(self) -> str:
        (network,) = inspect(self.name)["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    @property
    def logs(self) -> str:
        return docker("logs", self.name)

    def url(self, port: int) -> str:
        return f"http://{docker('port', self.name, f'{port}/tcp').splitlines()[0]}"

    def execute(self, *command: str) -> str:
        return docker("exec", self.name, *command)


def unique(name: str) -> str:
    return f"etl-test-{name}-{uuid.uuid4().hex[:8]}"


@contextmanager
def container(image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[Container]:
    this = Container(unique("container"))
    try:
        docker("run", "--detach", "--name", this.name, *options, image, *command)
        yield this
    finally:
        tried("rm", "--force", "--volumes", this.name)


@contextmanager
def network() -> Iterator[str]:
    name = unique("net")
    docker("network", "create", name)
    try:
        yield name
    finally:
        docker("network", "rm", name)


def eventually(ask: Callable[[], _T], seconds: float = 30) -> _T:
    """The first answer that is true. A container says nowhere that it has come so far: it has to be asked.

    Raises:
        AssertionError: the time is over, and the last answer.
    """
    deadline = time.monotonic() + seconds
    while not (answer := _unless_away(ask)):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} seconds; the last answer was {answer!r}"
        time.sleep(0.1)
    return answer


def _unless_away(ask: Callable[[], _T]) -> _T | None:
    try:
        return ask()
    except httpx.TransportError:
        return None
