from __future__ import annotations

import pytest

from gateway.addresses import is_webhook_url, may_reach, names_forbidden_address

PUBLIC = ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1"]
NEVER = (
    ["10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "::a00:1"]
)  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_reached(address: str) -> None:
    assert may_reach(address, loopback=False)
    assert may_reach(address, loopback=True)


@pytest.mark.parametrize("address", LOOPBACK)
def test_this_machine_only_where_that_is_allowed(address: str) -> None:
    assert not may_reach(address, loopback=False)
    assert may_reach(address, loopback=True)


@pytest.mark.parametrize("address", NEVER)
def test_private_addresses_never(address: str) -> None:
    assert not may_reach(address, loopback=False)
    assert not may_reach(address, loopback=True)


def test_names_are_left_to_the_resolver() -> None:
    assert not names_forbidden_address("https://hooks.example.org/", loopback=False)
    assert names_forbidden_address("https://10.0.0.1/", loopback=True)
    assert names_forbidden_address("https://[::1]:8443/", loopback=False)
    assert not names_forbidden_address("https://[::1]:8443/", loopback=True)


@pytest.mark.parametrize("url", ["http://a/", "https://a.example.org:8443/x?y=z", "https://[::1]/"])
def test_a_webhook_url(url: str) -> None:
    assert is_webhook_url(url)


@pytest.mark.parametrize(
    "url",
    ["", "a", "ftp://a/", "http://", "http:///x", "http://a:b/", "http://a:0/", "http://u@a/", "http://u:p@a/", "http://a/#b", "http://a/ b", "http://a/\nb", "http://é/", "http://[::1"],
)  # fmt: skip
def test_no_webhook_url(url: str) -> None:
    assert not is_webhook_url(url)
