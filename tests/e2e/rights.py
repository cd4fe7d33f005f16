"""What the API server lets the operator do, and what config/rbac/what-the-operator-may.txt says of it."""

from __future__ import annotations

from e2e.kube import SYSTEM, Kube
from manifests.rendering import CONFIG

SAID = CONFIG / "rbac/what-the-operator-may.txt"


def may(cluster: Kube, namespace: str) -> set[str]:
    """What its account may in a namespace, without what every account may."""
    operator, nobody = (
        _listed(cluster.within(namespace), f"system:serviceaccount:{SYSTEM}:{account}")
        for account in ("etl-operator", "nobody")
    )
    return operator - nobody


def said(part: str) -> set[str]:
    """The lines below a heading of the file."""
    sections = SAID.read_text().split("\n\n")
    (section,) = (one for one in sections if one.startswith(part))
    return {" ".join(line.split()) for line in section.splitlines()[1:]}


def _listed(kube: Kube, who: str) -> set[str]:
    _, *lines = kube("auth", "can-i", "--list", "--as", who).splitlines()
    return {" ".join(line.split()) for line in lines}
