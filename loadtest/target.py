"""Where a run goes: a URL whose scheme says how the target is spoken to."""

import ipaddress
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from loadtest.units import LoadTestError

HTTP_SCHEMES: Final = ("http", "https")
_PORTS: Final = {"http": 80, "https": 443}
_SECURE: Final = frozenset({"https"})


class Target(NamedTuple):
    """Where a run goes, and how it speaks."""

    url: str
    scheme: str
    host: str
    port: int
    tls: bool

    @property
    def host_header(self) -> str:
        """The value of the header Host."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"


def parse_target(url: str) -> Target:
    """Return the parts of a base URL; raises LoadTestError when it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise LoadTestError(f"target `{url}` is not a URL") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/"):
        raise LoadTestError(f"target `{url}` is not a base URL such as http://127.0.0.1:8080")
    port = port or _PORTS[parts.scheme]
    return Target(url.rstrip("/"), parts.scheme, parts.hostname, port, tls=parts.scheme in _SECURE)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine; a name counts only if it is `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
