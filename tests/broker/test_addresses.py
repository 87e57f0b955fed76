"""Only plain public addresses are connected to."""

import pytest

from reasoner.broker.addresses import is_public


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "192.0.1.1", "172.32.0.1", "2606:4700::1111"])
def test_the_public_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.19.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:93.184.215.14",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2620:4f:8000::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1111%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_what_is_special_is_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("text", ["", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "a.org", "1.1.1.1 ", "[::1]"])
def test_other_spellings_are_no_addresses(text: str) -> None:
    assert not is_public(text)
