"""Kopf's part: it lists and watches, and hands on what it sees. What is to be done is decided elsewhere.

Only `on.event` is used: anything more would put finalizers and annotations on what it handles.
"""

from __future__ import annotations

from typing import Any, Protocol

import kopf

from etl_operator.cluster import CHUNK
from etl_operator.kinds import CHILDREN, PIPELINE_LABEL, PIPELINES, Kind
from etl_operator.observed import Object


class Sink(Protocol):
    def seen(self, body: Object) -> None:
        """An object is there, in this state."""
        ...

    def begun_anew(self) -> None:
        """A watch begins with all that is there: what was deleted before is not told."""
        ...

    def gone(self, body: Object) -> None:
        """An object was deleted."""
        ...


def registry(sink: Sink) -> kopf.OperatorRegistry:
    """Handlers for the pipelines and for all that belongs to them."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    def handle(kind: Kind) -> None:
        group, _, version = kind.api.rpartition("/")

        @kopf.on.event(group, version, kind.plural, registry=handlers, id=kind.plural)
        async def on_event(event: Any, **_: Any) -> None:
            body = {"apiVersion": kind.api, "kind": kind.name, **event["object"]}
            if event["type"] == "DELETED":
                sink.gone(body)
                return
            sink.seen(body)
            if event["type"] is None:
                sink.begun_anew()

    for kind in (PIPELINES, *CHILDREN.values()):
        handle(kind)
    return handlers


def settings() -> kopf.OperatorSettings:
    """Kopf's settings: watches that notice when they are dead, and nothing written anywhere."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.peering.standalone = True
    chosen.watching.chunk_size = CHUNK
    chosen.watching.server_timeout = 300
    chosen.watching.client_timeout = 310
    chosen.watching.connect_timeout = 10
    chosen.networking.request_timeout = 30
    chosen.networking.connect_timeout = 10
    chosen.queueing.idle_timeout = 1
    chosen.process.ultimate_exiting_timeout = 10
    for kind in CHILDREN.values():
        group, _, version = kind.api.rpartition("/")
        chosen.watching.label_selectors[group, version, kind.plural] = PIPELINE_LABEL
    return chosen
