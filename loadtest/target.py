"""Where a run goes: a URL whose scheme says how the target is spoken to."""

import ipaddress
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from loadtest.units import LoadTestError

HTTP_SCHEMES: Final = ("http", "https")
WEBSOCKET_SCHEMES: Final = ("ws", "wss")
GRPC_SCHEMES: Final = ("grpc", "grpcs")
ENGINE_SCHEME: Final = "engine"
CALLS: Final = "unary"
SESSION: Final = "session"
BATCH_MAX: Final = 1_000
"""Requests in one message."""
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
"""Ports that need not be named; those of gRPC and engines have to be."""
_SECURE: Final = frozenset({"https", "wss", "grpcs"})
_WEBSOCKET_PATH: Final = "/ws-api/v3"
_FORMS: Final = (
    "http://127.0.0.1:8080, ws://127.0.0.1:9443/ws-api/v3, grpc://127.0.0.1:50051 or "
    "engine://127.0.0.1:50052"
)


class Target(NamedTuple):
    """Where a run goes, and how it speaks."""

    url: str
    scheme: str
    host: str
    port: int
    tls: bool
    path: str = ""
    """Of a WebSocket."""
    grpc: str = ""
    """Of gRPC: a call for each request, or a session."""
    batch: int = 1
    """Requests in one message."""
    control: str = ""
    """Base URL of the REST API that tells the market, empty where the target does itself."""

    @property
    def host_header(self) -> str:
        """The value of the header Host."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS.get(self.scheme) else f"{name}:{self.port}"

    @property
    def full_url(self) -> str:
        """The URL with the path that is taken where none is named."""
        return f"{self.scheme}://{self.host_header}{self.path}"


def parse_target(url: str, grpc: str = "", batch: int = 1, control: str = "") -> Target:
    """Return what is known of a target; raises LoadTestError for what does not fit together.

    `grpc` is `unary` or `session` (the default of gRPC), `batch` goes with a session or an
    engine; `control` is needed by gRPC, which tells no market.
    """
    target = _parsed("target", url, (*_PORTS, *GRPC_SCHEMES, ENGINE_SCHEME), _FORMS)
    if target.scheme in GRPC_SCHEMES:
        if grpc not in ("", CALLS, SESSION):
            raise LoadTestError(f"--grpc `{grpc}` is not {CALLS} or {SESSION}")
        if not control:
            raise LoadTestError("gRPC tells no market: --control names a REST API that does")
        target = target._replace(grpc=grpc or SESSION)
    elif grpc:
        raise LoadTestError(f"--grpc goes with a target grpc://, not with `{url}`")
    if not 1 <= batch <= BATCH_MAX:
        raise LoadTestError(f"batch {batch} is not 1 to {BATCH_MAX}")
    if batch > 1 and target.grpc != SESSION and target.scheme != ENGINE_SCHEME:
        raise LoadTestError("--batch goes with a session over gRPC or with an engine")
    if control:
        if target.scheme in HTTP_SCHEMES:
            raise LoadTestError("--control is not needed: a REST target tells its market itself")
        control = _parsed("control", control, HTTP_SCHEMES, "http://127.0.0.1:8080").url
    return target._replace(batch=batch, control=control)


def hosts(target: Target) -> tuple[str, ...]:
    """Return every host that a run at a target speaks to."""
    if not target.control:
        return (target.host,)
    return target.host, urlsplit(target.control).hostname or ""


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine; a name counts only if it is `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parsed(what: str, url: str, schemes: tuple[str, ...], forms: str) -> Target:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise LoadTestError(f"{what} `{url}` is not a URL") from None
    path = parts.path.rstrip("/")
    websocket = parts.scheme in WEBSOCKET_SCHEMES
    odd = (path and not websocket) or parts.query or parts.fragment or parts.username
    if parts.scheme not in schemes or not parts.hostname or not port or odd:
        raise LoadTestError(f"{what} `{url}` is not a base URL such as {forms}")
    if websocket:
        path = path or _WEBSOCKET_PATH
    return Target(
        url.rstrip("/"), parts.scheme, parts.hostname, port, parts.scheme in _SECURE, path
    )
