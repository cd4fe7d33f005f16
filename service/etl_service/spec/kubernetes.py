"""Kubernetes' own vocabulary: names, labels, quantities, and the parts of a pod."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from etl_service.spec.base import Model
from etl_service.spec.text import Items, plain_text

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_WORD = "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"


_AS_A_NAME = "write lowercase letters, digits and '-', letters or digits first and last"

#: Room is left below 63 for what the operator appends for its children.
PipelineName = Annotated[
    str, plain_text("a pipeline's name", f"{_AS_A_NAME}, at most 40 characters, like my-posts", _LABEL, 40, 1)
]
Namespace = Annotated[str, plain_text("a namespace", _AS_A_NAME, _LABEL, 63, 1)]
ObjectName = Annotated[str, plain_text("a name", _AS_A_NAME, rf"{_LABEL}(\.{_LABEL})*", 253, 1)]
SecretKey = Annotated[
    str,
    plain_text(
        "a key of a Secret", "write letters, digits, '-', '_' and '.'", r"\.?[-_A-Za-z0-9][-._A-Za-z0-9]*", 253, 1
    ),
]
LabelKey = Annotated[
    str,
    plain_text("a label's key", "write it like app or example.com/team", rf"({_LABEL}(\.{_LABEL})*/)?{_WORD}", 317, 1),
]
LabelValue = Annotated[
    str, plain_text("a label's value", "write letters, digits, '-', '_' and '.', or nothing", f"({_WORD})?", 63, 0)
]
Image = Annotated[
    str,
    plain_text("an image", "write it like registry.example.com/etl:1.0", r"[A-Za-z0-9][-A-Za-z0-9._/:@]*", 512, 1),
]
Quantity = Annotated[
    str,
    replace(
        plain_text(
            "a quantity", "write it like 500m or 256Mi", r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?", 32
        ),
        or_integer=True,
    ),
]

Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=64)]
Annotations = Annotated[dict[LabelKey, Annotated[str, Field(max_length=65_536)]], Field(max_length=64)]
Quantities = Annotated[dict[LabelKey, Quantity], Field(max_length=16)]


class SecretKeyRef(Model):
    """A key of a Kubernetes Secret."""

    name: ObjectName = Field(description="Name of the Secret, in the pipeline's namespace.")
    key: SecretKey = Field(description="Key within the Secret.")


class SecretName(Model):
    """A Kubernetes Secret as a whole."""

    name: ObjectName = Field(description="Name of the Secret, in the pipeline's namespace.")


class Resources(Model):
    """What a container asks for, and what it may use at most."""

    requests: Quantities = Field(default={}, description="What is kept free for it, such as `cpu` and `memory`.")
    limits: Quantities = Field(default={}, description="What it may not exceed, such as `memory`.")


class Toleration(Model):
    """A taint of nodes that a pod puts up with."""

    key: LabelKey | None = Field(default=None, description="Key of the taint. Default: every taint.")
    operator: Literal["Exists", "Equal"] = Field(
        default="Equal", description="`Equal` compares the value, `Exists` does not. Default: Equal."
    )
    value: LabelValue | None = Field(default=None, description="Value of the taint, for `Equal`.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Effect of the taint. Default: every effect."
    )
    toleration_seconds: int | None = Field(
        default=None, ge=0, le=2**31, description="For how long `NoExecute` is put up with. Default: for ever."
    )


class Pod(Model):
    """What all pods of the pipeline have in common."""

    node_selector: Labels = Field(default={}, description="Labels that a node must have.")
    tolerations: Annotated[Items[Toleration], Field(max_length=32)] = Field(
        default=(), description="Taints of nodes that are put up with."
    )
    affinity: dict[str, JsonValue] | None = Field(
        default=None, max_length=16, description="Affinity, as in a pod's own spec; it is passed on as it is."
    )
    labels: Labels = Field(default={}, description="Labels to add to the pods.")
    annotations: Annotations = Field(default={}, description="Annotations to add to the pods.")
    image_pull_secrets: Annotated[Items[SecretName], Field(max_length=16)] = Field(
        default=(), description="Secrets with which images are pulled."
    )
