"""Whether an object of the cluster is as it was applied, whatever else others have put into it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from etl_operator.kinds import APPLIED_ANNOTATION, Manifest
from etl_operator.quantity import quantity


def marked(manifest: Manifest) -> Manifest:
    """The manifest with its hash, by which a later one that wants less is told from it."""
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), APPLIED_ANNOTATION: digest}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def is_in_place(wanted: Mapping[str, Any], actual: Mapping[str, Any]) -> bool:
    """Whether all that is wanted is there; what is there beside it belongs to somebody else.

    A selector and the rules of a NetworkPolicy are one's own as a whole: more in them is another meaning.
    """
    return all(_is_in(value, actual.get(name)) for name, value in wanted.items() if name not in ("apiVersion", "kind"))


_WHOLE = frozenset(("selector", "labelSelector", "podSelector", "nodeSelector", "ingress", "egress"))


def _is_in(wanted: Any, actual: Any, *, whole: bool = False) -> bool:
    if isinstance(wanted, Mapping):
        # The API server leaves empty maps out.
        there = actual if isinstance(actual, Mapping) else {} if actual is None else None
        if there is None or (whole and not there.keys() <= wanted.keys()):
            return False
        return all(_is_in(value, there.get(key), whole=whole or key in _WHOLE) for key, value in wanted.items())
    if isinstance(wanted, list):
        return _list_is_in(wanted, actual or [], whole=whole)
    if wanted == actual or (wanted in (False, "", 0) and actual is None):
        return True
    return (value := quantity(wanted)) is not None and value == quantity(actual)


def _list_is_in(wanted: list[Any], actual: Any, *, whole: bool) -> bool:
    """Lists of things with a name or a uid are joint property, member by member; others are one's own as a whole."""
    if not isinstance(actual, list):
        return False
    key = next(
        (key for key in ("uid", "name") if wanted and all(isinstance(m, Mapping) and key in m for m in wanted)), None
    )
    if key is None:
        return len(wanted) == len(actual) and all(
            _is_in(one, other, whole=whole) for one, other in zip(wanted, actual, strict=True)
        )
    there = {member.get(key): member for member in actual if isinstance(member, Mapping)}
    return all(_is_in(member, there.get(member[key])) for member in wanted)
