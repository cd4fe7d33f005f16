"""Which sources a platform lets pipelines read: addresses that are public, and what it lists besides.

Whoever writes a document chooses where requests go from, so an address inside the platform is for the platform to
allow. Decided here, without asking anybody; `extract.network` resolves names, and connects to what was decided on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: What a list may say that adds nothing: public addresses are always allowed.
PUBLIC = "public"
ANYTHING = "*"


class SourcesInvalid(ValueError):
    """An entry of the list that cannot be one; the message names it and says what could."""


@dataclass(frozen=True, slots=True)
class AllowedSources:
    """Public addresses, and these besides."""

    names: frozenset[str] = frozenset()
    domains: tuple[str, ...] = ()  #: with the dot that they begin with
    networks: tuple[Network, ...] = ()
    text: str = PUBLIC  #: as `allowed_sources` reads it

    def refusal(self, host: str, addresses: Sequence[str]) -> str | None:
        """Why a host must not be read that has these addresses; None where it may.

        One that is refused is enough: which of them a client takes is chance, and theirs to steer who answer for the
        name.
        """
        name = _plain(host)
        if name in _METADATA_NAMES and name not in self.names:
            return f"{name}, a name of the cloud's metadata service"
        for text in addresses:
            if (kind := self._refused(name, _address(text))) is not None:
                return f"{text}, {kind}" if name == text else f"{name} at {text}, {kind}"
        return None

    def _refused(self, name: str, address: Address) -> str | None:
        kind = _kind(address)
        fitting = [network for network in self.networks if address in network]
        # A network is listed for what is in it beside the metadata service, which opens by its own address alone.
        if kind is None or any(kind != _METADATA or n.prefixlen == n.max_prefixlen for n in fitting):
            return None
        # Names belong to whoever answers for them: none opens what hands out the machine's own credentials.
        return None if self.lists(name) and kind in _BY_NAME else kind

    def lists(self, host: str) -> bool:
        """Whether the host is listed by its name."""
        name = _plain(host)
        return name in self.names or name.endswith(self.domains)


def allowed_sources(text: str) -> AllowedSources | None:
    """The list that ``text`` is, with commas between; None where it is ``*``: anything may be read.

    Raises:
        SourcesInvalid: an entry is none.
    """
    entries = [entry for entry in (part.strip().lower() for part in text.split(",")) if entry]
    if ANYTHING in entries:
        if set(entries) != {ANYTHING}:
            raise SourcesInvalid("* allows anything, and the rest of the list nothing more; write * alone")
        return None
    names: list[str] = []
    domains: list[str] = []
    networks: list[Network] = []
    for entry in entries:
        if entry == PUBLIC:
            continue
        if (network := _network(entry)) is not None:
            networks.append(network)
        elif _NAME.fullmatch(_plain(entry).removeprefix("*.")):
            (domains if entry.startswith("*.") else names).append(_plain(entry).removeprefix("*"))
        else:
            raise SourcesInvalid(
                f"{entry!r} is no host, address or network; "
                "write it like api.example.com, *.example.com, 10.1.2.3 or 10.1.0.0/16, without scheme and port"
            )
    listed = [PUBLIC, *(entry for entry in entries if entry != PUBLIC)]
    return AllowedSources(frozenset(names), tuple(domains), tuple(networks), ",".join(dict.fromkeys(listed)))


def _network(entry: str) -> Network | None:
    text = entry[1:-1] if entry.startswith("[") and entry.endswith("]") else entry
    address, link, _ = text.partition("%")
    try:
        network = ip_network(address)
    except ValueError:
        pass
    else:
        if link:
            raise SourcesInvalid(f"{entry!r} is about a link of one machine; write {address}")
        if isinstance(network, IPv6Network) and any(network.subnet_of(within) for within in (_MAPPED, _NAT64)):
            meant = IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
            raise SourcesInvalid(f"{entry!r} is one of IPv4, written within IPv6; write {meant}")
        return network
    try:
        whole = ip_network(entry, strict=False)
    except ValueError:
        return None
    raise SourcesInvalid(f"{entry!r} is an address within a network; write {whole} for all of it, or the address alone")


def _plain(host: str) -> str:
    return host.lower().removesuffix(".")


def _address(text: str) -> Address:
    """The address that is meant: one of IPv4 may be written within one of IPv6."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:  # how machines without IPv4 reach the rest of the world
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _kind(address: Address) -> str | None:
    """What an address is that is not public; None where it is."""
    for kind, networks in _KINDS.items():
        if any(address in network for network in networks):
            return kind
    # Of IPv6, only this part has been given to anybody.
    return None if isinstance(address, IPv4Address) or address in _GLOBAL else _SPECIAL


#: A host as DNS writes it; one whose last part is a number would be an address, and is none.
_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"({_LABEL}\.)*(?!\d+$|0x){_LABEL}")

_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL = IPv6Network("2000::/3")

_METADATA_NAMES = frozenset(
    ("metadata", "metadata.goog", "metadata.google.internal", "instance-data", "instance-data.ec2.internal")
)
_METADATA = "an address of the cloud's metadata service"
_PRIVATE, _SHARED = "a private address", "an address shared by a provider's customers"
_LOOPBACK, _SPECIAL = "an address of this machine itself", "an address for special purposes"

#: What a listed name may lead to.
_BY_NAME = frozenset((_PRIVATE, _SHARED, _LOOPBACK))


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(network) for network in text.split())


#: https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry, and what clouds use.
_KINDS: dict[str, tuple[Network, ...]] = {
    _METADATA: _networks(
        "169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::/32 fd20:ce::254"
    ),
    _LOOPBACK: _networks("127.0.0.0/8 ::1"),
    "a link-local address": _networks("169.254.0.0/16 fe80::/10"),
    _PRIVATE: _networks("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7"),
    _SHARED: _networks("100.64.0.0/10"),
    "a multicast address": _networks("224.0.0.0/4 ff00::/8"),
    _SPECIAL: _networks(
        """
        0.0.0.0/8 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4
        2001::/23 2001:db8::/32 2002::/16 3fff::/20
        """
    ),
}
