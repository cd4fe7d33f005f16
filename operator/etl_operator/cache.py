"""What the cluster has, as far as the watches have told: the objects of each pipeline, in little memory."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from etl_operator.kinds import KIND, PIPELINE_LABEL, Key, Ref, child_name, ref_of
from etl_operator.observed import Object, Observed


def key_of(body: Object) -> Key:
    """The pipeline that an object is, or belongs to."""
    metadata = body["metadata"]
    name = metadata["name"] if body["kind"] == KIND else (metadata.get("labels") or {}).get(PIPELINE_LABEL, "")
    return Key(metadata["namespace"], name)


class Told(NamedTuple):
    """What a pipeline's service says of its runs."""

    history: Sequence[Object] | None = None  #: of those that no Job carries out, the newest first
    rows: int | None = None


class Cache:
    """Objects as JSON text, by pipeline: a thousand pipelines have ten thousand of them, and few are looked at."""

    def __init__(self) -> None:
        self._objects: defaultdict[Key, dict[Ref, bytes]] = defaultdict(dict)
        self._versions: dict[tuple[Key, Ref], int] = {}
        #: Of what was deleted, until a list is newer: an answer that was slow is not to bring it back.
        self._graves: dict[tuple[Key, Ref], int] = {}
        self._serving: set[Key] = set()
        self._told: dict[Key, Told] = {}

    def pipelines(self) -> list[Key]:
        return [key for key, objects in self._objects.items() if Ref(KIND, key.name) in objects]

    def put(self, body: Object) -> bool:
        """Keep the object, unless a newer state of it is here; says whether anything is new."""
        key, ref, version = key_of(body), ref_of(body), _version(body)
        if version <= max(self._versions.get((key, ref), -1), self._graves.get((key, ref), -1)):
            return False
        self._versions[key, ref] = version
        self._objects[key][ref] = json.dumps(_needed(body), separators=(",", ":")).encode()
        if ref == _service(key):
            answers = (body.get("status") or {}).get("availableReplicas")
            (self._serving.add if answers else self._serving.discard)(key)
        return True

    def remove(self, body: Object) -> None:
        """Let go of an object that was deleted."""
        key, ref, version = key_of(body), ref_of(body), _version(body)
        if self._versions.get((key, ref), 0) <= version:
            self._forget(key, ref)
            self._graves[key, ref] = version

    def keep_only(
        self, kind: str, namespace: str | None, there: Collection[tuple[Key, Ref]], version: int
    ) -> list[Key]:
        """Let go of what a list of that version no longer has; gives whose that was."""

        def told(known: dict[tuple[Key, Ref], int]) -> list[tuple[Key, Ref]]:
            return [
                (key, ref)
                for (key, ref), last in known.items()
                if ref.kind == kind and namespace in (None, key.namespace) and last <= version
            ]

        for grave in told(self._graves):
            del self._graves[grave]
        gone = [(key, ref) for key, ref in told(self._versions) if (key, ref) not in there]
        for key, ref in gone:
            self._forget(key, ref)
        return [key for key, _ in gone]

    def serving(self) -> list[Key]:
        """Pipelines whose service has a pod that answers."""
        return sorted(self._serving)

    def told(self, key: Key) -> Told:
        return self._told.get(key, Told())

    def tell(self, key: Key, told: Told) -> bool:
        """Keep what a service has told; says whether anything is new."""
        if key not in self._objects or self.told(key) == told:
            return False
        self._told[key] = told
        return True

    def pipeline(self, key: Key) -> Object | None:
        return self.get(key, Ref(KIND, key.name))

    def version(self, key: Key) -> int:
        """Of the pipeline as it is here."""
        return self._versions[key, Ref(KIND, key.name)]

    def get(self, key: Key, ref: Ref) -> Object | None:
        """One object of a pipeline; the others are not looked at."""
        text = self._objects.get(key, {}).get(ref)
        found: Object | None = json.loads(text) if text else None
        return found

    def observed(self, key: Key) -> Observed:
        objects = self._objects.get(key, {})
        children = {ref: json.loads(text) for ref, text in objects.items() if ref.kind != KIND}
        return Observed(children, *self.told(key))

    def _forget(self, key: Key, ref: Ref) -> None:
        self._versions.pop((key, ref), None)
        if ref == _service(key):
            self._serving.discard(key)
        self._objects[key].pop(ref, None)
        if not self._objects[key]:
            del self._objects[key]
            self._told.pop(key, None)


def _service(key: Key) -> Ref:
    return Ref("Deployment", child_name(key.name, "service"))


def _version(body: Object) -> int:
    """Resource versions grow; Kubernetes promises so since 1.35, and etcd always did it."""
    return int(body["metadata"]["resourceVersion"])


def _needed(body: Object) -> Object:
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    kept = {**body, "metadata": metadata}
    if body["kind"] == "Pod":  # of which it matters only what it has come to
        containers = [{"resources": one.get("resources", {})} for one in body["spec"]["containers"][:1]]
        kept["spec"] = {"containers": containers}
    return kept
