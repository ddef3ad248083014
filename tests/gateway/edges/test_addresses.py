"""The address a request is counted under."""

import pytest

from gateway.addresses import UNKNOWN_ADDRESS, PeerAddresses, address_text


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.2", "127.0.0.2"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", None),
        ("gate.example", None),
        ("192.0.2.256", None),
    ],
)
def test_address_text(host: str, text: str | None) -> None:
    """IPv4 counts alone, IPv6 by its /64, a mapped address as the IPv4 address it is."""
    assert address_text(host) == text


@pytest.mark.parametrize(
    ("host", "forwarded", "address"),
    [
        ("192.0.2.9", "198.51.100.7", "192.0.2.9"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.5, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.5, 10.9.9.9", "203.0.113.5"),
        ("10.0.0.1", "10.1.1.1, 10.9.9.9", "10.1.1.1"),
        ("10.0.0.1", "nonsense, 10.9.9.9", "10.9.9.9"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::/64"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("socket", "198.51.100.7", UNKNOWN_ADDRESS),
    ],
)
def test_forwarded(host: str, forwarded: str | None, address: str) -> None:
    """The header is read from its end, as far as listed proxies vouch for it."""
    assert PeerAddresses(["10.0.0.0/8"]).of(host, forwarded) == address


def test_bad_proxy_is_refused() -> None:
    """A proxy that is neither address nor network is an error of the configuration."""
    with pytest.raises(ValueError, match="nonsense"):
        PeerAddresses(["nonsense"])
