"""The API server: the one module that talks to it. Objects are plain JSON, as the server has them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client, config

from etl_operator import metrics
from etl_operator.kinds import KIND, KINDS, PIPELINE_LABEL, PIPELINES, Key, Kind, Manifest, Ref
from etl_operator.observed import Object

#: Owner of the fields that the operator applies.
MANAGER = "etl-operator"
#: Of those that end something: an owner of its own, so that nothing else of the object has to be said again.
_ENDING = "etl-operator-ending"
#: Objects that are listed at a time: a thousand at once, parsed, are a hundred megabytes.
CHUNK = 100
#: Seconds until a request is given up.
_TIMEOUT = 30


class ApiError(Exception):
    """The API server refused, or could not be reached."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status  #: of HTTP; 0 where no answer came
        self.reason = reason
        self.message = message

    @property
    def is_final(self) -> bool:
        """Whether the same request would be refused again."""
        return self.status in (400, 403, 405, 422) and not self.is_of_the_end

    @property
    def is_of_the_end(self) -> bool:
        """Whether the namespace is about to go, and the pipeline with it."""
        return self.status == 403 and "because it is being terminated" in self.message


class Cluster:
    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    async def list(self, kind: Kind, namespace: str | None) -> AsyncIterator[tuple[list[Object], int]]:
        """All the pipelines, or all that have a pipeline's label, in parts, with the version of the list as a whole."""
        query = {"limit": str(CHUNK), **({} if kind is PIPELINES else {"labelSelector": PIPELINE_LABEL})}
        while True:
            found = await self._ask("GET", _path(kind, namespace), query)
            items: list[Object] = [{"apiVersion": kind.api, "kind": kind.name, **item} for item in found["items"]]
            yield items, int(found["metadata"]["resourceVersion"])
            if not (token := found["metadata"].get("continue")):
                return
            query["continue"] = token

    async def get(self, key: Key, ref: Ref) -> Object | None:
        """The object as the API server's cache has it, which spares etcd the question."""
        try:
            return await self._ask("GET", _path(KINDS[ref.kind], key.namespace, ref.name), {"resourceVersion": "0"})
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def apply(self, manifest: Manifest) -> Object:
        """Have these fields so, whoever had them otherwise; others stay as they are."""
        return await self._apply(manifest, MANAGER)

    async def write_status(self, body: Object, status: Mapping[str, Any]) -> Object:
        metadata = body["metadata"]
        manifest = {
            "apiVersion": body["apiVersion"],
            "kind": KIND,
            # Of this one as it was seen: neither one that was made anew meanwhile is spoken of, nor a spec that
            # nobody has looked at yet; and one that was deleted is not brought back.
            "metadata": {name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion")},
            "status": status,
        }
        path = _path(PIPELINES, metadata["namespace"], metadata["name"]) + "/status"
        return await self._write("PATCH", path, {"fieldManager": MANAGER, "force": "true"}, manifest)

    async def end(self, part: Manifest) -> Object | None:
        """Have the one field so that ends an object; None where it has gone meanwhile."""
        try:
            return await self._apply(part, _ENDING)
        except ApiError as error:
            if error.status in (404, 409):
                return None
            raise

    async def delete(self, key: Key, ref: Ref) -> None:
        try:
            options = {"propagationPolicy": "Background"}
            await self._write("DELETE", _path(KINDS[ref.kind], key.namespace, ref.name), options, None)
        except ApiError as error:
            if error.status != 404:
                raise

    async def tell(self, body: Object, type_: str, reason: str, message: str, now: str) -> None:
        """An Event, which `kubectl describe` shows."""
        metadata = body["metadata"]
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": body["apiVersion"],
                "kind": body["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": type_,
            "reason": reason,
            "message": message[:1000],
            "source": {"component": MANAGER},
            "reportingComponent": MANAGER,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        await self._write("POST", f"/api/v1/namespaces/{metadata['namespace']}/events", {}, event)

    async def get_lease(self, namespace: str, name: str) -> Object | None:
        try:
            return await self._ask("GET", f"{_LEASES.format(namespace)}/{name}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def put_lease(self, lease: Manifest) -> Object:
        """Create it, or replace the one whose version it has; somebody else's is in the way with a 409."""
        metadata = lease["metadata"]
        path = _LEASES.format(metadata["namespace"])
        if "resourceVersion" in metadata:
            return await self._ask("PUT", f"{path}/{metadata['name']}", {}, lease)
        return await self._ask("POST", path, {}, lease)

    async def close(self) -> None:
        await self._api.close()

    async def _apply(self, manifest: Manifest, manager: str) -> Object:
        metadata = manifest["metadata"]
        path = _path(KINDS[manifest["kind"]], metadata["namespace"], metadata["name"])
        return await self._write("PATCH", path, {"fieldManager": manager, "force": "true"}, manifest)

    async def _write(self, method: str, path: str, query: Mapping[str, str], body: object) -> Object:
        metrics.API_WRITES.labels(method).inc()
        return await self._ask(method, path, query, body)

    async def _ask(
        self, method: str, path: str, query: Mapping[str, str] = {}, body: object = None
    ) -> Mapping[str, Any]:
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/apply-patch+yaml" if method == "PATCH" else "application/json",
        }
        url = f"{self._api.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        # Asked each time: a pod's token is renewed while it lives.
        if token := await self._api.configuration.get_api_key_with_prefix("BearerToken", "authorization"):
            headers["Authorization"] = token
        try:
            answer = await self._api.rest_client.request(
                method, url, headers=headers, body=body, _request_timeout=_TIMEOUT
            )
            text = await answer.read()
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            metrics.API_REQUESTS.labels(method, "0").inc()
            raise ApiError(0, "Unreachable", f"the API server cannot be reached: {error}") from error
        metrics.API_REQUESTS.labels(method, str(answer.status)).inc()
        if answer.status >= 300:
            raise _error(answer.status, text)
        said: Mapping[str, Any] = json.loads(text)
        return said


_LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"


async def connect() -> Cluster:
    """A client with the pod's own account, or away from a cluster with that of kubectl."""
    configuration = client.Configuration()
    if Path("/var/run/secrets/kubernetes.io/serviceaccount/token").exists():
        config.load_incluster_config(client_configuration=configuration)
    else:
        await config.load_kube_config(client_configuration=configuration)
    return Cluster(client.ApiClient(configuration))


def _path(kind: Kind, namespace: str | None, name: str | None = None) -> str:
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"{kind.path}{within}/{kind.plural}" + (f"/{name}" if name else "")


def _error(status: int, text: bytes) -> ApiError:
    try:
        said = json.loads(text)
        return ApiError(status, said.get("reason") or str(status), said.get("message") or text.decode())
    except (ValueError, AttributeError):
        return ApiError(status, str(status), f"the API server answered with {status}")
