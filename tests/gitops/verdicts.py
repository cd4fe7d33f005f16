"""Who says what of a pipeline: Argo CD by the Lua that is shipped, and Flux by kstatus."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lupa import lua51

from images.engine import ROOT

HEALTH = ROOT / "gitops/argocd/health"
#: A program around the real kstatus, and what Flux waits by.
KSTATUS = Path(__file__).parent / "kstatus"

#: What Argo CD calls what kstatus says.
SAME = {"Current": "Healthy", "InProgress": "Progressing", "Terminating": "Progressing", "Failed": "Degraded"}

#: All that a script of Argo CD's has: Lua 5.1 with its base and table libraries.
_LIBRARY_LESS = "io, os, debug, string, math, coroutine, package, require, python = nil"


def argo_cd(resource: dict[str, Any], script: str = "etlpipeline.lua") -> dict[str, str]:
    """The status and the message by the script that is shipped."""
    lua = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    lua.execute(_LIBRARY_LESS)
    lua.globals().obj = lua.table_from(resource, recursive=True)
    return dict(lua.execute((HEALTH / script).read_text()))


def kstatus(resources: Sequence[dict[str, Any]]) -> list[str]:
    """The verdicts of the real one; needs Go, and the modules that it names."""
    given = "".join(json.dumps(resource) + "\n" for resource in resources)
    return subprocess.run(
        ["go", "run", "."], cwd=KSTATUS, input=given, capture_output=True, text=True, check=True
    ).stdout.split()


def kstatus_rules(resource: dict[str, Any]) -> str:
    """As kstatus decides, for where there is no Go: its checkGenericProperties, and then its checkReadyCondition."""
    metadata, status = resource["metadata"], resource.get("status", {})
    if "deletionTimestamp" in metadata:
        return "Terminating"
    if status.get("observedGeneration", metadata["generation"]) != metadata["generation"]:
        return "InProgress"
    conditions = [(one["type"], one["status"]) for one in status.get("conditions", ())]
    for condition in conditions:
        if condition == ("Reconciling", "True"):
            return "InProgress"
        if condition == ("Stalled", "True"):
            return "Failed"
    return "InProgress" if {("Ready", "False"), ("Ready", "Unknown")} & set(conditions) else "Current"
