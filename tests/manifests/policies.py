"""Whether NetworkPolicies let one talk to another, as https://kubernetes.io/docs/concepts/services-networking/network-policies/
has it: what no policy selects may all; what one selects, may what any of those that select it says."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Direction = Literal["Ingress", "Egress"]
Policy = Mapping[str, Any]


@dataclass(frozen=True)
class Pod:
    namespace: str
    labels: Mapping[str, str]
    namespace_labels: Mapping[str, str]
    address: str = "10.244.0.1"
    ports: Mapping[str, int] = field(default_factory=dict)  #: by name


@dataclass(frozen=True)
class Outside:
    """What is no pod."""

    address: str


Peer = Pod | Outside


@dataclass(frozen=True)
class Network:
    """Policies, and how a network reads them: to some, an ``ipBlock`` holds the addresses of pods, too."""

    policies: tuple[Policy, ...]
    blocks_hold_pods: bool

    def lets(self, source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection comes about: both ends must be let."""
        return self._side(source, target, target, "Egress", port, protocol) and self._side(
            target, source, target, "Ingress", port, protocol
        )

    def _side(self, one: Peer, other: Peer, target: Peer, direction: Direction, port: int, protocol: str) -> bool:
        if isinstance(one, Outside):
            return True
        selecting = [policy for policy in self.policies if _selects(policy, one, direction)]
        rules = [rule for policy in selecting for rule in policy["spec"].get(direction.lower()) or ()]
        named = target.ports if isinstance(target, Pod) else {}
        return not selecting or any(
            self._is_among(other, rule.get("from" if direction == "Ingress" else "to"), one.namespace)
            and _has_port(rule.get("ports"), port, protocol, named)
            for rule in rules
        )

    def _is_among(self, peer: Peer, peers: Iterable[Mapping[str, Any]] | None, home: str) -> bool:
        return not peers or any(self._is(peer, wanted, home) for wanted in peers)

    def _is(self, peer: Peer, wanted: Mapping[str, Any], home: str) -> bool:
        if block := wanted.get("ipBlock"):
            if isinstance(peer, Pod) and not self.blocks_hold_pods:
                return False
            return _is_in(peer.address, block["cidr"]) and not any(
                _is_in(peer.address, but) for but in block.get("except") or ()
            )
        if isinstance(peer, Outside):
            return False
        if "namespaceSelector" in wanted:
            if not _matches(wanted["namespaceSelector"], peer.namespace_labels):
                return False
        elif peer.namespace != home:
            return False
        return _matches(wanted.get("podSelector") or {}, peer.labels)


def _selects(policy: Policy, pod: Pod, direction: Direction) -> bool:
    spec = policy["spec"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return (
        direction in types
        and policy["metadata"]["namespace"] == pod.namespace
        and _matches(spec["podSelector"], pod.labels)
    )


def _matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """An empty selector takes all."""
    return all(labels.get(name) == value for name, value in (selector.get("matchLabels") or {}).items()) and all(
        _expressed(one, labels) for one in selector.get("matchExpressions") or ()
    )


def _expressed(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key = expression["key"]
    match expression["operator"]:
        case "In":
            return key in labels and labels[key] in expression["values"]
        case "NotIn":
            return key not in labels or labels[key] not in expression["values"]
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(expression)


def _has_port(ports: Iterable[Mapping[str, Any]] | None, number: int, protocol: str, named: Mapping[str, int]) -> bool:
    return not ports or any(_is_port(wanted, number, protocol, named) for wanted in ports)


def _is_port(wanted: Mapping[str, Any], number: int, protocol: str, named: Mapping[str, int]) -> bool:
    if wanted.get("protocol", "TCP") != protocol:
        return False
    if (port := wanted.get("port")) is None:
        return True
    first = named.get(port) if isinstance(port, str) else port
    return first is not None and first <= number <= wanted.get("endPort", first)


def _is_in(address: str, cidr: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(cidr)
