"""Kubernetes' quantities, which can be written in more than one way."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** (power + 1) for power, unit in enumerate("kMGTPE")},
    **{f"{unit}i": Decimal(1024) ** (power + 1) for power, unit in enumerate("KMGTPE")},
}


def quantity(text: object) -> Decimal | None:
    """The value of a quantity; None where it is none."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(m|k|[KMGTPE]i?)?", str(text))
    return Decimal(found[1]) * _UNITS[found[2] or ""] if found else None


def bytes_of(text: str) -> Decimal:
    """The size that a quantity means; nothing where it is none."""
    return quantity(text) or Decimal(0)
