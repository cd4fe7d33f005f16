"""Who may talk to whom on a cluster with the overlays of prod, and a PostgreSQL: all of it, so that what is not said
here may not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import product

from etl_operator.kinds import METRICS_LABEL, OPERATOR
from manifests.policies import Network, Outside, Peer, Pod, Policy

PORTS = (53, 80, 443, 3000, 5353, 5432, 6443, 8000, 8080, 8443, 16443)
#: Of DNS and of the API server, behind their Services.
_DNS, _API = (53, 5353), (443, 6443, 8443, 16443)

#: Those of whom policies speak; the neighbours are other pods in the namespaces of pipelines and of the operator.
OURS = ("operator", "service", "run", "frontend", "database", "neighbour")
#: Pods that no policy of ours selects.
OTHERS = ("stranger", "impostor", "prometheus", "source", "dns")
ADDRESSES = ("client", "api server", "public source", "public source in IPv6", "private source")
METADATA = ("metadata", "metadata in IPv6", "metadata elsewhere")

_READERS = ("service", "run")

#: Whom, and at which ports.
_MAY: Sequence[tuple[Collection[str], Collection[str], Collection[int]]] = (
    # Who reads sources reads them wherever they are, but no credentials of the machine.
    (_READERS, (*OTHERS, *ADDRESSES), PORTS),
    # The page is open to all, the service to the page, the operator and Prometheus.
    ((*OTHERS, *ADDRESSES, *METADATA, *_READERS), ["frontend"], [8080]),
    (("frontend", "operator", "prometheus"), ["service"], [8000]),
    (["prometheus"], ["operator"], [8080]),
    # What runs load is in the database, which is the pipelines' alone.
    (_READERS, ["database"], [5432]),
    # The API server's address is not known, nor is that of DNS, which may be on the node's link.
    (["operator"], (*OTHERS, *ADDRESSES, *METADATA), _API),
    (("operator", "frontend", *_READERS), (*OTHERS, *ADDRESSES, *METADATA), _DNS),
)
MAY = {each for who, whom, ports in _MAY for each in product(who, whom, ports)}


def asked() -> Iterator[tuple[str, str, int]]:
    """Every way in which one of ours is concerned."""
    everybody = (*OURS, *OTHERS, *ADDRESSES, *METADATA)
    for source, target, port in product(everybody, everybody, PORTS):
        if source != target and (source in OURS or target in OURS):
            yield source, target, port


def surprises(policies: Sequence[Policy], ours: Mapping[str, Sequence[Pod]]) -> list[str]:
    """Where the policies, however the network reads them, differ from the table."""
    peers: dict[str, Sequence[Peer]] = {**dict.fromkeys(OURS, ()), **_STRANGERS, **ours}
    found = []
    for blocks_hold_pods in (True, False):
        network = Network(tuple(policies), blocks_hold_pods)
        for source, target, port in asked():
            wanted = (source, target, port) in MAY
            for one, other in product(peers[source], peers[target]):
                if network.lets(one, other, port) is not wanted:
                    found.append(f"{source} {'cannot' if wanted else 'can'} reach {target}:{port} ({one} to {other})")
        for source, target, port in product(("operator", "frontend", *_READERS), ("dns", "node's dns"), _DNS):
            for one, other in product(peers[source], peers[target]):
                if not network.lets(one, other, port, "UDP"):
                    found.append(f"{source} cannot ask {target} at {port}")
    return found


def pod(namespace: str, labels: Mapping[str, str], address: str, **namespace_labels: str) -> Pod:
    return Pod(namespace, labels, {"kubernetes.io/metadata.name": namespace, **namespace_labels}, address)


_STRANGERS: dict[str, Sequence[Peer]] = {
    "stranger": [pod("team", {"app": "other"}, "10.244.1.1")],
    # With the labels of ours, and in a namespace that is not.
    "impostor": [
        pod("team", OPERATOR, "10.244.1.2"),
        pod("team", {"etlpipeline.dev/pipeline": "posts", "app.kubernetes.io/component": "frontend"}, "10.244.1.3"),
    ],
    "prometheus": [pod("monitoring", {"app": "prometheus"}, "10.244.1.4", **{METRICS_LABEL: "enabled"})],
    "source": [pod("default", {"app.kubernetes.io/name": "sample-api"}, "10.244.1.5")],
    "dns": [pod("kube-system", {"k8s-app": "kube-dns"}, "10.244.1.6")],
    "node's dns": [Outside("169.254.20.10")],
    "client": [Outside("203.0.113.7")],
    "api server": [Outside("172.18.0.2")],
    "public source": [Outside("198.51.100.1")],
    "public source in IPv6": [Outside("2001:db8::1")],
    "private source": [Outside("10.1.2.3"), Outside("192.168.1.1")],
    "metadata": [Outside("169.254.169.254")],
    "metadata in IPv6": [Outside("fd00:ec2::254"), Outside("fd00:ec2::23"), Outside("fd20:ce::254")],
    "metadata elsewhere": [Outside("100.100.100.200"), Outside("192.0.0.192")],
}
