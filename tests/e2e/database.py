"""The component with a PostgreSQL in a namespace, as its users install it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from e2e.kube import Kube
from manifests.rendering import kustomization


def with_postgres(kube: Kube, folder: Path, **fields: Any) -> str:
    """Apply a kustomization of these fields, which has the component, and wait for the server; its password."""
    password = secrets.token_hex(24)
    dsn = f"postgresql://etl:{password}@postgres/etl"
    kube("create", "secret", "generic", "postgres", f"--from-literal=password={password}", f"--from-literal=dsn={dsn}")
    kube("apply", "--server-side", "-k", str(kustomization(folder, namespace=kube.namespace, **fields)))
    kube("rollout", "status", "statefulset/postgres", "--timeout=120s")
    return password


def queried(kube: Kube, query: str) -> list[str]:
    """The one row that the server answers with."""
    ask = ("psql", "--username=etl", "--no-align", "--tuples-only", "--field-separator= ", "--command", query)
    return kube("exec", "postgres-0", "--", *ask).split()
