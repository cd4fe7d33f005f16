"""What config/components/monitoring ships, as tests look at it; and the Prometheus that they look with."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPONENT = ROOT / "config/components/monitoring"
DOCUMENT = ROOT / "docs/monitoring.md"


def program(name: str) -> str | None:
    """Of Prometheus: as `make test` downloads it, or as this machine has it; None where it is not there."""
    downloaded = Path(sys.prefix) / "prometheus/bin" / name
    return str(downloaded) if downloaded.exists() else shutil.which(name)


def rule_groups() -> list[dict[str, Any]]:
    """As Prometheus itself reads them from a file."""
    resource = yaml.safe_load((COMPONENT / "alerts.yaml").read_text())
    groups: list[dict[str, Any]] = resource["spec"]["groups"]
    return groups


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in rule_groups() for rule in group["rules"]}


def monitors() -> dict[str, dict[str, Any]]:
    """By kind."""
    return {each["kind"]: each for each in yaml.safe_load_all((COMPONENT / "monitors.yaml").read_text())}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((COMPONENT / "dashboard.json").read_text())
    return found


def panels() -> Iterator[dict[str, Any]]:
    """Those that show something, also in rows that are folded."""
    for panel in dashboard()["panels"]:
        yield from panel.get("panels", ()) if panel["type"] == "row" else [panel]


def queries() -> Iterator[tuple[str, str]]:
    """Each panel's title and expression, one for each of its queries."""
    for panel in panels():
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def named(expression: str) -> set[str]:
    """The metrics that an expression is about."""
    without_text = re.sub(r'"[^"]*"|\'[^\']*\'', "", expression)
    return set(re.findall(r"\b(?:etl|process|python)_[a-z_]+\b", without_text))
