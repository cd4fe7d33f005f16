"""Processes that do the partitions of a run on one machine, each one after the other."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from etl_service.cli.opening import Opened, open_pipeline, settings_for

if TYPE_CHECKING:
    from etl_service.model import Run
    from etl_service.runs import World

#: How long one may take to end once asked, in seconds, before it is killed.
_LAST_WORDS = 10


@click.command("hand", hidden=True)
@click.argument("run_id", metavar="RUN")
@click.option("--parent", type=int, required=True, metavar="PID", help="Who starts it; without whom it does not go on.")
def command(run_id: str, parent: int) -> None:
    """Work on partitions of a run that has begun, as standard input asks for them.

    Its first line is the document. Each line after it is a partition and how often that has failed before; it is
    answered with the exit code that a process of its own would have ended with.
    """
    from etl_service.cli.failure import FAILED, FINE, exit_code, show
    from etl_service.cli.runs import find
    from etl_service.cli.work import work_on
    from etl_service.errors import EtlError
    from etl_service.spec import parse_pipeline

    settings = settings_for(None)
    opened = open_pipeline(Path("-"), parse_pipeline(sys.stdin.readline(), "standard input"), settings)

    async def the_run(world: World) -> Run:
        return find(opened.store, opened.pipeline.full_name, run_id)

    # What anybody else prints is no answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        index, failures = map(int, line.split())
        try:
            _, is_well = work_on(opened, the_run, index, failures, parent=parent)
            code = FINE if is_well else FAILED
        except EtlError as error:
            show(error)
            code = exit_code(error)
        print(code, file=answers, flush=True)


class Hands:
    """As many processes as are at work at a time, each started once: most of what a short partition takes is that."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._idle: list[Process] = []

    async def __call__(self, run: Run, index: int, failures: int) -> int:
        """Have one work on a partition, and give its exit code; cancelled, it is told to end, and then killed."""
        from etl_service.cli.failure import FAILED

        try:
            process = self._idle.pop() if self._idle else await self._start(run)
        except OSError as error:
            click.echo(f"a process for partition {index} could not be started: {error.strerror}", err=True)
            return FAILED
        assert process.stdin is not None and process.stdout is not None
        code: int | None = None
        try:
            with suppress(ConnectionError, ValueError):  # of a process that has died, whatever it said last
                process.stdin.write(f"{index} {failures}\n".encode())
                code = int(await process.stdout.readline())
        finally:
            if code is None:
                await _end(process)
            else:
                self._idle.append(process)
        return process.returncode or FAILED if code is None else code

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.gather(*map(_end, self._idle))

    async def _start(self, run: Run) -> Process:
        from etl_service.spec import public_document

        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "etl_service", "hand", run.id, "--parent", str(os.getpid())),
            stdin=PIPE,
            stdout=PIPE,
            cwd=self._opened.document.absolute().parent,
            start_new_session=True,  # Ctrl-C is for this process, which tells it
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(public_document(self._opened.pipeline)).encode() + b"\n")
        return process


async def _end(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.close()  # a signal that comes with the last words of a partition is of that partition alone
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _LAST_WORDS)
    except TimeoutError:
        process.kill()
        await process.wait()
