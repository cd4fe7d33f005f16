"""Beginning runs on request: exactly one for a request id, and one at a time."""

from __future__ import annotations

from etl_service.api.service import Service
from etl_service.load.errors import Busy
from etl_service.model import Run, Trigger
from etl_service.runs import end_dead
from etl_service.runs.errors import RunElsewhere, Suspended


async def begin_run(service: Service, trigger: Trigger, request_id: str | None = None) -> Run:
    """The run that has begun, or the one that ``request_id`` has had already, whatever became of it.

    Raises:
        Busy: another run is under way; ``run_id`` says which.
        Suspended: the document wants none.
        RunElsewhere: its workers are not to be started here.
        EtlError: it could not begin.
    """
    _refuse_when_suspended(service)
    if service.pipeline.spec.extract.partitions and service.settings.run_with:
        raise RunElsewhere(service.settings.run_with)
    # In turn: of many who ask at once, the first starts a process, and the others are told of it.
    async with service.turn:
        if request_id and (earlier := await _requested(service, request_id)):
            return earlier
        await _refuse_when_busy(service)
        options = ["--trigger", trigger, *(["--request-id", request_id] if request_id else [])]
        try:
            return await service.launcher.launch(service.pipeline, "run", *options)
        except Busy:
            # Somebody was quicker, and perhaps with the same request.
            if request_id and (earlier := await _requested(service, request_id)):
                return earlier
            raise


async def begin_replay(service: Service, run_id: str | None = None) -> Run:
    """The replay that has begun: of one run's rejects, or of all.

    Raises:
        NothingToReplay: no such reject is kept.
        Busy, Suspended, EtlError: as for `begin_run`.
    """
    _refuse_when_suspended(service)
    async with service.turn:
        await _refuse_when_busy(service)
        return await service.launcher.launch(service.pipeline, "replay", *(["--run", run_id] if run_id else []))


def _refuse_when_suspended(service: Service) -> None:
    if service.pipeline.spec.suspend:
        raise Suspended(service.pipeline.metadata.name)


async def _requested(service: Service, request_id: str) -> Run | None:
    return await service.aside(service.store.requested, service.pipeline.full_name, request_id)


async def _refuse_when_busy(service: Service) -> None:
    """Spare the process that would only find the lock taken; one that died without a word is no obstacle."""
    name = service.pipeline.full_name
    await service.aside(end_dead, service.store, name, service.world.clock())
    if running := await service.aside(service.store.running, name):
        raise Busy(name, running.id)
