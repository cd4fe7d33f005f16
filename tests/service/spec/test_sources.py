"""Which sources a platform lets be read, decided from a name and its addresses alone."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis.strategies import integers

from etl_service.spec import AllowedSources, SourcesInvalid, allowed_sources


def allowed(text: str) -> AllowedSources:
    found = allowed_sources(text)
    assert found is not None
    return found


def test_a_star_allows_anything() -> None:
    assert allowed_sources(" * ") is None


@pytest.mark.parametrize("text", ["", " , ", "public", "Public,"])
def test_an_empty_list_allows_public_addresses(text: str) -> None:
    assert allowed(text) == AllowedSources()
    assert allowed(text).text == "public"


@pytest.mark.parametrize(
    "text", ["public, sample-api ,10.1.0.0/16", "Sample-API,10.1.0.0/16", "10.1.0.0/16,sample-api."]
)
def test_a_list_adds_to_public_addresses_whether_it_says_so_or_not(text: str) -> None:
    sources = allowed(text)

    assert sources.refusal("anywhere.example", ["8.8.8.8", "2606:4700::1111"]) is None
    assert sources.refusal("sample-api", ["10.96.0.7"]) is None
    assert sources.refusal("other", ["10.1.2.3"]) is None
    assert sources.refusal("other", ["10.2.2.3"]) == "other at 10.2.2.3, a private address"


def test_what_a_list_says_can_be_said_again() -> None:
    text = allowed("Sample-API,, 10.1.0.0/16,sample-api").text

    assert text == "public,sample-api,10.1.0.0/16"
    assert allowed(text) == allowed("sample-api,10.1.0.0/16")


@pytest.mark.parametrize(
    ("entry", "host", "is_listed"),
    [
        ("api.example.com", "api.example.com", True),
        ("api.example.com", "API.Example.com.", True),
        ("api.example.com", "x.api.example.com", False),
        ("api.example.com", "api.example.com.evil.example", False),
        ("*.example.com", "api.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "evilexample.com", False),
    ],
)
def test_a_name_is_that_host_and_a_star_those_beneath_it(entry: str, host: str, is_listed: bool) -> None:
    assert (allowed(entry).refusal(host, ["10.0.0.1"]) is None) is is_listed


@pytest.mark.parametrize(
    ("entry", "address", "is_listed"),
    [
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.4", False),
        ("10.1.2.3", "::ffff:10.1.2.3", True),
        ("10.1.2.3", "64:ff9b::10.1.2.3", True),
        ("[fd12::1]", "fd12::1", True),
        ("fd12::/16", "fd12:3456::1", True),
        ("fd12::/16", "fd13::1", False),
        ("169.254.169.254", "169.254.169.254", True),
    ],
)
def test_an_address_and_a_network_are_listed_however_they_are_written(
    entry: str, address: str, is_listed: bool
) -> None:
    assert (allowed(entry).refusal("anything", [address]) is None) is is_listed


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fd00:ec2::254", "fd00:ec2::23", "169.254.1.1", "fe80::1", "0.0.0.0", "224.0.0.1"]
)
def test_a_listed_name_opens_no_metadata_service_nor_what_is_no_host(address: str) -> None:
    assert allowed("*.internal").refusal("metadata.google.internal", [address]) is not None
    assert allowed("db.internal").refusal("db.internal", [address]) is not None


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("0.0.0.0/0", "169.254.169.254"),
        ("169.254.0.0/16", "::ffff:169.254.170.2"),
        ("100.64.0.0/10", "100.100.100.200"),
        ("fd00::/8", "fd00:ec2::254"),
        ("fd00:ec2::/32", "fd00:ec2::23"),
    ],
)
def test_nor_does_a_listed_network_but_by_its_own_address(network: str, address: str) -> None:
    assert "metadata service" in str(allowed(network).refusal("anything", [address]))
    assert allowed(f"{network},{address.removeprefix('::ffff:')}").refusal("anything", [address]) is None


@pytest.mark.parametrize("host", ["metadata", "metadata.google.internal", "Metadata.Google.Internal."])
def test_a_name_of_a_metadata_service_is_refused_whatever_it_leads_to_unless_it_is_listed(host: str) -> None:
    assert "metadata service" in str(allowed("public").refusal(host, ["8.8.8.8"]))
    assert "metadata service" in str(allowed("*.google.internal").refusal(host, ["8.8.8.8"]))
    assert allowed(host).refusal(host, ["10.0.0.1"]) is None


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1", "127.0.0.1, an address of this machine itself"),
        ("10.0.0.1", "10.0.0.1, a private address"),
        ("100.64.0.1", "100.64.0.1, an address shared by a provider's customers"),
        ("169.254.169.254", "169.254.169.254, an address of the cloud's metadata service"),
        ("fe80::1%2", "fe80::1%2, a link-local address"),
        ("::", "::, an address for special purposes"),
    ],
)
def test_a_refusal_says_what_an_address_is(address: str, said: str) -> None:
    assert allowed("public").refusal(address, [address]) == said


def test_one_address_that_is_refused_is_enough() -> None:
    assert allowed("public").refusal("mixed", ["8.8.8.8", "10.0.0.1"]) == "mixed at 10.0.0.1, a private address"


@given(integers(0, 2**128 - 1))
def test_nothing_is_public_that_python_knows_to_be_of_somebody_else(number: int) -> None:
    address = ip_address(number)
    nat64 = address in ip_network("64:ff9b::/96") or (address.version == 6 and address.ipv4_mapped is not None)

    if not nat64 and allowed("public").refusal("x", [str(address)]) is None:
        assert address.is_global and not address.is_multicast


@given(integers(0, 2**32 - 1))
def test_what_is_judged_of_an_address_is_judged_of_it_within_one_of_ipv6(number: int) -> None:
    address = ip_address(number)
    refused = allowed("public").refusal("x", [str(address)]) is not None

    assert (allowed("public").refusal("x", [f"::ffff:{address}"]) is not None) is refused
    assert (allowed("public").refusal("x", [f"64:ff9b::{address}"]) is not None) is refused
    assert refused or address.is_global


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://api.example.com", "'http://api.example.com' is no host, address or network; write it like"),
        ("public,api.example.com:8080", "'api.example.com:8080' is no host"),
        ("10.1.2.3/16", "'10.1.2.3/16' is an address within a network; write 10.1.0.0/16"),
        ("::ffff:10.0.0.0/104", "'::ffff:10.0.0.0/104' is one of IPv4, written within IPv6; write 10.0.0.0/8"),
        ("[::ffff:10.1.2.3]", "write 10.1.2.3"),
        ("64:ff9b::/96", "write 0.0.0.0/0"),
        ("fe80::1%eth0", "'fe80::1%eth0' is about a link of one machine; write fe80::1"),
        ("[fe80::/10", "'[fe80::/10' is no host"),
        ("10.1.0.0/33", "'10.1.0.0/33' is no host"),
        ("10.1", "'10.1' is no host"),
        ("0x7f.1", "'0x7f.1' is no host"),
        ("256.1.1.1", "'256.1.1.1' is no host"),
        (".example.com", "'.example.com' is no host"),
        ("*example.com", "'*example.com' is no host"),
        ("api.*.com", "is no host"),
        ("müller.example", "is no host"),
        ("*,10.0.0.0/8", "write * alone"),
        ("a b", "'a b' is no host"),
    ],
)
def test_an_entry_that_is_none_is_named_with_what_could_be(text: str, said: str) -> None:
    with pytest.raises(SourcesInvalid) as refused:
        allowed_sources(text)

    assert said in str(refused.value)
